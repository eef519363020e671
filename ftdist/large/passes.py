"""The passes over a picture that a network takes within a budget."""

from __future__ import annotations

from ftdist.network.graph import Network
from ftdist.planning.bands.phases import Phase, phases
from ftdist.runtime.budget.limits import Budget

_SMALL_SHARE = 8
"""A map that a layer needs whole may take this part of the budget."""


def passes_of(network: Network, limit: Budget) -> tuple[Phase, ...]:
    """The passes over a picture that a network takes; InputError where bands cannot make it."""
    return phases(network, limit.bytes // _SMALL_SHARE)
