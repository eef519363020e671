"""Which windows a pool takes, against brute force over every tap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.geometry import Shape, Window
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Pool

windows = st.builds(
    Window,
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 6),
    pad_before=st.integers(0, 8),
    pad_after=st.integers(0, 8),
)


def sees_the_map(axis: Window, size: int) -> bool:
    """Whether every window has a tap on the map."""
    tops = [n * axis.stride - axis.pad_before for n in range(axis.output_size(size))]
    taps = [[top + k * axis.dilation for k in range(axis.kernel)] for top in tops]
    return all(any(0 <= tap < size for tap in each) for each in taps)


@given(windows, st.integers(1, 9))
def test_a_pool_takes_windows_that_all_see_the_map_and_no_others(axis, size) -> None:
    pool = Pool("average", Sliding(axis, Window(1)))
    try:
        shape = pool.output_shape((Shape(size, 1, 1),))
    except InputError:
        assert axis.output_size(size) < 1 or not sees_the_map(axis, size)
    else:
        assert shape.height == axis.output_size(size)
        assert sees_the_map(axis, size)


@given(windows, windows, st.integers(1, 9), st.integers(1, 9))
def test_a_window_covers_a_map_where_it_reads_each_position_and_nothing_else(
    vertical: Window, horizontal: Window, height: int, width: int
) -> None:
    reads = []
    for axis, size in ((vertical, height), (horizontal, width)):
        tops = [n * axis.stride - axis.pad_before for n in range(axis.output_size(size))]
        reads.append([range(top, top + axis.extent) for top in tops])
    whole = reads == [[range(height)], [range(width)]]
    covers = Sliding(vertical, horizontal).covers(Shape(height, width, 3))
    assert covers == (whole and height * width > 1)
