"""Operators by family. Importing any of them imports all, so that each is registered.

An operator answers here, and only here, for everything but its arithmetic: its output's shape, its
axes, its weights, its cost, the kernel it becomes, and by its fields how a model file has it.
"""

from ftdist.network.operators import (
    base,
    channels,
    functions,
    joining,
    lists,
    normalizing,
    pairs,
    placing,
    reducing,
    resampling,
    selecting,
    tensors,
    transposed,
    unpooling,
    windows,
)

__all__ = (
    "base",
    "channels",
    "functions",
    "joining",
    "lists",
    "normalizing",
    "pairs",
    "placing",
    "reducing",
    "resampling",
    "selecting",
    "tensors",
    "transposed",
    "unpooling",
    "windows",
)
