"""Operators by family; ``ftdist.network.layers`` lists them all."""
