"""Strips: the worked example, and what holds for every pass of every tile of random groups."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from support.networks import cut_networks
from support.oracles.dependencies import reads_without_gaps, rows_read
from support.planning.stripviews import passes

from ftdist.geometry import (
    Between,
    Blocks,
    Hull,
    Repeat,
    Sampled,
    Shifted,
    Span,
    Spread,
    Whole,
    Window,
)
from ftdist.network import architectures
from ftdist.network.graph import INPUT
from ftdist.planning.group import FusedGroup

LAYERS = (7, 6, 5, 4, 3, 2, 1, 0, INPUT)
REACHES = {
    2: (2, 4, 5, 5, 6, 12, 13, 26, 27),
    4: (4, 8, 9, 9, 10, 20, 21, 42, 43),
    6: (6, 12, 13, 13, 14, 28, 29, 58, 59),
}
"""The worked example of DESIGN.md: rows that must exist for so many rows of layer 7."""


@pytest.fixture(scope="module")
def yolov2_passes():
    group = FusedGroup(architectures.load("yolov2").network, 0, 8)
    return passes(group, 1, 0, 2)


def pass_reaching(found, target):
    return next(each for each in found if each.held[7].stop == target)


@pytest.mark.parametrize("target", REACHES)
def test_yolov2_reaches(yolov2_passes, target) -> None:
    held = pass_reaching(yolov2_passes, target).held
    assert tuple(held[layer].stop for layer in LAYERS) == REACHES[target]


def test_yolov2_makes_its_steady_share_in_every_pass(yolov2_passes) -> None:
    shares = dict(zip(LAYERS, (2, 4, 4, 4, 4, 8, 8, 16, 16), strict=True))
    assert pass_reaching(yolov2_passes, 4).new == {
        layer: Span(stop - shares[layer], stop)
        for layer, stop in zip(LAYERS, REACHES[4], strict=True)
    }
    for each in yolov2_passes:
        for layer, new in each.new.items():
            assert new.size <= shares[layer], "the first passes only warm the line buffers up"


def test_yolov2_keeps_two_rows_of_what_3x3_windows_read(yolov2_passes) -> None:
    for target in (4, 6):
        this = pass_reaching(yolov2_passes, target)
        kept = {layer: this.kept(layer).size for layer in LAYERS}
        assert kept == {layer: 2 if layer in (INPUT, 1, 3, 5) else 0 for layer in LAYERS}


def tile_passes(case):
    """(group, its plan, needed rows of a tile, the tile's passes) for all rows of tiles."""
    network, plan = case
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        for index in range(each.rows) if group.members else ():
            tile = group.needed_rows(group.row_shares(each.rows, index))
            yield group, each, tile, passes(group, each.rows, index, each.strip)


@settings(max_examples=60)
@given(cut_networks())
def test_every_pass_makes_the_rows_after_those_of_the_pass_before(case) -> None:
    for _, _, tile, found in tile_passes(case):
        done = {source: span.start for source, span in tile.items()}
        for this in found:
            assert this.new.keys() == this.held.keys() == tile.keys()
            assert any(new.size for new in this.new.values()), "no pass is idle"
            for source, new in this.new.items():
                assert new.start == done[source], "no row twice, none left out"
                assert new.start <= new.stop <= tile[source].stop
                done[source] = new.stop


@settings(max_examples=60)
@given(cut_networks())
def test_all_rows_of_the_shares_are_made(case) -> None:
    network, plan = case
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        for output in group.outputs:
            made = [
                row
                for index in range(each.rows)
                for this in passes(group, each.rows, index, each.strip)
                for row in range(*this.new[output])
            ]
            assert set(made) == set(range(network.shape(output).height))


@settings(max_examples=60)
@given(cut_networks())
def test_every_row_is_held_in_the_pass_that_reads_it(case) -> None:
    for group, _, _, found in tile_passes(case):
        network = group.network
        for this in found:
            for reader in group.members:
                for source in dict.fromkeys(network.reads(reader)):
                    held = set(range(*this.held[source]))
                    for row in range(*this.new[reader]):
                        assert rows_read(network, reader, source, row) <= held


@settings(max_examples=60)
@given(cut_networks())
def test_kept_rows_were_held_in_the_pass_before(case) -> None:
    for _, _, _, found in tile_passes(case):
        before = None
        for this in found:
            for source, held in this.held.items():
                assert held.stop == this.new[source].stop
                kept = set(range(*this.kept(source)))
                assert kept <= (set(range(*before.held[source])) if before else set())
            before = this


@settings(max_examples=60)
@given(cut_networks())
def test_rows_are_kept_from_the_first_that_is_still_read(case) -> None:
    for group, _, tile, found in tile_passes(case):
        network = group.network
        for this in found:
            for source in tile:
                readers = group.readers[source]
                if not all(reads_without_gaps(network, reader) for reader in readers):
                    continue
                still_read = {
                    row
                    for reader in readers
                    for unmade in range(this.new[reader].start, tile[reader].stop)
                    for row in rows_read(network, reader, source, unmade)
                }
                kept = this.kept(source)
                assert not kept.size or kept.start in still_read


def steady_share(axis, share):
    """The most rows that `share` more output rows can add to what an axis reads."""
    match axis:
        case Window(stride=stride) | Blocks(stride=stride):
            return share * stride
        case Repeat(scale=step) | Sampled(step=step):
            return -(-share // step)
        case Spread(window=window):
            return -(-share // window.stride)
        case Between(multiplier=multiplier, divisor=divisor):
            return -(-share * multiplier // divisor)
        case Shifted():
            return share
        case Hull(one=one, other=other):
            return max(steady_share(one, share), steady_share(other, share))
        case Whole(size=size):
            return size


@settings(max_examples=60)
@given(cut_networks())
def test_no_pass_makes_more_than_the_steady_share(case) -> None:
    """A strip of s rows costs each layer what s output rows add, in the first passes too.

    Outputs at other scales advance in proportion; the last pass of such a tile rounds them up.
    """
    for group, plan, tile, found in tile_passes(case):
        *others, last = group.outputs
        if plan.strip is None or plan.strip >= tile[last].size:
            continue
        height = {output: group.network.shape(output).height for output in group.outputs}
        shares = {other: -(-plan.strip * height[other] // height[last]) for other in others}
        shares[last] = plan.strip
        for source in reversed(tile):
            for reader in group.readers[source]:
                added = steady_share(group.rows(reader, source), shares[reader])
                shares[source] = max(shares.get(source, 0), added)
        for this in found[:-1] if others else found:
            for source, new in this.new.items():
                assert new.size <= shares[source]


@settings(max_examples=50)
@given(cut_networks())
def test_a_strip_as_high_as_the_tile_is_one_pass(case) -> None:
    for group, plan, tile, found in tile_passes(case):
        if plan.strip is None:
            assert len(found) == 1
            assert found[0].held == found[0].new
            assert all(found[0].new[output] == tile[output] for output in group.outputs)
