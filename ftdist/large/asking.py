"""A large picture for programs: what `ftdist run --size picture --bands always` does, by values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ftdist.answers.drawing.draw import draw
from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import class_names
from ftdist.answers.seen import Found, seen, segmented
from ftdist.errors import InputError
from ftdist.large.finding import find
from ftdist.large.making import Progress, Wanted, Ways, make
from ftdist.large.passes import against_size
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model
from ftdist.network.task import Task
from ftdist.pictures.rows.opening import open_rows
from ftdist.runtime.bands.choice import PhasedChoice
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.limits import budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.imported import Pictures, opened
from ftdist.runtime.measuring.profiles import load
from ftdist.runtime.threads import default_threads

Words = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Large:
    """What came of a large picture: `objects` of a detector, best first, `shares` of a
    segmentation's classes, by name; the predicted peak of the process, and seconds."""

    notation: str
    peak_bytes: int
    elapsed_s: float
    objects: list[Found] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)


def run_large(
    model: Model | Words,
    picture: Words,
    output: Words | None = None,
    mem: str | int | None = None,
    threads: int | None = None,
    *,
    threshold: float = 0.3,
    overlap: float = 0.45,
    labels: bool = False,
    resume: bool = False,
    exact_direct: bool = False,
) -> Large:
    """Runs a model over a picture in bands of rows: neither it nor the result is ever whole.

    A model has the picture's size; the path of an ONNX file is imported for it. `output` is a
    picture or a .npy file; a detector needs none, and a segmentation none but for its colours, or,
    with `labels`, its numbers of classes. `mem` is that of ``plan``, of this whole process.
    `resume` keeps what was made when the run is interrupted, and goes on from there. InputError for
    what is not computed by rows; BudgetError when no band fits.
    """
    path = Path(picture)
    limit = budget(mem)
    number = threads or default_threads()
    ways = Ways(limit, number, load(number), exact_direct, resume=resume)
    opened_model = model if isinstance(model, Model) else opened(
        Path(model), "picture", None, lambda: Pictures(_size(path), _size(path)), limit
    )  # fmt: skip
    network = opened_model.network
    task = task_of(network, opened_model.about)
    names = opened_model.labels or class_names(class_count(task))
    target = None if output is None else Path(output)
    _refuse_picture(path, network)
    if reason := _against_output(target, network, task):
        raise InputError(reason)
    if task.kind == "detect":
        return _found(opened_model, path, target, ways, names, threshold, overlap)
    done = make(Wanted(opened_model, task, path, target, labels), ways, _silent)
    shares = segmented(str(path), task, done.shares or {}, names, done.size).classes
    return _large(done.choice, done.elapsed_s, shares={each.label: each.share for each in shares})


def _found(
    model: Model,
    path: Path,
    target: Path | None,
    ways: Ways,
    names: tuple[str, ...],
    threshold: float,
    overlap: float,
) -> Large:
    thresholds = {"threshold": threshold, "overlap": overlap}
    found = find(model, path, ways, thresholds, _silent)
    if target is not None:
        trim_heap()
        given = path, found.detections, names, target, found.box
        draw(*given, ways.limit.bytes - resident_bytes())
    objects = seen(str(path), found.detections, names, found.box).objects
    return _large(found.choice, found.elapsed_s, objects=list(objects))


def _large(
    choice: PhasedChoice,
    elapsed_s: float,
    objects: list[Found] | None = None,
    shares: dict[str, float] | None = None,
) -> Large:
    peak = choice.largest.peak_bytes
    return Large(choice.last.plan.notation, peak, elapsed_s, objects or [], shares or {})


def _size(path: Path) -> tuple[int, int]:
    with closing(open_rows(path)) as rows:
        return rows.shape.height, rows.shape.width


def _refuse_picture(path: Path, network: Network) -> None:
    """InputError where a network does not take a picture of that size."""
    with closing(open_rows(path, planes=network.inputs[0].layout.planar)) as rows:
        reason = against_size(rows.shape, network)
    if len(network.inputs) != 1 or reason:
        raise InputError(f"{path}: {reason or 'the network has several inputs'}")


def _against_output(target: Path | None, network: Network, task: Task) -> str:
    """Why what a network makes of a picture cannot be written to `target`; "" if it can."""
    if task.kind == "detect":
        if target is not None and target.suffix.lower() == ".npy":
            return f"{target}: a detector's large picture is drawn on, or not written"
        return ""
    if target is None and task.kind != "segment":
        return f"{network.name} makes a picture or an array: name an output"
    if len(network.outputs) != 1 and task.kind != "segment":
        return f"{network.name} has several outputs"
    if target is None or task.kind in ("image", "segment") or target.suffix.lower() == ".npy":
        return ""
    return f"{target}: {network.name} makes no picture; write a .npy file"


class _Silence:
    """Progress that nobody sees."""

    def begin(self, first: int) -> None:
        """Nothing is shown."""

    pass_over = show = begin


@contextmanager
def _silent(rows: int) -> Iterator[Progress]:
    yield _Silence()
