"""Classifiers of several things at once: an output for each, with classes of its own.

Names of all classes are one list, those of each output after the others'. An output of one value
(an age in hundreds of years, a quality) has none; its value is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.classify import classify
from ftdist.answers.decode import Detection
from ftdist.answers.names import read_names
from ftdist.answers.seen import Classified, Likely, OfOutput, name_of, of_parts
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.task import Task
from ftdist.pictures.fitting import Box
from ftdist.wording import counted

MOST_SHOWN = 3
"""Classes of each output that are told."""


def classified_parts(
    network: Network,
    task: Task,
    outputs: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    file: str,
) -> Classified:
    """What each output says."""
    parts: list[OfOutput] = []
    before = 0
    for name in task.outputs:
        values = np.asarray(outputs[name]).reshape(-1)
        if values.size == 1:
            parts.append(OfOutput(name, (), float(values[0])))
            continue
        own = names[before : before + values.size]
        before += values.size
        judged = classify(network, values, MOST_SHOWN)
        likely = (Likely(name_of(each.label, own), each.label, each.score) for each in judged)
        parts.append(OfOutput(name, tuple(likely)))
    return of_parts(file, tuple(parts))


def shown_parts(
    task: Task, outputs: Mapping[str, NDArray[Any]], found: Classified
) -> tuple[Detection, ...]:
    """The best class of each output, by its number among all names, to be written on the photo."""
    shown, before = [], 0
    for part in found.parts:
        for each in part.classes[:1]:
            whole = Box(0, 0, 1, 1)
            shown.append(Detection(before + each.number, each.probability, whole))
        before += np.asarray(outputs[part.name]).size if part.value is None else 0
    return tuple(shown)


def names_of_parts(word: Path, network: Network, task: Task) -> tuple[str, ...]:
    """The names of all classes: a file's for all, one's for each alike, or OUTPUT=FILE for some,
    separated by commas. InputError where they do not suit."""
    counts = _counts(network, task)
    given = {}
    if "=" in str(word) and not word.is_file():
        pairs = (each.partition("=") for each in str(word).split(","))
        given = {name.strip(): read_names(path.strip()) for name, _, path in pairs}
        if unknown := sorted(given.keys() - counts.keys()):
            raise InputError(
                f"--labels {unknown[0]}=...: no such output; there are {', '.join(counts)}"
            )
    else:
        names = read_names(word)
        if len(names) == task.classes:
            return names
        given = dict.fromkeys(counts, names)
    found: list[str] = []
    for name, count in counts.items():
        own = given.get(name, _unnamed(count))
        if len(own) != count:
            raise InputError(
                f"{word}: {counted(len(own), 'name')}, but output {name} has "
                f"{counted(count, 'class', 'classes')}; --labels OUTPUT=FILE,OUTPUT=FILE gives each"
            )
        found += own
    return tuple(found)


def unnamed_parts(network: Network, task: Task) -> tuple[str, ...]:
    """The classes of each output by number."""
    counts = _counts(network, task).values()
    return tuple(name for count in counts for name in _unnamed(count))


def _unnamed(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


def _counts(network: Network, task: Task) -> dict[str, int]:
    """How many classes each output tells apart, in the task's order."""
    sizes = {network.layers[each].name: network.shape(each).elements for each in network.outputs}
    return {name: sizes[name] for name in task.outputs if sizes[name] > 1}
