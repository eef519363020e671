"""What a model's classes are called, by whom, and by which thresholds they are found."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.answers.alphabets import UNWRITTEN, fitting, laid_out_again, read_characters
from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import TEXT, class_names, doubt, of_listed_pairs, read_names
from ftdist.answers.several import names_of_parts, unnamed_parts
from ftdist.errors import InputError
from ftdist.network.about import Names
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model
from ftdist.network.modelheader import Header
from ftdist.network.task import Blank, Task
from ftdist.runtime.overriding import Wishes


def names_of(arguments: argparse.Namespace, model: Model | Header) -> tuple[tuple[str, ...], Names]:
    """The names, none where the model does not distinguish classes, and who says so.

    InputError for names or thresholds that do not suit the model.
    """
    network, task = model.network, task_of(model.network, model.about)
    count, detects = class_count(task), task.kind == "detect"
    for option, value in (("--thresh", arguments.thresh), ("--nms", arguments.nms)):
        if value is not None and not detects:
            raise InputError(f"{option}: {network.name} is not a detector")
    if task.kind == "text":
        if arguments.names is None:
            return laid_out_again(model.labels, task), model.about.names
        return fitting(read_characters(arguments.names), task, arguments.names), "given"
    if arguments.names is not None:
        return _given(arguments.names, network, task), "given"
    if not count or (model.labels and task.layout == "pairs"):
        return model.labels, model.about.names
    if model.labels:
        return class_names(count, model.labels), model.about.names
    if task.layout == "text_map":
        return TEXT, "guessed"
    if not detects and model.about.task is not None:
        if task.kind == "segment":
            return (), "none"
        if len(task.outputs) > 1:
            return unnamed_parts(network, task), "none"
        return tuple(f"class {number}" for number in range(count)), "none"
    return class_names(count), "guessed"


def _given(path: Path, network: Network, task: Task) -> tuple[str, ...]:
    """The names in a file, one for each class."""
    count = class_count(task)
    if task.kind == "classify" and len(task.outputs) > 1:
        return names_of_parts(path, network, task)
    if not count and task.kind != "detect":
        raise InputError(f"{path}: {network.name} does not distinguish classes")
    names = read_names(path)
    if task.layout == "pairs" and count > 1:
        return of_listed_pairs(names, count)
    return class_names(count or len(names), names)


def wishes_of(arguments: argparse.Namespace) -> Wishes:
    """How pictures are to enter the network, and what it is for, as the command line says."""
    deviation = arguments.std
    if arguments.scale is not None:
        if deviation is not None:
            raise InputError("--scale and --std both say what pixels are divided by; give one")
        deviation = (arguments.scale,)
    told = arguments.mean, deviation, arguments.blue_first, arguments.fit
    return Wishes(*told, None, arguments.task, _BLANKS.get(arguments.blank))


_BLANKS: dict[str | None, Blank] = {
    "first": "blank_first",
    "last": "blank_last",
    "none": "no_blank",
}
_FROM = {"inside": " of the file's own", "beside": " of the file beside it", "given": ""}


def reading_line(task: Task, names: tuple[str, ...], origin: Names) -> str:
    """How text is read, and what to do where it is wrong."""
    blank = {"blank_first": "first", "blank_last": "last", "no_blank": "none"}[task.layout]
    count = task.classes - (0 if blank == "none" else 1)
    if not names:
        return (
            f"only numbers of characters are known, blank {blank}; --labels FILE gives the "
            f"characters, one a line: {count}, or {count - 1} and a space"
        )
    if UNWRITTEN in names:
        at = names.index(UNWRITTEN)
        blank = {0: "first", len(names) - 1: "last"}.get(at, str(at))
    known = f"{sum(each != UNWRITTEN for each in names)} characters{_FROM.get(origin, '')}"
    if blank == "none" or task.layout == "no_blank":
        return f"{known}, each step one; --blank first or last takes alike ones together"
    return f"{known}, blank {blank} (--blank changes it)"


def unsure_of(names: tuple[str, ...], origin: Names) -> str | None:
    """What to say of names that nobody gave."""
    if origin == "none" and len(names) > 1:
        return "the class names are not known, only numbers; --names FILE gives them, one a line"
    return doubt("guessed", len(names)) if origin == "guessed" else None


def thresholds_of(arguments: argparse.Namespace) -> dict[str, float]:
    """The thresholds that are named; for the others there are defaults."""
    named = {"threshold": arguments.thresh, "overlap": arguments.nms}
    return {name: value for name, value in named.items() if value is not None}
