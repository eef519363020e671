"""A batch for programs: what is asked, by plain values, and its plan without a command line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import class_names
from ftdist.errors import InputError
from ftdist.many.destinations import destination
from ftdist.many.listing import Listing, Source
from ftdist.many.local import Batch, look, planned, run
from ftdist.many.pictures import Asked, Target
from ftdist.network.modelfile import Model
from ftdist.runtime.bound import load_kernels
from ftdist.runtime.budget.limits import Budget, budget
from ftdist.runtime.measuring.profiles import load
from ftdist.runtime.plans.choice import Choice, PlanProblem, RunContext
from ftdist.runtime.plans.decision import Decision
from ftdist.runtime.threads import default_threads

Words = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a process gives to a batch."""

    mem: str | int | None = None
    threads: int | None = None
    exact_direct: bool = False


def batch(
    model: Model,
    inputs: Words | Iterable[Words],
    mem: str | int | None = None,
    threads: int | None = None,
    *,
    output: str | None = None,
    recursive: bool = False,
    threshold: float = 0.3,
    overlap: float = 0.45,
) -> Iterator[dict[str, Any]]:
    """A record of each input, in their order, as `ftdist batch` writes them.

    `inputs` are files, folders, patterns or "@LIST"s. An input that cannot be read has a record
    with its "file" and an "error". `output`: a folder, or a pattern as "out/{}.png", for a picture
    or arrays of each. `mem` is that of ``plan``, of this whole process; `threads` are all there are
    by default, a picture each where that is faster. BudgetError when nothing fits.
    """
    words = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    listing = Listing([os.fspath(each) for each in words], recursive=recursive)
    asked = asked_of(model, {"threshold": threshold, "overlap": overlap})
    goes_to = destination(output, None, listing, model.network, asked.task)
    goes_to.prepared()
    found = ready(model, asked, listing, goes_to.target, Allowed(mem, threads))
    for finished in run(found, listing):
        yield as_record(finished.item, finished.result)


def asked_of(model: Model, thresholds: dict[str, float]) -> Asked:
    """What is asked of each picture where nobody names anything else."""
    task = task_of(model.network, model.about)
    names = model.labels or class_names(class_count(task))
    return Asked(model.network, task, model.about, names, thresholds)


def ready(model: Model, asked: Asked, listing: Listing, target: Target, allowed: Allowed) -> Batch:
    """The batch with its plan, within the budget of this process."""
    load_kernels("native")  # its code is in memory before the process is measured
    limit = budget(allowed.mem)
    pictures = look(listing, asked, target, limit.bytes)
    decide = _Decide(model, limit, exact_direct=allowed.exact_direct)
    return planned(decide, allowed.threads or default_threads(), asked, target, pictures)


@dataclass(frozen=True, slots=True)
class _Decide:
    model: Model
    limit: Budget
    exact_direct: bool

    def __call__(self, threads: int, context: RunContext) -> Choice:
        problem = PlanProblem(
            *(self.model, self.limit, context, threads, load(threads)),
            exact_direct=self.exact_direct,
        )
        return Decision(problem).choice()


def as_record(item: Source, result: bytes | InputError) -> dict[str, Any]:
    """What came of an input, as a value."""
    if isinstance(result, InputError):
        return {"file": item.name, "error": str(result)}
    value: dict[str, Any] = json.loads(result.decode("utf-8", "surrogateescape"))
    return value
