"""Parts: what they read and make, by hand, by a walk over elements, and by what programs touch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import networks
from support.oracles.dependencies import columns_read, reads_without_gaps, rows_read
from support.oracles.tracing import Trace
from support.parts import Stages, stages
from support.planning.groups import needed_by_walk, small_detector

from ftdist.errors import InputError
from ftdist.geometry import Region, Shape
from ftdist.network import architectures
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.group import FusedGroup, whole_map
from ftdist.planning.lowering.kernel_tables import MapLayout, OutsideMap
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.regions import region_bytes, region_needs
from ftdist.planning.plan import GroupPlan, Plan, parse_notation
from ftdist.planning.weights import unplaced


@pytest.fixture(scope="module")
def yolov2() -> Network:
    return architectures.load("yolov2-first16").network


def lowered(network: Network, part: Plan, *, picture: bool = False) -> Lowered:
    blobs = unplaced(network)
    return lower(network, part, blobs, picture=picture)


def test_a_part_reads_what_windows_reach(yolov2: Network) -> None:
    """The worked example of DESIGN.md, rows 2 to 4 of layer 7: it ends at row 43 of the input."""
    inputs, outputs = region_needs(yolov2, 0, 8, Region(2, 4, 0, 76))
    assert inputs == {INPUT: Region(5, 43, 0, 608)}
    assert outputs == {7: Region(2, 4, 0, 76)}
    inputs, _ = region_needs(yolov2, 4, 8, Region(0, 2, 74, 76))
    assert inputs == {3: Region(0, 6, 146, 152)}


def test_other_outputs_are_shared_in_proportion() -> None:
    network = small_detector()
    _, outputs = region_needs(network, 0, 12, Region(2, 7, 3, 8))
    assert outputs == {3: Region(1, 3, 1, 4), 8: Region(2, 7, 3, 8), 11: Region(2, 7, 3, 8)}


def test_what_nobody_wants_is_not_made() -> None:
    """Layers 1 and 2 lead to a map of half the size, in which row 2 of layer 3 has no share."""
    builder = NetworkBuilder("two scales", Shape(8, 8, 4))
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Pool("max", Sliding.square(2, 2)), [0])
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [1])
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [0])
    network = builder.finish()
    for groups in (
        (GroupPlan(0, 4, 2, 2, 1),),
        (GroupPlan(0, 1), GroupPlan(1, 3), GroupPlan(3, 4)),
    ):
        found = lowered(network, Plan(groups, region=Region(2, 3, 0, 8)))
        assert found.outputs == {2: Region(1, 1, 0, 4), 3: Region(2, 3, 0, 8)}
        assert found.inputs == {INPUT: Region(0, 5, 0, 8)}
        assert {each for program in found.programs for each in program.made_by} == {INPUT, 0, 3}
    inputs, _ = region_needs(network, 2, 4, Region(2, 3, 0, 8))
    assert inputs == {0: Region(1, 4, 0, 8), 1: Region(0, 0, 0, 0)}
    found = lowered(network, Plan(groups, region=Region(3, 4, 0, 8)))
    assert found.outputs[2] == Region(1, 2, 0, 4)
    assert {each for program in found.programs for each in program.made_by} == {INPUT, *range(4)}


def test_an_empty_share_still_is_made_as_far_as_others_read_it() -> None:
    network = small_detector()
    _, outputs = region_needs(network, 2, 12, Region(2, 3, 0, 8))
    assert outputs[3].size == 0
    group = FusedGroup(network, 2, 12, outputs)
    assert group.outputs == (8, 11) and 3 in group.members
    without = FusedGroup(network, 2, 12, {3: outputs[3], 11: outputs[11]})
    assert (without.members, without.inputs) == ((10, 11), (INPUT, 0))


@settings(max_examples=60)
@given(networks(), st.data())
def test_parts_of_a_stage_partition_all_its_outputs(network: Network, data: Any) -> None:
    for parts in data.draw(stages(network)):
        outputs = FusedGroup(network, parts[0].first, parts[0].stop).outputs
        times = {output: np.zeros(network.shape(output)[:2], int) for output in outputs}
        for part in parts:
            for output, share in region_needs(network, part.first, part.stop, part.region)[
                1
            ].items():
                times[output][share.top : share.bottom, share.left : share.right] += 1
        assert all((each == 1).all() for each in times.values())


@settings(max_examples=80)
@given(networks(), st.data())
def test_needs_are_what_elements_read(network: Network, data: Any) -> None:
    for parts in data.draw(stages(network)):
        part = data.draw(st.sampled_from(parts))
        inputs, outputs = region_needs(network, part.first, part.stop, part.region)
        whole = FusedGroup(network, part.first, part.stop)
        assert (tuple(inputs), tuple(outputs)) == (whole.inputs, whole.outputs)
        group = FusedGroup(network, part.first, part.stop, outputs)
        shares = {output: outputs[output] for output in group.outputs}
        rows = {output: share.rows for output, share in shares.items()}
        columns = {output: share.columns for output, share in shares.items()}
        down, exactly = needed_by_walk(group, rows, 0, rows_read)
        across, _ = needed_by_walk(group, columns, 1, columns_read)
        for source, region in inputs.items():
            if source not in group.inputs:
                assert region.size == 0
                continue
            width = network.shape(source).width
            assert down[source] <= set(range(*region.rows))
            assert {each for each in across[source] if 0 <= each < width} <= set(
                range(*region.columns)
            )
            if exactly[source]:
                assert (min(down[source]), max(down[source]) + 1) == region.rows


def outside(network: Network, part: Lowered) -> dict[int, OutsideMap]:
    """All maps that a part's programs address, as the runner lays them out."""
    regions = {**part.outputs, **part.map_regions, **part.inputs}
    for program in part.programs:
        for source in program.maps:
            regions.setdefault(source, Region(0, 0, 0, 0))
    found = {s: OutsideMap(MapLayout.INTERLEAVED, region) for s, region in regions.items()}
    if part.picture and INPUT in part.inputs:
        found[INPUT] = OutsideMap(MapLayout.PICTURE, part.inputs[INPUT])
    return found


@st.composite
def cut_up(draw: Any) -> tuple[Network, Stages]:
    network = draw(networks())
    return network, draw(stages(network))


def places(mask: np.ndarray) -> Region:
    """The smallest region with all that is set in a mask (rows, columns)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Region(rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)


@settings(max_examples=60)
@given(cut_up(), st.booleans())
def test_programs_of_parts_read_what_is_there_and_make_all_that_is_wanted(
    case: tuple[Network, Stages], picture: bool
) -> None:
    """Memory holds just the regions: a read or a write beside them would be seen."""
    network, cut = case
    for part in (lowered(network, part, picture=picture) for parts in cut for part in parts):
        maps = outside(network, part)
        loaded = {
            source: np.zeros((region.rows.size, region.columns.size), bool)
            for source, region in part.inputs.items()
        }
        for program in part.programs:
            trace = Trace(network, program, maps)
            for output in program.outputs:
                np.testing.assert_array_equal(trace.maps[output], trace.stored(output).ravel())
                assert (trace.stores[output] == 1).all()
            for source in (each for each in program.inputs if each in loaded):
                channels = network.shape(source).channels
                here = trace.loads[source].reshape(*loaded[source].shape, channels)
                loaded[source] |= here.any(axis=2)
        members = {layer for program in part.programs for layer in program.made_by}
        if all(reads_without_gaps(network, each) for each in members if each != INPUT):
            for mask in loaded.values():
                assert mask.any() or not mask.size
                if mask.size:
                    assert places(mask) == Region(0, mask.shape[0], 0, mask.shape[1])


@settings(max_examples=40)
@given(cut_up())
def test_each_group_makes_just_what_later_ones_need(case: tuple[Network, Stages]) -> None:
    network, cut = case
    for part in (lowered(network, part) for parts in cut for part in parts):
        for source, region in part.map_regions.items():
            wanted = part.outputs.get(source, Region(0, 0, 0, 0))
            for plan in part.plan.groups:
                frame = {**part.outputs, **part.map_regions}
                frame = {s: r for s, r in frame.items() if plan.first <= s < plan.stop}
                group = FusedGroup(network, plan.first, plan.stop, frame)
                if source in group.inputs:
                    wanted = wanted.hull(group.needed((source,))[source])
            assert wanted == region != part.outputs.get(source)


@pytest.mark.parametrize("notation", ["1x1", "5x5/8/2x2", "1x1s4/4/2x1s16/8/1x2s8/12/1x1w"])
def test_the_part_of_everything_is_the_plan(yolov2: Network, notation: str) -> None:
    blobs = unplaced(yolov2)
    plan = parse_notation(notation, yolov2, threads=2)
    expected = lower(yolov2, plan, blobs, picture=True)
    found = lowered(yolov2, Plan(plan.groups, 2, region=Region(0, 38, 0, 38)), picture=True)
    assert found.maps == expected.maps and found.map_regions == expected.map_regions
    for mine, whole in zip(found.programs[:-1], expected.programs[:-1], strict=True):
        for one, other in zip(
            (*mine.kernels, *mine.calls), (*whole.kernels, *whole.calls), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert found.inputs == {INPUT: whole_map(yolov2, INPUT)}
    assert found.outputs == {15: whole_map(yolov2, 15)}
    assert region_bytes(yolov2, found.inputs, picture=True) == 608 * 608 * 3


def test_grids_cut_what_the_part_needs_and_no_finer_than_it_is(yolov2: Network) -> None:
    groups = GroupPlan(0, 12, 3, 2), GroupPlan(12, 16, 9, 9)
    found = lowered(yolov2, Plan(groups, 4, region=Region(30, 32, 0, 5)))
    first, second = found.programs
    assert (len(first.calls), len(first.kernels)) == (3, 2)
    assert (len(second.calls), len(second.kernels)) == (2, 5)
    assert found.map_regions == {11: Region(28, 34, 0, 7)}
    assert [len(each) for each in found.arenas] == [4, 4]


def test_strips_of_a_part_hold_as_little_as_those_of_the_whole(yolov2: Network) -> None:
    """A strip costs each layer the rows that it adds, wherever the part begins."""

    def arena_bytes(strip: int | None, top: int, bottom: int) -> int:
        groups = (GroupPlan(0, 8, 1, 1, strip),)
        return (
            lowered(yolov2, Plan(groups, region=Region(top, bottom, 0, 76))).programs[0].arena_bytes
        )

    assert arena_bytes(2, 0, 76) == arena_bytes(2, 31, 59) < arena_bytes(4, 31, 59)
    assert arena_bytes(9, 40, 49) == arena_bytes(None, 40, 49) == arena_bytes(60, 40, 49)
    one_pass = lowered(yolov2, Plan((GroupPlan(0, 8, 1, 1, 9),), region=Region(40, 49, 0, 76)))
    untiled = lowered(yolov2, Plan((GroupPlan(0, 8),), region=Region(40, 49, 0, 76)))
    np.testing.assert_array_equal(one_pass.programs[0].calls, untiled.programs[0].calls)


@pytest.mark.parametrize(
    ("groups", "region", "threads", "message"),
    [
        (((0, 4), (5, 16)), (0, 1, 0, 1), 1, "not consecutive layers of 0..15"),
        (((0, 4), (4, 17)), (0, 1, 0, 1), 1, "not consecutive layers"),
        (((4, 4),), (0, 1, 0, 1), 1, "not consecutive layers"),
        (((4, 2), (2, 5)), (0, 1, 0, 1), 1, "not consecutive layers"),
        (((-1, 4),), (0, 1, 0, 1), 1, "from layer -1"),
        (((0, 4),), (0, 1, 0, 1), 0, "for 0 threads"),
        (((0, 4, 0, 1),), (0, 1, 0, 1), 1, "grid 0x1"),
        (((0, 4, 1, -1),), (0, 1, 0, 1), 1, "grid 1x-1"),
        (((0, 4, 1, 1, 0),), (0, 1, 0, 1), 1, "grid 1x1s0"),
        (((0, 16),), (0, 39, 0, 1), 1, "of a map of 38x38x256"),
        (((0, 16),), (0, 1, 0, 39), 1, "of a map"),
        (((0, 16),), (-1, 1, 0, 1), 1, "of a map"),
        (((0, 16),), (1, 1, 0, 1), 1, "of a map"),
        (((0, 16),), (2, 1, 0, 1), 1, "of a map"),
    ],
)
def test_parts_that_the_network_does_not_have_are_refused(
    yolov2: Network, groups: Any, region: Any, threads: int, message: str
) -> None:
    part = Plan(tuple(GroupPlan(*each) for each in groups), threads, region=Region(*region))
    with pytest.raises(InputError, match=message):
        lowered(yolov2, part)


def test_layers_that_make_nothing_are_no_part() -> None:
    network = small_detector()
    assert region_needs(network, 4, 6, Region(0, 1, 0, 1)) == ({}, {})
    with pytest.raises(InputError, match=r"layers 4\.\.5 make no map"):
        lowered(network, Plan((GroupPlan(4, 6),), region=Region(0, 1, 0, 1)))
