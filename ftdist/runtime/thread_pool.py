"""Threads that live as long as their session and wait between rounds of work.

Starting and joining a thread costs more than a small group of layers computes; waking one that
waits costs a tenth of it. Each helper has a task or none, and that alone decides what it does: its
signals only say "look again". So a signal too many does no harm, and an interrupt may come at any
moment: a round begins only when no helper has a task any more.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from typing import NamedTuple

from ftdist.errors import FtdistError

Work = Callable[[int], None]

_LOOK_S = 0.1
"""How often whoever waits looks up: an interrupt just before it began to wait would go unseen."""


class ThreadPool:
    """Up to `threads` workers; the caller's own thread is number 0.

    Helpers are started when they are first needed and end with ``close``, with the pool itself, or
    with a round that fails. They keep no process alive.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.stopping = threading.Event()
        """Set when a worker of this round has failed: the others should end soon."""
        self._helpers: list[_Helper] = []
        self._process = os.getpid()
        weakref.finalize(self, _dismiss, self._helpers)

    def run(self, work: Work, workers: int | None = None) -> None:
        """Calls work(0) to work(workers - 1) at the same time, work(0) in the caller's thread.

        Returns when all have ended, whatever happens; the first failure is raised then, in which
        case the helpers are gone. FtdistError when the system has no thread to spare.
        """
        count = min(workers or self.threads, self.threads)
        if count == 1:
            work(0)
            return
        failures: list[BaseException] = []
        began = False
        while True:  # until all have ended: nothing that is raised here leaves a helper behind
            try:
                if not began:
                    began = True
                    self._begin(_Task(work, failures), count - 1)
                    work(0)
                self._rest()
                break
            except BaseException as error:
                failures.append(error)
                self.stopping.set()
        if failures:
            self.stopping.clear()
            self.close()
            try:
                raise failures[0]
            finally:
                failures.clear()  # else the error would hold itself, and all that it worked on

    def close(self) -> None:
        """Ends all helpers; a later round starts new ones."""
        helpers = list(self._helpers)
        _dismiss(self._helpers)
        for helper in helpers:
            if helper.is_alive():
                helper.join()

    def _begin(self, task: _Task, count: int) -> None:
        """Gives a task to so many helpers, once there are so many and all of them wait."""
        if self._process != os.getpid():  # threads stay behind when a process forks
            self._helpers.clear()
            self._process = os.getpid()
        self._rest()
        self.stopping.clear()
        while len(self._helpers) < count:
            helper = _Helper(1 + len(self._helpers), self.stopping)
            self._helpers.append(helper)
            try:
                helper.start()
            except RuntimeError as error:
                raise FtdistError(f"{error}; use fewer threads") from None
        for helper in self._helpers[:count]:
            helper.begin(task)

    def _rest(self) -> None:
        """Waits until no helper has a task.

        None may be left behind: it would write into memory that the next round uses.
        """
        for helper in self._helpers:
            while helper.task is not None:
                if not helper.done.wait(_LOOK_S):
                    helper.wake.set()  # an interrupt may have come between task and signal


class _Task(NamedTuple):
    """What a helper does in one round, and where it says that it failed. Without work it leaves."""

    work: Work | None
    failures: list[BaseException]


class _Signal:
    """An event that a wait takes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):  # when it is set already
            self._lock.release()

    def wait(self, most_s: float = -1) -> bool:
        """Whether it was set within so many seconds; -1 waits for good."""
        return self._lock.acquire(timeout=most_s)


class _Helper(threading.Thread):
    """Worker number `index`."""

    def __init__(self, index: int, stopping: threading.Event) -> None:
        super().__init__(name=f"ftdist-{index}", daemon=True)
        self.task: _Task | None = None
        self.wake, self.done = _Signal(), _Signal()
        self._index = index
        self._stopping = stopping

    def begin(self, task: _Task) -> None:
        self.task = task
        self.wake.set()

    def run(self) -> None:
        while True:
            self.wake.wait()
            task = self.task
            if task is None:
                continue
            if task.work is None:
                return
            try:
                task.work(self._index)
            except BaseException as error:
                task.failures.append(error)
                self._stopping.set()
            task = self.task = None  # nothing that it worked on is held while it waits
            self.done.set()


def _dismiss(helpers: list[_Helper]) -> None:
    """Lets all helpers leave, as soon as they wait."""
    for helper in helpers:
        helper.begin(_Task(None, []))
    helpers.clear()
