"""What a Dask worker does with a few pictures: it has a batch open, and passes them through.

The batch is planned once in a process, for the first pictures, beside all that the worker holds by
then, Dask included; it stays open until another one comes. Only one is computed at a time, whatever
number of threads Dask has there: the budget is the process's. What is the pictures' fault is in
their results; what is the worker's (no budget, no model) comes back as a value that says so, for
the client to decide.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.dask.store import path_of
from ftdist.errors import BudgetError, FtdistError, InputError
from ftdist.many.asking import Allowed, ready
from ftdist.many.destinations import Destination
from ftdist.many.lanes import OpenLanes
from ftdist.many.listing import Listing, Source, as_source
from ftdist.many.local import Batch, run_in
from ftdist.many.pictures import Asked
from ftdist.network.modelfile import load
from ftdist.network.task import Task
from ftdist.runtime.budget.limits import budget
from ftdist.runtime.overriding import Wishes, with_wishes

_DASK_BYTES = 6 << 20
"""What Dask comes to hold beside what it held when a batch was planned: messages, its own code."""


AS_IT_IS, ALL_THERE_IS = Wishes(), Allowed()


@dataclass(frozen=True, slots=True)
class Job:
    """A batch as workers are told of it.

    `model` is a path that the worker can read or, if it is `stored`, a digest under which the
    worker's host keeps it (``store``). `place` and `again` are those of a ``Destination``.
    """

    model: str
    task: Task
    names: tuple[str, ...]
    thresholds: tuple[tuple[str, float], ...]
    wishes: Wishes = AS_IT_IS
    plain: bool = False
    place: str | None = None
    again: tuple[tuple[str, int], ...] = ()
    allowed: Allowed = ALL_THERE_IS
    stored: bool = False

    @property
    def path(self) -> str:
        """Where this process reads the model."""
        return path_of(self.model) if self.stored else self.model


@dataclass(frozen=True, slots=True)
class Done:
    """What came of pictures: of each a record, or why there is none."""

    results: tuple[tuple[bytes | None, str], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a worker can compute none: a line, its exit status, and whether it lacks the model."""

    reason: str
    status: int
    lacks_model: bool = False


class _Worker:
    """The batch that this process has open, for one job at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._job: Job | None = None
        self._batch: Batch | None = None
        self._opened: OpenLanes | None = None

    def compute(self, job: Job, sources: Sequence[Source]) -> Done:
        if job != self._job:
            self._open(job, [str(each.path) for each in sources])
        assert self._batch is not None and self._opened is not None
        results: list[tuple[bytes | None, str]] = []
        for finished in run_in(self._opened, self._batch, sources):
            if isinstance(finished.result, InputError):
                results.append((None, str(finished.result)))
            else:
                results.append((finished.result, ""))
        return Done(tuple(results))

    def _open(self, job: Job, names: Sequence[str]) -> None:
        self._close()
        model = with_wishes(load(Path(job.path)), job.wishes)
        asked = Asked(
            *(model.network, job.task, model.about, job.names, dict(job.thresholds)), job.plain
        )
        place = None if job.place is None else Path(job.place)
        goes_to = Destination("jsonl", None, place, dict(job.again))
        mem = budget(job.allowed.mem).bytes - _DASK_BYTES
        allowed = replace(job.allowed, mem=max(1, mem))
        batch = ready(model, asked, Listing(names), goes_to.target, allowed)
        self._opened = OpenLanes(batch.lanes, plain=batch.plain)
        self._batch, self._job = batch, job

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        self._job = self._batch = None
        if opened is not None:
            opened.__exit__(None, None, None)


def _source(name: str, folder: str) -> Source:
    """The input as the client calls it, where this process reads it."""
    found = as_source(name)
    return replace(found, place=Path(folder) / found.path)


_WORKER = _Worker()


def compute(job: Job, names: Sequence[str], folder: str = "/") -> Done | Failed:
    """Computes the pictures of these names, relative to a folder; called by Dask in a worker."""
    if not os.path.exists(job.path):
        return Failed(f"{job.path}: no such model", 2, lacks_model=job.stored)
    with _WORKER.lock:
        try:
            return _WORKER.compute(job, [_source(each, folder) for each in names])
        except BudgetError as error:
            return Failed(f"a Dask worker, with Dask in it: {error}", error.exit_status)
        except FtdistError as error:
            return Failed(str(error), error.exit_status)
