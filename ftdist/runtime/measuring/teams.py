"""What calls, and threads that work together, cost beside the arithmetic."""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from ftdist.kernels import native
from ftdist.kernels.native import NativeSteps
from ftdist.kernels.program import Program, Step
from ftdist.runtime.measuring.kernelbench import KernelBench
from ftdist.runtime.measuring.stopwatch import Stopwatch
from ftdist.runtime.thread_pool import ThreadPool
from ftdist.runtime.threads import default_threads

_CALLS = 500
_GROUPS, _MEETING_ROUNDS = 500, 20
_ALIKE = 1.25
"""How far rounds of the same threads may lie apart."""


class _ManyCalls:
    """A kernel that does next to nothing, called many times by one program."""

    def __init__(self) -> None:
        self._bench = bench = KernelBench("copy", 1, 1, 1, 1)
        self._program = Program(bench.program.kernels, np.repeat(bench.program.calls, _CALLS))

    def timed(self, calls: int) -> float:
        bench, started = self._bench, time.thread_time()
        for _ in range(calls):
            native.run(self._program, bench.arena, bench.weights, (), bench.counters)
        return time.thread_time() - started


def call_s(watch: Stopwatch) -> float:
    """Seconds of a kernel call that does next to nothing."""
    return watch.seconds("calls", _ManyCalls()) / _CALLS


def group_s(threads: int) -> float:
    """Seconds that a group costs beside its kernels, where threads have to wait for each other.

    Each has a tile of a call that does next to nothing, group after group.
    """
    bench = KernelBench("copy", 1, 1, 1, 1)
    program, arenas = bench.program, (bench.arena,) * threads
    counters = tuple(bench.counters.copy() for _ in range(threads))
    calls = (program.calls,) * threads
    step = Step((program.kernels,), calls, program.views, (), arenas, counters)
    steps = NativeSteps([step] * _GROUPS, (), bench.weights, -1)
    pool, found = ThreadPool(threads), []
    for _ in range(_MEETING_ROUNDS):
        steps.begin((), threads)
        started = time.perf_counter()
        pool.run(lambda worker: steps.work(worker, pool.stopping.is_set))
        found.append(time.perf_counter() - started)
    pool.close()
    return median(found) / _GROUPS


def slowdown(watch: Stopwatch, threads: int, rounds: int) -> float:
    """How much longer a kernel takes while all threads work: 1 on cores that share nothing.

    The least of several rounds, by the processor's time; threads beyond the processors wait.
    """
    if threads == 1:
        return 1.0
    benches = [KernelBench("convolution", 4, 76, 64, 128, 3) for _ in range(threads)]
    pool = ThreadPool(threads)
    found = [0.0] * threads

    def work(worker: int) -> None:
        found[worker] = watch.apart().seconds("threads together", benches[worker])

    ratios = []
    for _ in range(rounds):
        alone = watch.apart().seconds("one thread", benches[0])
        pool.run(work)
        ratios.append(median(found) / alone)
        if watch.is_late:
            break
    pool.close()
    if max(ratios) > _ALIKE * min(ratios):
        watch.unsettled.append("threads together")
    return max(1.0, min(ratios)) * max(1.0, threads / default_threads())
