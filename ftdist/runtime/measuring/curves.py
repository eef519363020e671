"""What lies beyond the caches: seconds for each byte of maps and of weights, by the working set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ftdist.runtime.measuring.kernelbench import KernelBench
from ftdist.runtime.measuring.stopwatch import Stopwatch

_MIB = 1 << 20
WORKING_SETS = tuple(int(size * _MIB) for size in (0.5, 2, 6, 16, 40, 96))
"""Bytes at which costs beyond the caches are measured."""

_STRIP = 4
"""Rows of a strip: of higher ones a kernel reads again for each block of outputs what has left the
caches since."""

Curve = tuple[tuple[float, float], ...]


def traffic_curve(watch: Stopwatch, sizes: tuple[int, ...]) -> Curve:
    """Seconds a byte of maps costs beside the arithmetic of a 1x1 convolution in low strips: a byte
    that is made, which a cache fetches first, or that is read.

    Of one with more arithmetic a byte, the difference between working sets is lost in noise.
    """
    row_bytes = 4 * 152 * (32 + 64)

    def bench(size: int) -> tuple[KernelBench, int]:
        rows = max(1, size // row_bytes // _STRIP) * _STRIP
        made = KernelBench("convolution", rows, 152, 32, 64)
        made.in_strips(_STRIP)
        return made, rows * row_bytes

    return _curve(watch, "maps beyond the caches", sizes, bench)


def weights_curve(watch: Stopwatch, sizes: tuple[int, ...]) -> Curve:
    """Seconds a byte of weights costs when it is read for one row of pixels."""

    def bench(size: int) -> tuple[KernelBench, int]:
        filters = max(32, size // (4 * 1152) // 32 * 32)
        made = KernelBench("convolution", 1, 36, 128, filters, 3)
        return made, made.weight_bytes

    return _curve(watch, "weights beyond the caches", sizes, bench)


def _curve(
    watch: Stopwatch,
    name: str,
    sizes: tuple[int, ...],
    make: Callable[[int], tuple[KernelBench, int]],
) -> Curve:
    """By size the seconds a byte costs more than where all lies in the caches.

    Without dips: noise must not make a larger working set look cheaper. Sizes for which no time is
    left are missing.
    """
    costs: list[float] = []
    for size in sizes:
        if costs and watch.is_late:
            break
        bench, moved = make(size)
        costs.append(watch.seconds(name, bench) / moved)
        del bench  # one at a time is in memory
    more = np.maximum.accumulate([max(0.0, cost - costs[0]) for cost in costs])
    return tuple((float(size), float(cost)) for size, cost in zip(sizes, more, strict=False))
