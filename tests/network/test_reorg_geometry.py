"""Reorg's axes against Darknet's own loop: every element read lies where the axes say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ftdist.geometry import Shape, Span
from ftdist.network.operators.resampling import Reorg


def darknet_reorg(x: list[int], w: int, h: int, c: int, stride: int) -> list[int]:
    """reorg_cpu of Darknet with forward = 0, called with the input's size, word for word."""
    out = [0] * len(x)
    out_c = c // (stride * stride)
    for k in range(c):
        for j in range(h):
            for i in range(w):
                in_index = i + w * (j + h * k)
                c2 = k % out_c
                offset = k // out_c
                w2 = i * stride + offset % stride
                h2 = j * stride + offset // stride
                out_index = w2 + w * stride * (h2 + h * stride * c2)
                out[in_index] = x[out_index]
    return out


def sources(stride: int, height: int, width: int, blocks: int) -> tuple[Shape, np.ndarray]:
    """The input's shape, and the flat input index of each output element (channel, row, column)."""
    source = Shape(height * stride, width * stride, blocks * stride * stride)
    flat = darknet_reorg(
        list(range(source.elements)), source.width, source.height, source.channels, stride
    )
    return source, np.array(flat).reshape(source.channels * stride * stride, height, width)


SIZES = (st.sampled_from([2, 3]), st.integers(1, 7), st.integers(1, 5), st.integers(1, 2))


@settings(max_examples=60)
@given(*SIZES)
@example(2, 4, 3, 1)
@example(2, 5, 3, 1)
@example(3, 6, 4, 1)
@example(3, 4, 2, 1)
def test_axes_cover_what_darknet_reads(stride, height, width, blocks) -> None:
    source, read = sources(stride, height, width, blocks)
    reorg = Reorg(stride, "darknet")
    assert reorg.output_shape((source,)) == (height, width, len(read))
    assert len(np.unique(read)) == source.elements, "a permutation"
    rows = read // source.width % source.height
    columns = read % source.width
    for y in range(height):
        needed = reorg.axes((source,))[0].rows.receptive(Span(y, y + 1)).clipped(source.height)
        assert needed.start <= rows[:, y].min()
        assert rows[:, y].max() < needed.stop
    for x in range(width):
        needed = reorg.axes((source,))[0].columns.receptive(Span(x, x + 1))
        assert needed == (columns[:, :, x].min(), columns[:, :, x].max() + 1), "and no more"


@settings(max_examples=60)
@given(*SIZES, st.data())
def test_a_span_covers_its_positions(stride, height, width, blocks, data) -> None:
    """Tiles ask for several rows at once: their span must cover what each row alone reads."""
    source = Shape(height * stride, width * stride, blocks * stride * stride)
    rows = Reorg(stride, "darknet").axes((source,))[0].rows
    start = data.draw(st.integers(0, height - 1))
    stop = data.draw(st.integers(start + 1, height))
    whole = rows.receptive(Span(start, stop))
    for y in range(start, stop):
        alone = rows.receptive(Span(y, y + 1))
        assert whole.start <= alone.start
        assert alone.stop <= whole.stop


@pytest.mark.parametrize(("stride", "height"), [(2, 4), (2, 6), (3, 6)])
def test_blocks_around_are_really_read(stride, height) -> None:
    """The margin is not generous: some row reads stride - 1 blocks above, some as far below."""
    source, read = sources(stride, height, 3, 1)
    first_block = read // source.width % source.height // stride
    distance = first_block - np.arange(height)[None, :, None]
    assert (distance.min(), distance.max()) == (1 - stride, stride - 1)


@pytest.mark.parametrize("height", [3, 5, 19])
def test_an_odd_height_reads_far_away(height) -> None:
    """YOLOv2 at 608x608 is such a case: 38 rows become 19, and 19 is odd."""
    source, read = sources(2, height, 2, 1)
    rows = read // source.width % source.height
    reach = np.ptp(rows, axis=(0, 2)).max()
    assert reach > source.height - 4
    whole = Reorg(2, "darknet").axes((source,))[0].rows.receptive(Span(0, 1))
    assert whole == Span(0, source.height)
