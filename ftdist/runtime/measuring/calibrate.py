"""Measures this machine: the rates that the cost model multiplies, each by the kernel it is about.

A careful measurement takes seconds and tries the disk; a quick one takes a part of a second and no
more memory than there is room for. What that leaves out is as the shipped profile says. Costs that
lie beside the arithmetic (traffic, weights that are read again) are differences: the same kernel on
data that the caches hold and on data that they do not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ftdist.kernels import native
from ftdist.planning.profile import DEFAULT, VERSION, DeviceProfile
from ftdist.runtime.measuring.curves import WORKING_SETS, traffic_curve, weights_curve
from ftdist.runtime.measuring.files import disk_rate, page_cache_costs, working_file
from ftdist.runtime.measuring.kernelbench import KernelBench, WinogradBench, pixel_bench
from ftdist.runtime.measuring.stopwatch import Stopwatch
from ftdist.runtime.measuring.teams import call_s, group_s, slowdown

_MIB = 1 << 20
_WINOGRAD_SHAPES = (128, 32, 32), (128, 64, 128), (64, 128, 256)
"""Columns, channels and filters of convolutions by which Winograd's transforms are measured: full
batches of blocks."""

_HEAVY_SHAPE = 16, 256, 256
"""That of a convolution by which its transforming of weights is measured, as they are where there
are many of them: they come from beyond the second cache, and what is made of them fills it."""

_FILE_MIB = 64

_QUICK_S, _BUSY_S = 0.4, 1.0
"""Seconds of the processor after which a quick measurement makes haste, and of the clock: where
other programs run too it waits for them."""

_QUICK_FILE_MIB = 4
_QUICK_SET_BYTES = 40 * _MIB
_BESIDE_BYTES = 4 * _MIB
"""What a quick measurement takes beside the largest working set: its code and smaller arrays."""

LEAST_ROOM_BYTES = _BESIDE_BYTES + _QUICK_FILE_MIB * _MIB


@dataclass
class Effort:
    """How much a measurement takes.

    `working_sets`, in bytes: where costs beyond the caches are measured. `folder`: where the disk
    is tried; None where it is not. `file_bytes`: of the file whose reading is timed. `rounds`: how
    often threads are tried together. `coarse`: of the sizes of blocks only some are measured.
    """

    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    working_sets: tuple[int, ...] = WORKING_SETS
    winograd_shapes: tuple[tuple[int, int, int], ...] = _WINOGRAD_SHAPES
    folder: Path | None = None
    file_bytes: int = _FILE_MIB * _MIB
    rounds: int = 5
    coarse: bool = False


def quick(room_bytes: int) -> Effort:
    """What takes less than half a second, and no more memory than `room_bytes`."""
    until, until_processor = time.monotonic() + _BUSY_S, time.process_time() + _QUICK_S
    stopwatch = Stopwatch(0.0007, 4, 2, until, until_processor)
    most = min(room_bytes - _BESIDE_BYTES, _QUICK_SET_BYTES)
    sets = tuple(size for size in WORKING_SETS if size <= most)
    file_bytes = _QUICK_FILE_MIB * _MIB
    return Effort(stopwatch, sets, _WINOGRAD_SHAPES[:2], None, file_bytes, 3, coarse=True)


def calibrate(threads: int, effort: Effort, say: Callable[[str], None]) -> DeviceProfile:
    """Measures the machine; `say` hears of each step. What did not settle the stopwatch knows."""
    chosen, watch = native.chosen(), effort.stopwatch
    say("convolution, by size of its pixel blocks")
    narrow = _pixel_rates(effort, chosen.pixels, 16)
    wide = _pixel_rates(effort, chosen.wide_pixels, 32)
    say("other kernels")
    with working_file(effort.folder, effort.file_bytes) as file:
        winograd = _winograd(effort, max(wide or narrow))
        sum_s = _sum_s(watch, narrow, wide)
        rates = _other_rates(watch)
        say("feature maps and weights beyond the caches")
        weights = weights_curve(watch, effort.working_sets)
        traffic = traffic_curve(watch, effort.working_sets)
        say("threads")
        together = call_s(watch), group_s(threads), slowdown(watch, threads, effort.rounds)
        say("disk" if effort.folder else "files")
        cached, piece = page_cache_costs(file, effort.file_bytes)
        disk = disk_rate(file, effort.file_bytes) if effort.folder else DEFAULT.disk_bytes_per_s
    return DeviceProfile(
        os.uname().nodename,
        chosen.name,
        VERSION,
        narrow,
        wide,
        sum_s,
        *rates,
        traffic,
        weights,
        disk,
        cached,
        piece,
        *together,
        *winograd,
    )


def _other_rates(watch: Stopwatch) -> tuple[float, float, float, float]:
    """Multiply-accumulates of depthwise kernels, values of pools, bytes of copies and of planar
    ones, a second."""
    depthwise = KernelBench("depthwise", 8, 40, 64, 64, 3)
    pool = KernelBench("max_pool", 8, 160, 32, 32)
    copy = KernelBench("copy", 16, 160, 32, 32)
    return (
        depthwise.macs / watch.seconds("depthwise", depthwise),
        4 * 16 * 160 * 32 / watch.seconds("pools", pool),
        copy.bytes / watch.seconds("copying", copy),
        _planar_rate(watch),
    )


def _pixel_rates(effort: Effort, most: int, filters: int) -> tuple[float, ...]:
    """Multiply-accumulates a second for blocks of 1 to `most` pixels; `coarse` ones in between are
    not measured."""
    every = range(1, most + 1)
    tried = [n for n in every if n <= 3 or n == most or n % 3 == 2] if effort.coarse else every
    rates = []
    for pixels in tried:
        bench = pixel_bench(pixels, filters)
        rates.append(bench.macs / effort.stopwatch.seconds("convolution", bench))
    return tuple(map(float, np.interp(every, tried, rates))) if most else ()


def _sum_s(watch: Stopwatch, narrow: tuple[float, ...], wide: tuple[float, ...]) -> float:
    """Seconds that a block of output channels of a pixel costs beside its sum: of short sums.

    The mean over a first layer and the two 1x1 layers around a depthwise one.
    """
    found = []
    for columns, channels, filters, window in ((304, 3, 32, 3), (80, 16, 96, 1), (80, 48, 24, 1)):
        bench = KernelBench("convolution", 4, columns, channels, filters, window)
        blocks = -(-filters // 16)
        pairs = blocks // 2 if wide else 0
        pixels = 4 * columns
        macs = pixels * channels * window**2 * 16
        sums = macs * (2 * pairs / (wide or narrow)[-1] + (blocks - 2 * pairs) / narrow[-1])
        found.append((watch.seconds("short sums", bench) - sums) / (pixels * blocks))
    return max(sum(found) / len(found), 0.0)


def _winograd(effort: Effort, rate: float) -> tuple[float, float]:
    """Seconds that Winograd's kernel takes for each value that it transforms, beside its products
    at the convolution's best rate, and for each weight where it transforms them too."""
    found, watch = [], effort.stopwatch
    for columns, channels, filters in effort.winograd_shapes:
        bench = WinogradBench(8, columns, channels, filters)
        seconds = watch.seconds("Winograd's transforms", bench)
        found.append((seconds - bench.products / rate) / bench.values)
    value_s = max(sum(found) / len(found), 0.0)
    heavy = WinogradBench(8, *_HEAVY_SHAPE, expanding=True)
    seconds = watch.seconds("Winograd's weights", heavy)
    expanding_s = seconds - heavy.products / rate - heavy.values * value_s
    return value_s, max(expanding_s / heavy.weight_count, 0.0)


def _planar_rate(watch: Stopwatch) -> float:
    """Bytes a second of gathering three planes into pixels."""
    bench = KernelBench("copy", 16, 304, 3, 3)
    kernel = bench.program.kernels
    kernel["in"]["row"], kernel["in"]["pixel"], kernel["in"]["channel"] = 304, 1, 304 * 16
    return 4 * 16 * 304 * 3 / watch.seconds("planes", bench)
