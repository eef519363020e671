"""Convolutions whose sums are rounded to whole numbers soon after: those of quantised networks.

Their operands are whole numbers, so direct kernels sum exactly, and ties fall where the file's own
runtime has them. Winograd's transforms divide, and would move some values by a step.
"""

from __future__ import annotations

from ftdist.network.graph import Network, weighted_layers
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS
from ftdist.network.operators.functions import Function


def rounded_layers(network: Network) -> frozenset[int]:
    """The layers with another algorithm than the direct one, between which and a rounding none
    other lies."""
    rounding = {number for number, layer in enumerate(network.layers) if _rounds(layer.operation)}
    others = [each for name, each in IMPLEMENTATIONS.items() if name != DIRECT.name]
    choices = {
        number
        for number, _, _ in weighted_layers(network)
        if any(each.suits(*network.asked(number)) for each in others)
    }
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [source for number in rounding for source in network.reads(number)]
    while waiting:
        number = waiting.pop()
        if number < 0 or number in seen or number in rounding:
            continue
        seen.add(number)
        if number in choices:
            found.add(number)
        else:
            waiting += network.reads(number)
    return frozenset(found)


def _rounds(operation: object) -> bool:
    return isinstance(operation, Function) and operation.how == "round"
