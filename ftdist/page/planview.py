"""A plan as the page draws it: for one worker, group after group, how long and in how much memory.

Memory is what lowering lays out, so it is exact; times are the cost model's, and within a tile are
shared out so that they add up to what the plan says of it. Worked out when somebody asks, once for
each plan and worker.
"""

from __future__ import annotations

from typing import Any

from ftdist.coordinator.observing.snapshot import PartNow, PlanNow
from ftdist.page.subject import Subject
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.search.breakdown import GroupBreakdown, group_breakdowns
from ftdist.planning.weights import unplaced

_MOST_TILES = 64
"""Tiles of one worker that are drawn; a page has no room for more."""


def plan_view(subject: Subject, plan: PlanNow, worker: int) -> dict[str, Any]:
    """What the page needs of a plan to draw what it means for one of its workers."""
    tiles = [
        (stage, part)
        for stage, parts in enumerate(plan.stages)
        for part in parts
        if part.worker in (-1, worker)
    ]
    drawn = [_tile(subject, stage, part) for stage, part in tiles[:_MOST_TILES]]
    resident: dict[tuple[int, int], int] = {}
    for tile in drawn:
        for group in tile["groups"]:
            if not group["streamed"]:
                resident[tuple(group["layers"])] = group["weights"]
    return {
        "number": plan.number,
        "workers": [
            {"name": name, "share": share}
            for name, share in zip(plan.workers, plan.shares, strict=True)
        ],
        "worker": worker,
        "seconds": plan.seconds,
        "period": plan.period_s,
        "sent": plan.sent_bytes,
        "received": plan.received_bytes,
        "note": plan.note,
        "stages": len(plan.stages),
        "resident": sum(resident.values()),
        "tiles": drawn,
        "left": len(tiles) - len(drawn),
    }


def _tile(subject: Subject, stage: int, part: PartNow) -> dict[str, Any]:
    network, plan = subject.network, part.part
    lowered = lower(network, plan, unplaced(network), picture=False)
    groups = group_breakdowns(network, lowered, subject.profile)
    predicted = sum(group.seconds for group in groups)
    scale = part.seconds / predicted if part.seconds and predicted else 1.0
    rows = [] if plan.region is None else [plan.region.top, plan.region.bottom]
    return {
        "stage": stage + 1,
        "rows": rows,
        "seconds": part.seconds or predicted,
        "groups": [_group(group, scale) for group in groups],
    }


def _group(group: GroupBreakdown, scale: float) -> dict[str, Any]:
    plan = group.plan
    return {
        "layers": [plan.first, plan.stop - 1],
        "grid": [plan.rows, plan.columns],
        "slices": plan.slices,
        "strip": plan.strip,
        "whole": plan.whole,
        "streamed": plan.streamed,
        "algorithm": group.algorithm,
        "weights": group.weights_bytes,
        "held": group.held_bytes,
        "seconds": group.seconds * scale,
    }
