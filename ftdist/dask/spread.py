"""Spreads a batch over a Dask cluster: a few pictures a task, results in the order of the inputs.

So many tasks are under way that each worker has some to go on with, and no more: neither the
scheduler nor we hold results that cannot be given yet in large number. A lost worker's tasks are
computed again by Dask. Where pictures have taken a worker down again and again, each of them is
tried alone, and the one that does it is left out.
"""

from __future__ import annotations

import itertools
import uuid
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ftdist.dask.store import send
from ftdist.dask.work import Done, Failed, Job, compute
from ftdist.errors import BudgetError, FtdistError, InputError
from ftdist.extras import needing
from ftdist.many.listing import Source
from ftdist.many.local import Record
from ftdist.many.stages import Finished
from ftdist.network.modelfile import Model

SCHEME = "dask"
_TASKS_A_WORKER = 3
_MOST_PICTURES = 32
_RETRIES = 3
_WAIT_S = 60


def connected(word: str, workers: int, stack: ExitStack) -> Any:
    """A client of the cluster that `dask://HOST:PORT` names; of `dask` alone, of one that lives as
    long as the stack, with so many worker processes. FtdistError when it does not answer."""
    with needing("--on dask", "Dask", "dask"):
        import distributed
    library: Any = distributed
    scheme, _, address = word.partition("://")
    if scheme != SCHEME:
        raise InputError(f"--on {word}: write dask, or dask://HOST:8786")
    try:
        if not address:
            cluster: Any = library.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,  # the budget is kept by us, and Dask would pause at 80% of it
                dashboard_address="127.0.0.1:0",
                silence_logs=40,
            )
            address = stack.enter_context(cluster).scheduler_address
        elif "://" not in address:
            address = f"tcp://{address}"
        client = stack.enter_context(library.Client(address, timeout=_WAIT_S, set_as_default=False))
        client.wait_for_workers(1, timeout=_WAIT_S)
    except (OSError, RuntimeError, TimeoutError, ValueError) as error:
        raise FtdistError(f"--on {word}: no Dask cluster answers there: {error}") from None
    return client


@dataclass
class _Task:
    """Inputs under way, the first of them with its number, and the future of their results."""

    first: int
    inputs: tuple[Source, ...]
    future: Any


class Spread:
    """A batch of a `model` on a cluster; the `job`'s model is its digest."""

    def __init__(self, client: Any, model: Model, job: Job, folder: str) -> None:
        """Names of inputs are relative to the `folder`."""
        self._folder = folder
        self._client = client
        self._model = model
        self._job = job
        self._name = f"ftdist-{uuid.uuid4().hex}"
        self._numbers = itertools.count()

    def run(self, inputs: Iterable[Source]) -> Generator[Record, None, None]:
        """A record of each input, or why there is none, in their order."""
        send(self._client, self._model)
        waiting = iter(inputs)
        tasks: deque[_Task] = deque()
        number = 0
        try:
            while True:
                while len(tasks) < self._most_tasks:
                    some = tuple(islice(waiting, self._pictures(number)))
                    if not some:
                        break
                    tasks.append(_Task(number, some, self._submit(some)))
                    number += len(some)
                if not tasks:
                    return
                yield from self._results(tasks[0])
                tasks.popleft()
        finally:
            self._client.cancel([each.future for each in tasks])

    @property
    def _most_tasks(self) -> int:
        return max(1, len(self._client.nthreads())) * _TASKS_A_WORKER

    def _pictures(self, number: int) -> int:
        """How many pictures a task has: few at first, so that all workers begin at once."""
        return max(1, min(_MOST_PICTURES, number // (2 * self._most_tasks)))

    def _submit(self, inputs: tuple[Source, ...]) -> Any:
        names = tuple(each.name for each in inputs)
        key = f"{self._name}-{next(self._numbers)}"
        return self._client.submit(
            compute, self._job, names, self._folder, key=key, retries=_RETRIES
        )

    def _results(self, task: _Task) -> Iterator[Record]:
        from distributed import KilledWorker

        try:
            found = self._found(task)
        except KilledWorker:
            if len(task.inputs) == 1:
                reason = f"{task.inputs[0].name}: every worker that tried it was lost"
                yield Finished(task.first, task.inputs[0], InputError(reason))
                return
            for number, each in enumerate(task.inputs, task.first):
                yield from self._results(_Task(number, (each,), self._submit((each,))))
            return
        for number, (record, reason) in enumerate(found.results):
            result = InputError(reason) if record is None else record
            yield Finished(task.first + number, task.inputs[number], result)

    def _found(self, task: _Task) -> Done:
        """The results, waited for; a worker that came later is sent the model first."""
        found: Done | Failed = task.future.result()
        if isinstance(found, Failed) and found.lacks_model:
            send(self._client, self._model)
            task.future = self._submit(task.inputs)
            found = task.future.result()
        if isinstance(found, Failed):
            if found.status == BudgetError.exit_status:
                raise BudgetError(found.reason, 0)
            raise (InputError if found.status == InputError.exit_status else FtdistError)(
                found.reason
            )
        return found
