"""The plans that the literature could find: one or two groups, square grids, no strips, any cut.

One group is DeepThings (Zhao and others, TCAD 2018), two are MAFAT (Farley and others, 2021).

They are what a planner without strips, streaming and more groups could choose from, so a picture of
the frontier shows them beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ftdist.errors import InputError
from ftdist.network.graph import Network, is_alias
from ftdist.planning.cost.latency import group_seconds
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import whole_maps
from ftdist.planning.lowering.lowered import arrange, lower_groups
from ftdist.planning.lowering.programs import GroupProgram
from ftdist.planning.lowering.regions import outside_maps
from ftdist.planning.plan import GroupPlan, Plan, check
from ftdist.planning.steps import split
from ftdist.runtime.plans.choice import Choice

GRIDS = range(1, 6)
"""Sides of the square grids that these papers try."""

_MOST_WORK = 2048
"""Layers times cuts: more cuts are thinned out, evenly, for a network takes its time at each."""


@dataclass(frozen=True, slots=True)
class PublishedPlan:
    """A plan of theirs with its predicted peak and latency."""

    plan: Plan
    peak_bytes: int
    latency_s: float


def published_plans(beside: Choice) -> list[PublishedPlan]:
    """All such plans for the model, threads and process of a choice, those of one group first.

    Grids with more rows or columns than a map are left out.
    """
    model, threads = beside.model, beside.plan.threads
    network = model.network
    profile = beside.problem.profile
    picture = beside.context.picture

    @cache
    def prepared(group_plan: GroupPlan) -> tuple[tuple[GroupProgram, ...], float]:
        group = FusedGroup(network, group_plan.first, group_plan.stop)
        outside = whole_maps(network, (*group.inputs, *group.outputs), picture=picture)
        programs = lower_groups(network, [group_plan], model.offsets, outside, threads)
        return programs, group_seconds(network, group_plan, threads, profile)

    found = []
    for plan in _plans(network, threads):
        groups = [prepared(each) for each in plan.groups]
        programs = tuple(each for programs, _ in groups for each in programs)
        outside = outside_maps(network, plan, picture=picture)
        lowered = arrange(network, plan, programs, outside, picture=picture)
        seconds = sum(each for _, each in groups)
        choice = beside.problem.predict(lowered, seconds)
        found.append(PublishedPlan(plan, choice.peak_bytes, seconds))
    return found


def _plans(network: Network, threads: int) -> list[Plan]:
    """All that the network's maps allow: one group, then two groups with each cut."""
    stop = len(network.layers)
    cuts = [n for n, layer in enumerate(network.layers) if not is_alias(layer)][1:]
    most = max(1, _MOST_WORK // stop)
    if len(cuts) > most:
        cuts = [cuts[at] for at in np.linspace(0, len(cuts) - 1, most).astype(int)]
    whole = [(GroupPlan(0, stop, side, side),) for side in GRIDS]
    halves = [
        (GroupPlan(0, cut, first, first), GroupPlan(cut, stop, second, second))
        for cut in cuts
        for first in GRIDS
        for second in GRIDS
    ]
    plans = [Plan(split(network, groups), threads) for groups in (*whole, *halves)]
    return [plan for plan in plans if _fits(plan, network)]


def _fits(plan: Plan, network: Network) -> bool:
    try:
        check(plan, network)
    except InputError:
        return False
    return True
