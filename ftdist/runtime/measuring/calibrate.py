"""Measures this machine: the rates that the cost model multiplies, each by the kernel it is about.

Every figure is the lower quartile of several short batches, after a warm-up: whatever else the
machine does can only make them longer. Costs that lie beside the
arithmetic (traffic, weights that are read again) are differences: the same kernel on data that the
caches hold and on data that they do not.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from ftdist.kernels import native
from ftdist.kernels.program import Program
from ftdist.planning.profile import VERSION, DeviceProfile
from ftdist.runtime.measuring.kernelbench import BATCHES, KernelBench, WinogradBench, pixel_bench
from ftdist.runtime.thread_pool import ThreadPool

_MIB = 1 << 20
_WORKING_SETS = (0.5, 2, 6, 16, 40, 96)
"""Sizes in MiB at which costs beyond the caches are measured."""


def calibrate(threads: int, folder: Path, say: Callable[[str], None]) -> DeviceProfile:
    """Measures the machine; `folder` is where disk reads are tried, `say` hears of each step."""
    chosen = native.chosen()
    say("convolution, by size of its pixel blocks")
    narrow = tuple(_pixel_rate(pixels, 16) for pixels in range(1, chosen.pixels + 1))
    wide = tuple(_pixel_rate(pixels, 32) for pixels in range(1, chosen.wide_pixels + 1))
    say("other kernels")
    depthwise = KernelBench("depthwise", 8, 40, 64, 64, 3)
    pool = KernelBench("max_pool", 8, 160, 32, 32)
    copy = KernelBench("copy", 16, 160, 32, 32)
    transforming, expanding = _winograd(narrow, wide, folder)
    say("feature maps and weights beyond the caches")
    traffic, weights = _traffic_curve(), _weights_curve()
    say("disk")
    disk, cached, piece = _reading(folder)
    say("threads")
    return DeviceProfile(
        name=os.uname().nodename,
        instruction_set=chosen.name,
        version=VERSION,
        narrow=narrow,
        wide=wide,
        sum_s=_sum_s(narrow, wide),
        depthwise_macs_per_s=depthwise.macs / depthwise.seconds(),
        pool_bytes_per_s=4 * 16 * 160 * 32 / pool.seconds(),
        copy_bytes_per_s=copy.bytes / copy.seconds(),
        planar_bytes_per_s=_planar_rate(),
        traffic_s=traffic,
        weights_s=weights,
        disk_bytes_per_s=disk,
        reading_s_per_byte=cached,
        reading_s_per_piece=piece,
        call_s=_call_s(),
        group_s=_group_s(threads),
        parallel=_parallel(threads),
        winograd_s=transforming,
        winograd_weights_s=expanding,
    )


def _pixel_rate(pixels: int, filters: int) -> float:
    bench = pixel_bench(pixels, filters)
    return bench.macs / bench.seconds()


def _sum_s(narrow: tuple[float, ...], wide: tuple[float, ...]) -> float:
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
        found.append((bench.seconds() - sums) / (pixels * blocks))
    return max(sum(found) / len(found), 0.0)


def _winograd(
    narrow: tuple[float, ...], wide: tuple[float, ...], folder: Path
) -> tuple[float, float]:
    """Seconds that Winograd's kernel takes for each value that it transforms, beside its products,
    and for each weight where it transforms them too."""
    found, expanding = [], []
    with tempfile.TemporaryFile(dir=folder) as file:
        for columns, channels in ((152, 64), (76, 128)):
            bench = WinogradBench(8, columns, channels, 2 * channels)
            streamed = WinogradBench(8, columns, channels, 2 * channels, file.fileno())
            seconds = bench.seconds()
            rate = (wide or narrow)[-1]
            found.append((seconds - bench.products / rate) / bench.values)
            expanding.append((streamed.seconds() - seconds) / bench.weight_count)
    return max(sum(found) / 2, 0.0), max(sum(expanding) / 2, 0.0)


def _planar_rate() -> float:
    """Bytes a second of gathering three planes into pixels."""
    bench = KernelBench("copy", 16, 304, 3, 3)
    kernel = bench.program.kernels
    kernel["in"]["row"], kernel["in"]["pixel"], kernel["in"]["channel"] = 304, 1, 304 * 16
    return 4 * 16 * 304 * 3 / bench.seconds()


def _traffic_curve() -> tuple[tuple[float, float], ...]:
    """Seconds a byte of maps costs beside the arithmetic of a typical convolution."""
    base: float | None = None
    curve = []
    for size in _WORKING_SETS:
        row_bytes = 4 * 152 * (32 + 64)
        bench = KernelBench("convolution", max(1, int(size * _MIB / row_bytes)), 152, 32, 64, 3)
        per_byte = bench.seconds() / bench.bytes
        base = per_byte if base is None else base
        curve.append((size * _MIB, max(0.0, per_byte - base)))
    return _ascending(curve)


def _weights_curve() -> tuple[tuple[float, float], ...]:
    """Seconds a byte of weights costs when it is read for one row of pixels."""
    base: float | None = None
    curve = []
    for size in _WORKING_SETS:
        filters = max(32, int(size * _MIB / (4 * 1152)) // 32 * 32)
        bench = KernelBench("convolution", 1, 36, 128, filters, 3)
        per_byte = bench.seconds() / bench.weight_bytes
        base = per_byte if base is None else base
        curve.append((size * _MIB, max(0.0, per_byte - base)))
    return _ascending(curve)


def _ascending(curve: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The curve without dips: noise must not make a larger working set look cheaper."""
    costs = np.maximum.accumulate([cost for _, cost in curve])
    return tuple((size, float(cost)) for (size, _), cost in zip(curve, costs, strict=True))


def _reading(folder: Path) -> tuple[float, float, float]:
    """Bytes a second from the disk; seconds a byte and a piece from the page cache."""
    size, piece = 64 * _MIB, _MIB
    buffer = bytearray(piece)
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(size // piece):
            file.write(os.urandom(4096) * (piece // 4096))
        file.flush()
        os.fsync(file.fileno())

        def read() -> float:
            started = time.perf_counter()
            for at in range(0, size, piece):
                os.preadv(file.fileno(), [buffer], at)
            return time.perf_counter() - started

        read()
        cached = median(read() for _ in range(3))
        started = time.perf_counter()
        for at in range(0, size, 64 << 10):  # a piece is two reads and a word ahead
            os.preadv(file.fileno(), [memoryview(buffer)[:64]], at)
            os.preadv(file.fileno(), [memoryview(buffer)[:64]], at + 4096)
            os.posix_fadvise(file.fileno(), at, 4096, os.POSIX_FADV_WILLNEED)
        small = (time.perf_counter() - started) / (size // (64 << 10))
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        cold = read()
    return size / cold, cached / size, small


def _call_s() -> float:
    """Seconds of a kernel call that does next to nothing."""
    bench = KernelBench("copy", 1, 1, 1, 1)
    calls = np.repeat(bench.program.calls, 1000)
    program = Program(bench.program.kernels, calls)
    many = []
    for _ in range(BATCHES):
        started = time.perf_counter()
        native.run(program, bench.arena, bench.weights, (), bench.counters)
        many.append((time.perf_counter() - started) / len(calls))
    return median(many)


def _group_s(threads: int) -> float:
    """Seconds that waking the threads of a group costs, with a call for each tile."""
    pool = ThreadPool(threads)
    bench = [KernelBench("copy", 1, 1, 1, 1) for _ in range(threads)]
    found = []
    for _ in range(200):
        started = time.perf_counter()
        pool.run(lambda worker: bench[worker].run())
        found.append(time.perf_counter() - started)
    pool.close()
    return median(found)


def _parallel(threads: int) -> float:
    """How much longer a kernel takes while all threads work: 1 on cores that share nothing.

    The least of several rounds: where a core is lent to somebody else, a round says nothing.
    """
    if threads == 1:
        return 1.0
    benches = [KernelBench("convolution", 8, 152, 64, 128, 3) for _ in range(threads)]
    pool = ThreadPool(threads)
    found = [0.0] * threads

    def work(worker: int) -> None:
        found[worker] = benches[worker].seconds()

    ratios = []
    for _ in range(5):
        alone = benches[0].seconds()
        pool.run(work)
        ratios.append(median(found) / alone)
    pool.close()
    return max(1.0, min(ratios))
