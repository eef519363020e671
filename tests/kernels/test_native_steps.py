"""A plan's steps in native code: any number of threads, late ones and missing ones, same bits."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.smallmodels import CHAIN, random_image, write_small_model

from ftdist.errors import FtdistError
from ftdist.geometry import Shape
from ftdist.kernels.native import NativeSteps
from ftdist.network.modelfile import Model, load
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.plan import parse_notation
from ftdist.runtime.bound import Bound, bind
from ftdist.runtime.budget.memory import page_block
from ftdist.runtime.thread_pool import ThreadPool

MANY = "5x2s2/1/1x1/2/16x1/3/2x1s3"
"""Four groups: more tiles than threads, one tile, as many as threads, few."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


class Ready:
    """The chain under a plan for so many threads, in a block of its own."""

    def __init__(self, model: Model, threads: int, notation: str = MANY) -> None:
        plan = parse_notation(notation, model.network, threads)
        self.lowered: Lowered = lower(model.network, plan, model.offsets, picture=False)
        block = page_block(self.lowered.block_bytes)
        self.bound: Bound = bind(self.lowered, block, lambda _: block, model, "native")
        last = len(model.network.layers) - 1
        shape: Shape = model.network.shape(last)
        self.made = np.full((shape.channels, shape.height, shape.width), np.nan, np.float32)
        self.maps = {-1: random_image(64), last: self.made}

    def run(self, pool: ThreadPool) -> None:
        self.made.fill(np.nan)
        self.bound.begin(self.maps, pool.threads)
        pool.run(lambda worker: self.bound.steps.work(worker, pool.stopping.is_set))


@pytest.fixture(scope="module")
def expected(chain: Model) -> np.ndarray:
    ready = Ready(chain, 1, "1x1")
    ready.run(ThreadPool(1))
    assert np.isfinite(ready.made).all()
    return ready.made


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_any_number_of_threads_gives_the_same_bits_again_and_again(
    chain: Model, expected: np.ndarray, threads: int
) -> None:
    ready, pool = Ready(chain, threads), ThreadPool(threads)
    for _ in range(30):
        ready.run(pool)
        np.testing.assert_array_equal(ready.made.view(np.uint32), expected.view(np.uint32))
    pool.close()


def test_threads_that_never_come_hold_up_nobody(chain: Model, expected: np.ndarray) -> None:
    ready = Ready(chain, 3)
    ready.bound.begin(ready.maps, 3)
    ready.bound.steps.work(1, lambda: False)
    np.testing.assert_array_equal(ready.made, expected)
    ready.bound.steps.work(0, lambda: False)  # late: there is nothing left to do
    np.testing.assert_array_equal(ready.made, expected)


def test_a_thread_that_waits_sleeps(chain: Model) -> None:
    """Both tiles of a step fail, for their weights are gone: it never ends."""
    with Path(os.devnull).open("rb") as gone:
        broken = replace(chain, file=gone.fileno())
        ready = Ready(broken, 3, "2x1w")
        ready.bound.begin(ready.maps, 3)
        for worker in (0, 1):
            with pytest.raises(FtdistError, match="the model file was cut short"):
                ready.bound.steps.work(worker, lambda: False)
        answers = iter([False, False, False, True])
        began = time.perf_counter(), time.thread_time()
        ready.bound.steps.work(2, lambda: next(answers))
        ended = time.perf_counter(), time.thread_time()
    assert next(answers, None) is None, "it looks whether it is to stop"
    assert ended[1] - began[1] < (ended[0] - began[0]) / 2


def test_a_program_that_leaves_its_buffers_is_refused_and_nothing_runs(chain: Model) -> None:
    ready = Ready(chain, 2)
    ready.run(ThreadPool(1))
    before = ready.made.copy()
    short = ready.maps | {-1: ready.maps[-1].reshape(-1)[:-1]}
    with pytest.raises(ValueError, match=r"a call reads outside its buffer \(step 0, number"):
        ready.bound.begin(short, 2)
    with pytest.raises(ValueError, match="no such thread in a run"):
        ready.bound.steps.work(0, lambda: False)
    np.testing.assert_array_equal(ready.made, before)
    ready.run(ThreadPool(1))
    np.testing.assert_array_equal(ready.made, before)


def test_each_thread_is_told_of_its_tiles(chain: Model) -> None:
    ready, told = Ready(chain, 2), []
    ready.bound.begin(ready.maps, 2)
    ready.bound.steps.work(0, lambda: False, lambda *tile: told.append(tile))
    tiles = [each.tiles for each in ready.lowered.programs]
    assert [each[1:3] for each in told] == [(s, t) for s, n in enumerate(tiles) for t in range(n)]
    assert all(worker == 0 for worker, *_ in told)
    times = [time for *_, began, ended in told for time in (began, ended)]
    assert times == sorted(times) and times[-1] <= time.perf_counter()


def test_what_is_put_together_wrongly_is_refused(chain: Model) -> None:
    ready = Ready(chain, 2)
    with pytest.raises(ValueError, match="as many arenas are needed"):
        ready.bound.begin(ready.maps, 3)
    steps = NativeSteps([], (), chain.weights, chain.file)
    with pytest.raises(ValueError, match="as many arenas"):
        steps.begin((), 0)
    steps.begin((), 1)
    steps.work(0, lambda: False)
