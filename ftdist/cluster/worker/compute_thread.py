"""The thread of a worker that computes: tasks in, results out, one at a time, in order.

The thread that talks to the coordinator hands over tasks and collects what came of them; neither
waits for the other. Whoever polls ``woken`` learns that there is something to collect.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from ftdist.cluster.process import WakeUp
from ftdist.cluster.worker.task_inputs import Task
from ftdist.protocol.records import TaskId
from ftdist.protocol.worker_messages import Failed, Result


class Runner(Protocol):
    """What runs one task at a time."""

    @property
    def progress(self) -> int: ...

    def run(self, task: Task, waiting_bytes: int) -> list[Result | Failed]: ...

    def release_memory(self) -> None: ...


class ComputeThread:
    """A queue of tasks and the thread that does them; ``close`` ends it."""

    def __init__(self, runner: Runner) -> None:
        self.woken = WakeUp()
        self._runner = runner
        self._waiting: deque[Task] = deque()
        self._running: Task | None = None
        self._done: deque[list[Result | Failed]] = deque()
        self._finished = 0
        self._fresh = True
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="tasks", daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """Tasks that wait or run."""
        with self._change:
            return len(self._waiting) + (self._running is not None)

    @property
    def held_bytes(self) -> int:
        """Bytes of inputs that came with them."""
        with self._change:
            running = self._running.held_bytes if self._running else 0
            return running + sum(task.held_bytes for task in self._waiting)

    @property
    def progress(self) -> int:
        """Grows while kernels work, and with every task."""
        return self._finished + self._runner.progress

    def submit(self, task: Task) -> None:
        """One more task, to be done after the others."""
        with self._change:
            self._waiting.append(task)
            self._change.notify_all()

    def cancel(self, name: TaskId) -> bool:
        """Drops a task that has not begun; whether there was one."""
        with self._change:
            found = [task for task in self._waiting if task.assign.task == name]
            for task in found:
                self._waiting.remove(task)
        return bool(found)

    def drop_waiting(self) -> None:
        """Drops all tasks that have not begun."""
        with self._change:
            self._waiting.clear()

    def collect(self) -> list[Result | Failed]:
        """What came of tasks since the last time."""
        self.woken.clear()
        found: list[Result | Failed] = []
        with self._change:
            while self._done:
                found += self._done.popleft()
        return found

    def reset(self) -> None:
        """Drops everything, also what comes of the task that runs; ``idle`` tells when it did."""
        with self._change:
            self._waiting.clear()
            self._done.clear()
            self._fresh = False
            self._change.notify_all()

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits, and nothing is held that could be let go."""
        with self._change:
            return self._fresh and self._running is None and not self._waiting

    def close(self, timeout_s: float) -> None:
        """Ends the thread, if the task that runs ends in time."""
        with self._change:
            self._waiting.clear()
            self._closed = True
            self._change.notify_all()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            with self._change:
                while not (self._closed or self._waiting or not self._fresh):
                    self._change.wait()
                if self._closed:
                    return
                self._running = self._waiting.popleft() if self._waiting and self._fresh else None
                task = self._running
                behind = sum(each.held_bytes for each in self._waiting)
            if task is None:
                self._release_memory()
            else:
                self._do(task, behind)
            del task

    def _release_memory(self) -> None:
        self._runner.release_memory()
        with self._change:
            self._fresh = True
        self.woken.call()

    def _do(self, task: Task, waiting_bytes: int) -> None:
        outcome = self._runner.run(task, waiting_bytes)
        with self._change:
            self._running = None
            self._finished += 1
            if self._fresh:
                self._done.append(outcome)
        self.woken.call()
