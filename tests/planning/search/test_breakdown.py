"""What each group has of a prediction, and the moment of the peak."""

from __future__ import annotations

import pytest

from ftdist.kernels.program import OVERREAD_BYTES
from ftdist.network import architectures
from ftdist.network.graph import INPUT, Network
from ftdist.planning.cost.latency import plan_seconds
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.predictor import footprint
from ftdist.planning.plan import parse_notation
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.breakdown import group_breakdowns, peak_moment
from ftdist.planning.weights import unplaced


@pytest.fixture(scope="module")
def network() -> Network:
    return architectures.load("yolov2-first16").network


def lowered(network: Network, notation: str, threads: int = 1) -> Lowered:
    blobs = unplaced(network)
    return lower(network, parse_notation(notation, network, threads), blobs, picture=False)


NOTATIONS = ["1x1", "5x5/8/2x2", "1x1s4/4/1x1s16/8/1x1s8/12/1x1w", "3x1s2/7/1x3"]


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("threads", [1, 3])
def test_the_shares_make_up_the_whole(network: Network, notation: str, threads: int) -> None:
    whole = lowered(network, notation, threads)
    shares = group_breakdowns(network, whole, DEFAULT)
    assert [share.plan for share in shares] == list(whole.plan.groups)
    assert sum(share.seconds for share in shares) == plan_seconds(network, whole.plan, DEFAULT)
    assert max(share.held_bytes for share in shares) <= whole.block_bytes
    assert max(share.held_bytes for share in shares) >= whole.arena_bytes
    resident = sum(share.weights_bytes for share in shares if not share.plan.streamed)
    assert resident == footprint(whole, network).weights
    assert {share.algorithm for share in shares} == {"direct"}


def test_a_group_without_convolutions_has_no_algorithm_and_no_weights(network: Network) -> None:
    shares = group_breakdowns(network, lowered(network, "1x1/7/2x1/8/1x1"), DEFAULT)
    assert (shares[1].algorithm, shares[1].weights_bytes) == (None, 0)
    assert shares[1].held_bytes > 0 and shares[1].seconds > 0


def test_maps_that_wait_for_a_later_group_are_held(network: Network) -> None:
    """Between layers 4 and 8 two maps are alive: what is read and what is written."""
    whole = lowered(network, "1x1s4/4/1x1s4/8/1x1s4")
    for share, program in zip(
        group_breakdowns(network, whole, DEFAULT), whole.programs, strict=True
    ):
        maps = [source for source in (*program.inputs, *program.outputs) if source in whole.maps]
        expected = sum(network.shape(source).bytes + OVERREAD_BYTES for source in maps)
        assert share.held_bytes == program.arena_bytes + expected


@pytest.mark.parametrize(
    ("notation", "group", "layer", "tile"),
    [
        ("1x1", 0, 3, (0, 0)),  # layer 0 leaves 11.3 MiB, layer 2 half of that, both pooled
        ("3x3", 0, 3, (1, 1)),  # only the tile in the middle has a halo on all sides
        ("4x4/8/1x1", 1, 8, (0, 0)),  # loads 2.8 MiB, makes 5.6
        ("1x1s1/8/1x1", 1, 8, (0, 0)),
        ("1x1s1/4/2x2", 1, 4, (0, 0)),
    ],
)
def test_the_moment_of_the_peak(
    network: Network, notation: str, group: int, layer: int, tile: tuple[int, int]
) -> None:
    found = peak_moment(network, lowered(network, notation))
    assert (found.group, found.layer, found.tile) == (group, layer, tile)


def test_loading_can_be_the_moment_of_the_peak(network: Network) -> None:
    """A single pooling group holds nothing but what it loads."""
    found = peak_moment(network.until(1), lowered(network.until(1), "1x1/1/1x1"))
    assert found.layer in (0, 1)
    narrow = architectures.load("yolov2-first16").network.until(0)
    assert peak_moment(narrow, lowered(narrow, "1x1")).layer in (INPUT, 0)
