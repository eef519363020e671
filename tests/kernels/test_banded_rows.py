"""A convolution goes through a large map in bands of rows, which give the bits of single rows."""

from __future__ import annotations

import numpy as np
import pytest

from ftdist.kernels import native
from ftdist.runtime.measuring.kernelbench import KernelBench


def written(filters: int, window: int, strips: int | None) -> np.ndarray:
    """The output of a convolution of 29 rows of 90 pixels, 40 channels, in calls of `strips` rows;
    all of it in one call without."""
    rows, columns, channels, pad = 29, 90, 40, window // 2
    bench = KernelBench("convolution", rows, columns, channels, filters, window)
    rng = np.random.default_rng(1)
    source = (rows + 2 * pad) * (columns + 2 * pad) * channels
    floats = bench.arena.view(np.float32)
    floats[:source] = rng.standard_normal(source)
    floats[source:] = np.nan
    bench.weights.view(np.float32)[:] = rng.standard_normal(bench.weights.nbytes // 4)
    if strips is not None:
        bench.in_strips(strips)
    native.run(bench.program, bench.arena, bench.weights, bench.maps, bench.counters)
    return floats[source : source + rows * columns * filters].copy()


@pytest.mark.parametrize(("filters", "window"), [(48, 1), (100, 1), (40, 3)])
def test_bands_of_a_large_map_have_the_bits_of_its_rows(filters: int, window: int) -> None:
    whole, single = written(filters, window, None), written(filters, window, 1)
    assert np.isfinite(single).all()
    assert np.array_equal(whole, single)
