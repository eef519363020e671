"""Networks cut into stages and their maps into rectangles, each computed from regions alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.steps import split
from ftdist.runtime.runner import Runner
from support.networks import MOST_SIDE

Stages = list[list[Plan]]
"""For each run of layers the parts that together make its outputs."""


@st.composite
def runs(draw: Any, first: int, stop: int, most: int = 3) -> list[tuple[int, int]]:
    """Layers [first, stop) cut into a few runs."""
    count = min(draw(st.integers(0, most - 1)), stop - first - 1)
    inside = st.integers(first + 1, stop - 1)
    cuts = draw(st.sets(inside, min_size=count, max_size=count)) if count else ()
    return list(itertools.pairwise([first, *sorted(cuts), stop]))


@st.composite
def group_plans(draw: Any, first: int, stop: int) -> tuple[GroupPlan, ...]:
    """Groups with any grids: those that are too fine for what they cut as well."""
    groups = []
    for each in draw(runs(first, stop)):
        (first_layer, end), rows = each, draw(st.integers(1, 4))
        columns = draw(st.integers(1, 4))
        strip = draw(st.none() | st.integers(1, 4) | st.integers(1, MOST_SIDE))
        groups.append(GroupPlan(first_layer, end, rows, columns, strip, draw(st.booleans())))
    return tuple(groups)


@st.composite
def borders(draw: Any, size: int) -> list[tuple[int, int]]:
    """A side cut into one to four pieces of any sizes."""
    cuts = draw(st.sets(st.integers(1, size - 1), max_size=3)) if size > 1 else ()
    return list(itertools.pairwise([0, *sorted(cuts), size]))


@st.composite
def regions(draw: Any, height: int, width: int) -> list[Region]:
    """A map cut into a grid, or into bands each with borders of its own; in any order."""
    rows = draw(borders(height))
    columns = [draw(borders(width))] * len(rows)
    if draw(st.booleans()):
        columns = [draw(borders(width)) for _ in rows]
    found = [
        Region(*span, *side) for span, sides in zip(rows, columns, strict=True) for side in sides
    ]
    return draw(st.permutations(found))


@st.composite
def stages(draw: Any, network: Network) -> Stages:
    """A network cut into stages, each into parts with groups of their own."""
    found = []
    first = 0
    for _, stop in draw(runs(0, len(network.layers))):
        outputs = FusedGroup(network, first, stop).outputs
        if not outputs:
            continue  # layers that compute nothing go with those behind them
        height, width, _ = network.shape(outputs[-1])
        found.append(
            [
                Plan(
                    split(network, draw(group_plans(first, stop))),
                    draw(st.integers(1, 3)),
                    region=region,
                )
                for region in draw(regions(height, width))
            ]
        )
        first = stop
    return found


def cut(array: np.ndarray, region: Region) -> np.ndarray:
    """A copy of a region of a map (height, width, channels)."""
    return array[region.top : region.bottom, region.left : region.right].copy()


def interleaved(image: np.ndarray) -> np.ndarray:
    """A session's input as parts read it: (height, width, channels)."""
    planar = image.dtype == np.float32
    return np.ascontiguousarray(image.transpose(1, 2, 0)) if planar else image


def lowered_parts(model: Model, cut_up: Stages, *, picture: bool = False) -> list[list[Lowered]]:
    network = model.network
    return [
        [lower(network, part, model.offsets, picture=picture) for part in parts] for parts in cut_up
    ]


def run_in_parts(
    runner: Runner, cut_up: list[list[Lowered]], image: np.ndarray
) -> dict[str, np.ndarray]:
    """What a session would return, each part having seen nothing but the regions that it reads."""
    network = runner.model.network
    maps = {INPUT: interleaved(image)}
    for parts in cut_up:
        made: dict[int, np.ndarray] = {}
        times: dict[int, np.ndarray] = {}
        for lowered in parts:
            inputs = {source: cut(maps[source], r) for source, r in lowered.inputs.items()}
            outputs = runner.run(lowered, inputs)
            assert outputs.keys() == lowered.outputs.keys()
            for source, array in outputs.items():
                shape = network.shape(source)
                top, bottom, left, right = lowered.outputs[source]
                whole = made.setdefault(source, np.full(shape, np.nan, np.float32))
                whole[top:bottom, left:right] = array
                times.setdefault(source, np.zeros(shape[:2], int))[top:bottom, left:right] += 1
        assert all((each == 1).all() for each in times.values()), "parts partition all outputs"
        maps |= made
    return {
        network.layers[n].name: maps[network.source(n)].transpose(2, 0, 1) for n in network.outputs
    }
