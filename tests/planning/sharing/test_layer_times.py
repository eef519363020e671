"""A worker's times is that of its plan, spread over what its tiles make."""

from __future__ import annotations

import numpy as np
import pytest
from support.planning.workers import first16

from ftdist.geometry import Region, partition
from ftdist.planning.cost.latency import plan_seconds
from ftdist.planning.plan import GroupPlan, parse_notation
from ftdist.planning.profile import DEFAULT
from ftdist.planning.sharing.layer_times import cut_groups, layer_times
from ftdist.planning.sharing.tile_regions import TileRegions, outputs, regions_of

NOTATIONS = ["1x1", "1x1s4/8/1x1s2", "1x1s1/4/1x1s8w/12/1x1w"]


def seconds(notation: str, first: int, stop: int, regions: list[Region]) -> np.ndarray:
    network = first16()
    times = layer_times(network, parse_notation(notation, network), DEFAULT)
    return times.seconds(TileRegions(network, stop, regions_of(regions)).layers(first), first, stop)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_whole_frame_takes_what_the_plan_takes(notation) -> None:
    network = first16()
    (taken,) = seconds(notation, 0, 16, [Region(0, 38, 0, 38)])
    plan = parse_notation(notation, network)
    assert taken == pytest.approx(plan_seconds(network, plan, DEFAULT), rel=0.02)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_tiles_take_more_together_the_more_there_are(notation) -> None:
    totals = []
    for count in (1, 2, 4, 8):
        bands = [Region(*rows, 0, 38) for rows in partition(38, count)]
        totals.append(float(seconds(notation, 0, 16, bands).sum()))
    assert totals == sorted(totals)
    assert totals[-1] > 1.5 * totals[0], "halos are computed twice"


@pytest.mark.parametrize("notation", NOTATIONS)
def test_stages_take_together_what_the_network_takes(notation) -> None:
    network = first16()
    total = 0.0
    for first, stop in ((0, 6), (6, 12), (12, 16)):
        height, width, _ = network.shape(outputs(network, first, stop)[-1])
        total += float(seconds(notation, first, stop, [Region(0, height, 0, width)]).sum())
    (whole,) = seconds(notation, 0, 16, [Region(0, 38, 0, 38)])
    assert total == pytest.approx(whole, rel=0.01)


def test_streamed_weights_are_read_once_a_strip() -> None:
    region = [Region(0, 38, 0, 38)]
    (resident,) = seconds("1x1/12/1x1s4", 0, 16, region)
    (streamed,) = seconds("1x1/12/1x1s4w", 0, 16, region)
    (often,) = seconds("1x1/12/1x1s1w", 0, 16, region)
    assert resident < streamed < often


def test_groups_are_cut_to_a_stage() -> None:
    groups = (GroupPlan(0, 4, strip=2), GroupPlan(4, 8), GroupPlan(8, 16, streamed=True))
    assert cut_groups(groups, 2, 8) == (GroupPlan(2, 4, strip=2), GroupPlan(4, 8))
    assert cut_groups(groups, 9, 12) == (GroupPlan(9, 12, streamed=True),)
