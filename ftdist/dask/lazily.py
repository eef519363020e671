"""A batch as Dask's own collections, for programs that go on with its records there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ftdist.dask.work import Done, Failed, Job, compute
from ftdist.errors import FtdistError, InputError
from ftdist.extras import needing
from ftdist.many.asking import Allowed, Words, as_record, asked_of
from ftdist.many.listing import Listing, as_source
from ftdist.network.modelfile import load


def delayed_batch(
    model: Words,
    inputs: Words | Iterable[Words],
    mem: str | int | None = None,
    threads: int | None = None,
    *,
    at_once: int = 32,
    recursive: bool = False,
    threshold: float = 0.3,
    overlap: float = 0.45,
) -> list[Any]:
    """``dask.delayed`` values; each computes a list of records, of `at_once` inputs or fewer.

    `model` is the path of a model file which workers can read under that name, as they can the
    inputs. All else is that of ``ftdist.batch``; `mem` and `threads` are those of a worker process,
    which plans once, and computes one list after another.
    """
    with needing("this", "Dask", "dask"):
        import dask
    words = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    names = [s.name for s in Listing([os.fspath(each) for each in words], recursive=recursive)]
    thresholds = {"threshold": threshold, "overlap": overlap}
    path = os.path.abspath(model)
    asked = asked_of(load(path), thresholds)
    allowed = Allowed(mem, threads)
    job = Job(path, asked.task, asked.names, tuple(thresholds.items()), allowed=allowed)
    library: Any = dask
    lazily = library.delayed(records, pure=True)
    return [
        lazily(job, tuple(os.path.abspath(each) for each in names[at : at + at_once]))
        for at in range(0, len(names), at_once)
    ]


def to_bag(*arguments: Any, **options: Any) -> Any:
    """The records of ``delayed_batch``, as a ``dask.bag.Bag`` of dictionaries."""
    parts = delayed_batch(*arguments, **options)
    with needing("a bag", "Dask", "dask"):
        import dask.bag

    library: Any = dask.bag
    return library.from_delayed(parts)


def records(job: Job, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The records of these inputs; called by Dask in a worker."""
    found: Done | Failed = compute(job, names)
    if isinstance(found, Failed):
        raise FtdistError(found.reason)
    return [
        as_record(as_source(name), InputError(reason) if record is None else record)
        for name, (record, reason) in zip(names, found.results, strict=True)
    ]
