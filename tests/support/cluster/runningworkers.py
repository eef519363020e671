"""Workers in threads, and something slow in place of what computes."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import Any

from ftdist.cluster.process import StopRequest
from ftdist.cluster.worker.task_inputs import Task
from ftdist.cluster.worker.worker import WorkerSettings, run_worker
from ftdist.protocol.worker_messages import Failed, Result
from ftdist.runtime.budget.limits import Budget
from support.cluster.scriptedcoordinator import PATIENCE_S

ROOMY = Budget(1 << 40, "--mem")


class Running:
    """A worker in a thread: what it says, how it ends."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.stop = StopRequest()
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.lines: list[str] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(settings,), daemon=True)
        self.thread.start()

    def _run(self, settings: WorkerSettings) -> None:
        try:
            run_worker(settings, self.said.put, self.stop)
        except BaseException as error:
            self.error = error

    def hears(self, part: str) -> str:
        """The next line said that contains a part."""
        while True:
            self.lines.append(self.said.get(timeout=PATIENCE_S))
            if part in self.lines[-1]:
                return self.lines[-1]

    def ended(self) -> BaseException | None:
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive(), "the worker does not end"
        return self.error


class Workers:
    """Starts workers, and stops those that are left."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.running: list[Running] = []

    def start(self, endpoint: str, **more: Any) -> Running:
        fields: dict[str, Any] = {"budget": ROOMY, "threads": 1, "name": "w", "cache": self.cache}
        self.running.append(Running(WorkerSettings(endpoint=endpoint, **fields | more)))
        return self.running[-1]

    def close(self) -> None:
        for each in self.running:
            each.stop.request()
            each.stop.request()
        for each in self.running:
            each.ended()


class Slow:
    """In place of what runs tasks: each ends when the test says so."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.progress = 0

    def run(self, task: Task, waiting_bytes: int) -> list[Result | Failed]:
        self.progress += 1
        self.begun.release()
        assert self.go_on.acquire(timeout=PATIENCE_S)
        return [Result(task.assign.task, False, (), 0.0, 0.0, 0.0, 0)]

    def release_memory(self) -> None: ...
