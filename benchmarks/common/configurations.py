"""Configurations that a person would try by hand, and what of them is known before they run.

The published space is one or two groups with square grids of 1x1 to 5x5 tiles; beside it stand
strips: one or two groups of one tile each, in strips of 1 to 32 rows; in strips of 8 rows or more
also with streamed weights, of both groups or of the second, which has most of them; each by direct
kernels and by Winograd's, everywhere or where weights are few. Cuts that make sense come after a
pool, where maps are smallest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ftdist.network.graph import Network, weighted_layers
from ftdist.network.implementations import IMPLEMENTATIONS, Arithmetic
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.group import FusedGroup
from ftdist.planning.plan import GroupPlan, Plan, untiled

GRIDS = (1, 2, 3, 4, 5)
STRIPS = (None, 32, 16, 8, 4, 2, 1)
FEW_CHANNELS = 128
STREAMED_STRIPS = (None, 32, 16, 8)

_Choice = tuple[int, int | None, bool]
"""(tiles on each side, strip height, weights streamed): what a group is made with."""


def published(network: Network, *, all_cuts: bool) -> list[Plan]:
    """One or two groups, each in a square grid."""
    choices: list[_Choice] = [(side, None, False) for side in GRIDS]
    return list(_one_or_two(network, choices, all_cuts))


def strips(network: Network, *, all_cuts: bool) -> list[Plan]:
    """One or two groups of one tile each, in strips; without those that are published."""
    choices: list[_Choice] = [(1, strip, False) for strip in STRIPS]
    choices += [(1, strip, True) for strip in STREAMED_STRIPS]
    every = _one_or_two(network, choices, all_cuts)
    return [plan for plan in every if any(each.strip or each.streamed for each in plan.groups)]


def algorithms(network: Network) -> list[Arithmetic]:
    """Direct kernels alone; F(4,3) wherever it can be, and where maps have at most 128 channels,
    whose transformed weights are small."""
    suited = [
        number
        for number, _, _ in weighted_layers(network)
        if IMPLEMENTATIONS["winograd4"].suits(*network.asked(number))
    ]
    few = [number for number in suited if network.shape(number).channels <= FEW_CHANNELS]
    chosen = [tuple((number, "winograd4") for number in each) for each in ([], suited, few)]
    return list(dict.fromkeys(chosen))


def relative_work(network: Network, plan: Plan) -> float:
    """Multiply-accumulates of a plan, halos included, relative to the untiled network."""
    return _work(network, plan) / _work(network, untiled(network))


def _one_or_two(network: Network, choices: list[_Choice], all_cuts: bool) -> Iterator[Plan]:
    stop = len(network.layers)
    for choice in choices:
        yield Plan((_group(0, stop, choice),))
    for cut in _cuts(network, all_cuts):
        for one, other in itertools.product(choices, choices):
            groups = _group(0, cut, one), _group(cut, stop, other)
            if groups[1].streamed or not groups[0].streamed:
                yield Plan(groups)


def _group(first: int, stop: int, choice: _Choice) -> GroupPlan:
    side, strip, streamed = choice
    return GroupPlan(first, stop, side, side, strip, streamed)


def _cuts(network: Network, all_cuts: bool) -> list[int]:
    """Layers that may begin the second group."""
    operations = [layer.operation for layer in network.layers]
    return [
        number
        for number in range(1, len(operations))
        if all_cuts
        or (
            isinstance(operations[number], Convolution) and isinstance(operations[number - 1], Pool)
        )
    ]


def _work(network: Network, plan: Plan) -> int:
    total = 0
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        rows = [group.needed_rows(group.row_shares(each.rows, n)) for n in range(each.rows)]
        shares = [group.column_shares(each.columns, n) for n in range(each.columns)]
        columns = [group.needed_columns(share) for share in shares]
        for member in group.members:
            width = network.shape(member).width
            made = sum(each[member].size for each in rows) * sum(
                each[member].clipped(width).size for each in columns
            )
            total += made * network.macs(member)
    return total
