"""The passes over a picture that a network takes within a budget."""

from __future__ import annotations

from ftdist.geometry import Shape
from ftdist.network.graph import Network
from ftdist.planning.bands.phases import Phase, phases
from ftdist.runtime.budget.limits import Budget

_SMALL_SHARE = 8
"""A map that a layer needs whole may take this part of the budget."""

_MOST_STRIDE = 64
"""A network that wants whole strides is larger than its picture by less than this."""


def passes_of(network: Network, limit: Budget) -> tuple[Phase, ...]:
    """The passes over a picture that a network takes; InputError where bands cannot make it."""
    return phases(network, limit.bytes // _SMALL_SHARE)


def against_size(picture: Shape, network: Network) -> str:
    """Why a picture is none for a network's bands; empty where it is one.

    Bands take it as it is: a network of another size sees it smaller or larger.
    """
    beside = (
        network.input.height - picture.height,
        network.input.width - picture.width,
    )
    if all(0 <= each < _MOST_STRIDE for each in beside):
        return ""
    return (
        f"the network is of {network.input.height}x{network.input.width}, the picture of "
        f"{picture.height}x{picture.width}; --size picture makes both the same"
    )
