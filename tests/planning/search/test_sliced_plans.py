"""The search cuts heavy layers over small maps by channels, and predicts such plans as they are."""

from __future__ import annotations

import pytest

from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.planning.cost.latency import plan_seconds
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import Plan, parse_notation
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.search import Search
from ftdist.planning.weights import resident_layers, unplaced


def heavy(side: int) -> Network:
    """Two layers of 256 channels over a small map, one of them with a border of zeros."""
    builder = NetworkBuilder("heavy", Shape(side, side, 64))
    builder.add(Convolution(256, Sliding.square(1)), [INPUT])
    builder.add(Convolution(256, Sliding.square(3, padding=1)), [0])
    builder.add(Convolution(250, Sliding.square(1)), [1])
    return builder.finish()


def slices(plan: Plan) -> list[int]:
    return [each.slices for each in plan.groups]


@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("arithmetic", [(), ((1, "winograd4"),)])
def test_what_is_found_is_what_the_cost_model_says(threads: int, arithmetic) -> None:
    network = heavy(7).computed_by(arithmetic)
    found = Search(network, threads, DEFAULT).fastest()
    assert found is not None
    assert max(slices(found.plan)) == threads
    assert found.seconds == pytest.approx(plan_seconds(network, found.plan, DEFAULT))
    lowered = lower(network, found.plan, unplaced(network), picture=False)
    weights = sum(resident_layers(network, found.plan).values())
    assert found.peak_bytes >= weights + lowered.block_bytes


def test_rows_are_cut_where_there_are_many() -> None:
    """They share their input too; slices each prepare all of it."""
    builder = NetworkBuilder("light", Shape(128, 128, 64))
    builder.add(Convolution(64, Sliding.square(3, padding=1)), [INPUT])
    found = Search(builder.finish(), 2, DEFAULT).fastest()
    assert found is not None
    assert slices(found.plan) == [1]


def test_the_largest_tile_decides() -> None:
    """Of 7 rows one of two threads makes 4; of 8 chunks of channels each makes 4."""
    network = heavy(7)
    cut = "1x1/1/{}/2/1x1"
    rows, channels = (
        plan_seconds(network, parse_notation(cut.format(each), network, 2), DEFAULT)
        for each in ("2x1", "1x1c2")
    )
    assert channels < rows
    uneven = plan_seconds(network, parse_notation(cut.format("1x1c3"), network, 3), DEFAULT)
    even = plan_seconds(network, parse_notation(cut.format("1x1c4"), network, 4), DEFAULT)
    assert even < uneven < channels
