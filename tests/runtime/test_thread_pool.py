"""A pool: rounds that end whole, whatever fails, and threads that end with it."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import GUARD_S, measured

from ftdist.errors import FtdistError
from ftdist.runtime import thread_pool as module
from ftdist.runtime.thread_pool import ThreadPool


class Boom(Exception):
    """What work raises in these tests."""


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_all_workers_work_at_the_same_time_and_the_caller_is_one(threads: int) -> None:
    pool = ThreadPool(threads)
    together = threading.Barrier(threads, timeout=GUARD_S)
    for _ in range(50):
        seen: dict[int, threading.Thread] = {}

        def work(worker: int, seen: dict[int, threading.Thread] = seen) -> None:
            seen[worker] = threading.current_thread()
            together.wait()

        pool.run(work)
        assert sorted(seen) == list(range(threads))
        assert seen[0] is threading.current_thread()
        assert len(set(seen.values())) == threads
    pool.close()


def test_threads_are_started_when_they_are_needed_and_then_kept() -> None:
    pool = ThreadPool(3)
    before = set(threading.enumerate())
    used: list[set[threading.Thread]] = []
    for workers in (1, 2, 3, 2, 3):
        pool.run(lambda _: None, workers)
        used.append(set(threading.enumerate()) - before)
    assert [len(each) for each in used] == [0, 1, 2, 2, 2]
    assert used[1] < used[2] == used[4]
    pool.run(lambda _: None, 9)
    assert set(threading.enumerate()) - before == used[2], "no more than the pool has"
    pool.close()
    assert set(threading.enumerate()) == before
    pool.run(lambda _: None)
    pool.close()
    pool.close()


def test_a_round_waits_for_all_and_the_first_failure_is_raised() -> None:
    pool = ThreadPool(3)
    ended: list[int] = []

    def work(worker: int) -> None:
        if worker == 1:
            raise Boom
        assert pool.stopping.wait(GUARD_S), "the others are told"
        ended.append(worker)
        if worker == 2:
            raise ValueError

    with pytest.raises(Boom):
        pool.run(work)
    assert sorted(ended) == [0, 2]
    assert not pool.stopping.is_set()
    pool.run(ended.append)
    assert sorted(ended) == [0, 0, 1, 2, 2]
    pool.close()


def test_a_failure_of_the_caller_waits_for_the_others() -> None:
    pool = ThreadPool(2)
    began = threading.Event()
    ended: list[int] = []

    def work(worker: int) -> None:
        if worker == 0:
            assert began.wait(GUARD_S)
            raise Boom
        began.set()
        assert pool.stopping.wait(GUARD_S)
        ended.append(worker)

    with pytest.raises(Boom):
        pool.run(work)
    assert ended == [1]


def test_an_interrupt_while_waiting_stops_the_others() -> None:
    """A signal handler raises in the main thread, which waits for its helper by then."""
    pool = ThreadPool(2)
    ended: list[int] = []

    def work(worker: int) -> None:
        if worker:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert pool.stopping.wait(GUARD_S)
            ended.append(worker)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background too
    try:
        for _ in range(9):
            with pytest.raises(KeyboardInterrupt):
                pool.run(work)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(ended) == 9


def interrupting(at: int) -> Callable[..., Any]:
    """A trace function that raises before line number `at`, counted as the pool runs them."""
    passed = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal passed
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            passed += 1
            if passed == at:
                raise KeyboardInterrupt
        return trace

    return trace


@pytest.mark.parametrize("fails", [False, True])
def test_interrupts_at_any_moment_leave_a_crew_that_works(fails: bool) -> None:
    """One comes before each line of the pool's own code in the caller's thread, in turn."""
    pool = ThreadPool(3)
    running: set[int] = set()
    done: list[int] = []

    def slow(worker: int) -> None:
        if worker:
            running.add(worker)
            pool.stopping.wait(0.003)
            running.discard(worker)
        elif fails:
            raise Boom

    def check(worker: int) -> None:
        assert not running, "of the round before"
        if not pool.stopping.is_set():
            done.append(worker)

    ended, line = False, 0
    while not ended:
        line += 1
        previous = sys.gettrace()
        sys.settrace(interrupting(line))
        try:
            pool.run(slow)
            ended = True
        except Boom:
            ended = True
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(previous)
        done.clear()
        pool.run(check)
        assert sorted(done) == [0, 1, 2], f"after an interrupt before line {line}"
    assert line > 20
    pool.close()


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_system_without_threads_to_spare_says_so(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def few(self: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    pool = ThreadPool(4)
    done: list[int] = []
    monkeypatch.setattr(threading.Thread, "start", few)
    with pytest.raises(FtdistError, match="can't start new thread; use fewer threads"):
        pool.run(done.append)
    assert not done and len(started) == most
    monkeypatch.undo()
    pool.run(done.append)
    assert sorted(done) == [0, 1, 2, 3]
    pool.close()


def test_nothing_that_was_worked_on_is_held_between_rounds() -> None:
    class Heavy:
        """What weak references can watch."""

    pool = ThreadPool(3)
    heavy = Heavy()
    gone = weakref.ref(heavy)
    together = threading.Barrier(3, timeout=GUARD_S)

    def waiting(_: int, held: Heavy = heavy) -> None:
        together.wait()

    pool.run(waiting)
    del waiting
    del heavy
    assert gone() is None
    heavy = Heavy()
    gone = weakref.ref(heavy)

    def failing(worker: int, held: Heavy = heavy) -> None:
        together.wait()
        raise Boom

    with pytest.raises(Boom):
        pool.run(failing)
    del heavy, failing
    assert gone() is None, "not even by the error, and without the collector of cycles"


def test_a_crew_that_is_forgotten_takes_its_threads_along() -> None:
    before = set(threading.enumerate())
    pool = ThreadPool(3)
    pool.run(lambda _: None)
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 2
    del pool
    gc.collect()
    for helper in helpers:
        helper.join(GUARD_S)
    assert not any(helper.is_alive() for helper in helpers)


_FORKED = """
import os
from ftdist.runtime.thread_pool import ThreadPool
pool = ThreadPool(3)
pool.run(lambda _: None)
if os.fork() == 0:
    done = []
    pool.run(done.append)
    os._exit(sorted(done) != [0, 1, 2])
status = os.wait()[1]
pool.run(lambda _: None)
raise SystemExit(status)
"""


def test_a_forked_process_starts_threads_of_its_own(tmp_path: Path) -> None:
    outcome = measured(sys.executable, "-W", "ignore", "-c", _FORKED, folder=tmp_path)
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "pool.close()", "del pool"])
def test_idle_threads_keep_no_process_alive(tmp_path: Path, ending: str) -> None:
    first = "from ftdist.runtime.thread_pool import ThreadPool"
    code = f"{first}\npool = ThreadPool(3)\npool.run(lambda _: None)\n{ending}"
    outcome = measured(sys.executable, "-c", code, folder=tmp_path)
    assert (outcome.status, outcome.err) == (3 if "Exit" in ending else 0, "")
