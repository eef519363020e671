"""Spans and axes, against brute force over single positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.geometry import (
    SAME,
    Anchored,
    Axes,
    Blocks,
    Hull,
    Repeat,
    Sampled,
    Shape,
    Shifted,
    Span,
    Whole,
    Window,
    partition,
)

small = st.integers(-6, 12)
spans = st.builds(Span, small, small)
windows = st.builds(
    Window,
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    pad_before=st.integers(0, 4),
    pad_after=st.integers(0, 4),
)
repeats = st.builds(Repeat, st.integers(1, 4))
blocks = st.builds(Blocks, st.integers(1, 4), st.integers(0, 3))
wholes = st.builds(Whole, st.integers(1, 9))


@given(st.data(), st.integers(1, 60))
def test_partition_covers_exactly_with_sizes_that_differ_by_at_most_one(data, size) -> None:
    parts = data.draw(st.integers(1, size))
    cut = partition(size, parts)
    assert [p for span in cut for p in range(span.start, span.stop)] == list(range(size))
    sizes = {span.size for span in cut}
    assert len(cut) == parts
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("size", "parts"), [(5, 0), (5, 6), (0, 1), (5, -1)])
def test_partition_refuses_empty_parts(size, parts) -> None:
    with pytest.raises(ValueError, match="cannot cut"):
        partition(size, parts)


@given(spans, st.integers(0, 10))
def test_clipped_is_the_part_on_the_map(span, size) -> None:
    on_map = [p for p in range(span.start, span.stop) if 0 <= p < size]
    clipped = span.clipped(size)
    assert list(range(*clipped)) == on_map
    assert 0 <= clipped.start <= clipped.stop <= size


@given(spans, spans)
def test_hull_is_the_smallest_cover_and_an_empty_span_covers_nothing(a, b) -> None:
    covered = [*range(*a), *range(*b)]
    hull = a.hull(b)
    assert hull.size == (max(covered) + 1 - min(covered) if covered else 0)
    if covered:
        assert hull == (min(covered), max(covered) + 1)


def taps(window: Window, position: int) -> list[int]:
    """The unclipped input positions that one output position reads."""
    first = position * window.stride - window.pad_before
    return [first + tap * window.dilation for tap in range(window.kernel)]


@given(windows, st.integers(-5, 9), st.integers(1, 6))
def test_a_window_spans_its_first_to_its_last_tap(window, start, size) -> None:
    read = [tap for y in range(start, start + size) for tap in taps(window, y)]
    assert window.receptive(Span(start, start + size)) == (min(read), max(read) + 1)


@given(windows, st.integers(1, 20))
def test_a_window_makes_every_position_whose_taps_fit_the_padded_map(window, size) -> None:
    padded = range(-window.pad_before, size + window.pad_after)
    fitting = [y for y in range(40) if all(tap in padded for tap in taps(window, y))]
    assert max(0, window.output_size(size)) == len(fitting)


@given(repeats, st.integers(-8, 12), st.integers(1, 6))
def test_a_repeat_reads_the_positions_it_copies(axis, start, size) -> None:
    read = {y // axis.scale for y in range(start, start + size)}
    assert axis.receptive(Span(start, start + size)) == (min(read), max(read) + 1)


@given(blocks, st.integers(-8, 12), st.integers(1, 6))
def test_blocks_read_their_own_inputs_and_a_margin_of_blocks(axis, start, size) -> None:
    around = range(start - axis.margin, start + size + axis.margin)
    read = [y * axis.stride + offset for y in around for offset in range(axis.stride)]
    assert axis.receptive(Span(start, start + size)) == (min(read), max(read) + 1)


@given(wholes, st.integers(0, 9), st.integers(1, 6))
def test_whole_reads_everything(axis, start, size) -> None:
    assert axis.receptive(Span(start, start + size)) == (0, axis.size)


@given(wholes, st.integers(-9, 0))
def test_whole_reads_nothing_on_the_map_for_positions_before_it(axis, stop) -> None:
    assert axis.receptive(Span(stop - 1, stop)).clipped(axis.size).size == 0


@given(windows | repeats | blocks | wholes, spans, st.integers(0, 5), st.integers(0, 5))
def test_both_ends_never_decrease_below_zero_either(axis, span, later_start, later_stop) -> None:
    receptive = axis.receptive(span)
    later = axis.receptive(Span(span.start + later_start, span.stop + later_stop))
    assert receptive.start <= later.start
    assert receptive.stop <= later.stop


@given(windows | repeats | blocks | wholes)
def test_targets_far_before_the_map_need_nothing_of_it(axis) -> None:
    """Strips search downward for a target that needs nothing; without this they would not end."""
    assert axis.receptive(Span(-1001, -1000)).stop < -100


@given(spans)
def test_same_reads_the_same_positions(span) -> None:
    assert SAME.receptive(span) == span


@pytest.mark.parametrize(
    "bad",
    [
        {"kernel": 0},
        {"kernel": 3, "stride": 0},
        {"kernel": 3, "dilation": 0},
        {"kernel": 3, "pad_before": -1},
        {"kernel": 3, "pad_after": -1},
    ],
)
def test_a_window_that_cannot_be_is_refused(bad) -> None:
    with pytest.raises(InputError, match="window"):
        Window(**bad)


def test_a_shape_counts_float32() -> None:
    assert Shape(2, 3, 5).elements == 30
    assert Shape(2, 3, 5).bytes == 120
    assert str(Shape(2, 3, 5)) == "2x3x5"


shifts = st.builds(Shifted, st.integers(0, 9))
sampled = st.builds(Sampled, st.integers(1, 4), st.integers(1, 9))
anchored = st.builds(Anchored, windows, st.integers(1, 6))
axes = windows | anchored | repeats | blocks | wholes | shifts | sampled


@given(windows, st.integers(1, 6), spans)
def test_an_anchored_window_reads_what_the_blocks_read_that_have_any_of_the_output(
    window, block, span
) -> None:
    read = Anchored(window, block).receptive(span)
    if span.size > 0:
        blocks = sorted({position // block for position in range(*span)})
        both = Span(blocks[0] * block, (blocks[-1] + 1) * block)
        assert read == window.receptive(both)


@given(axes, axes, spans)
def test_a_map_that_is_read_in_two_ways_is_read_as_far_as_either_reads(one, other, span) -> None:
    read, a, b = Hull(one, other).receptive(span), one.receptive(span), other.receptive(span)
    assert read == Span(min(a.start, b.start), max(a.stop, b.stop))


def by_terms(axis, span):
    """What an axis reads, by its numbers."""
    read = []
    for term in axis.terms():
        start = (term.multiplier * span.start + term.before) // term.divisor
        stop = (term.multiplier * span.stop + term.after) // term.divisor
        start, stop = term.unit * start + term.first, term.unit * stop + term.last
        if term.whole:
            start, stop = 0, term.whole if span.stop > 0 else span.stop * term.whole
        read.append(Span(start, stop))
    return Span(min(each.start for each in read), max(each.stop for each in read))


@given(axes | st.builds(Hull, axes, axes), spans)
def test_the_terms_of_an_axis_say_the_same(axis, span) -> None:
    assert by_terms(axis, span) == axis.receptive(span)


@given(axes | st.builds(Hull, axes, axes), st.lists(spans, min_size=1))
def test_terms_say_of_many_spans_at_a_time_what_an_axis_says_of_each(axis, several) -> None:
    starts, stops = np.array(several, np.int32).T
    terms = axis.terms()
    read = (
        np.min([each.start(starts) for each in terms], axis=0),
        np.max([each.stop(stops) for each in terms], axis=0),
    )
    assert [*zip(*map(np.ndarray.tolist, read), strict=True)] == [*map(axis.receptive, several)]


@given(
    st.builds(
        Window,
        st.integers(1, 5),
        st.integers(1, 4),
        st.integers(1, 3),
        st.integers(0, 6),
        st.integers(0, 6),
    ),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=1),
    st.integers(1, 12),
)
def test_columns_that_are_stored_are_those_read_and_one_on_the_map(
    window: Window, padded: bool, made: list[tuple[int, int]], width: int
) -> None:
    """The same for arrays as for numbers; what nobody pads is what is read."""
    axes = Axes(window, window, padded)
    starts = np.array([start for start, _ in made])
    stops = np.array([start + size for start, size in made])
    together = axes.stored_columns(Span(starts, stops), width)  # type: ignore[arg-type]
    for number, (start, size) in enumerate(made):
        span = Span(start, start + size)
        stored, read = axes.stored_columns(span, width), axes.columns.receptive(span)
        assert stored == (np.ravel(together.start)[number], np.ravel(together.stop)[number])
        if not padded:
            assert stored == read
        else:
            assert stored == read.hull(Span(*stored)) and Span(*stored).clipped(width).size >= 1
            beside = min(max(read.start, 0), width - 1)
            assert stored == read.hull(Span(beside, beside + 1))
