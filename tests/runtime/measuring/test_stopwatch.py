"""Figures are the lower quartile of batches; those that do not settle are named."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat

import pytest

from ftdist.runtime.measuring.stopwatch import Stopwatch


class Scripted:
    """Calls that take these seconds, one batch after another; the last for ever."""

    def __init__(self, *seconds: float) -> None:
        self._times: Iterable[float] = chain(seconds, repeat(seconds[-1]))
        self.batches = 0

    def timed(self, calls: int) -> float:
        self.batches += 1
        return calls * next(iter(self._times))


def test_a_steady_kernel_is_measured_once_and_settles() -> None:
    watch, bench = Stopwatch(0.004, 9, 4), Scripted(0.5, 0.001)
    assert watch.seconds("x", bench) == pytest.approx(0.001)
    assert not watch.unsettled and bench.batches == 2 + 9


def test_batches_that_were_disturbed_do_not_count() -> None:
    watch = Stopwatch(0.004, 9, 4)
    seconds = watch.seconds("x", Scripted(1, 0.001, 3e-3, 1e-3, 2e-3, 1e-3, 5e-3, 1e-3))
    assert seconds == pytest.approx(0.001) and not watch.unsettled


def test_what_does_not_settle_is_tried_on_and_then_named_once() -> None:
    watch = Stopwatch(0.004, 4, 3)
    for _ in range(2):
        bench = Scripted(*(0.001 * 1.2**n for n in range(40)))
        assert watch.seconds("x", bench) > 0.001
        assert bench.batches == 2 + 3 * 4
    assert watch.unsettled == ["x"] and watch.figures == 2


def test_when_time_is_up_one_batch_must_do() -> None:
    for late in (Stopwatch(0.004, 9, 4, until=0.0), Stopwatch(0.004, 9, 4, until_processor=0.0)):
        bench = Scripted(0.001)
        assert late.seconds("x", bench) == pytest.approx(0.001)
        assert bench.batches == 3 and late.unsettled == ["x"]


def test_long_calls_are_not_repeated_for_ever() -> None:
    bench = Scripted(0.1)
    watch = Stopwatch(0.001, 4, 3)
    assert watch.seconds("x", bench) == pytest.approx(0.1)
    assert bench.batches == 3 and not watch.unsettled
