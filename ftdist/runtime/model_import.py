"""From a network's own files, or a built-in architecture, to one model file.

What `ftdist import` does, for whoever uses ftdist from Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.answers.alphabets import found_characters
from ftdist.answers.first_layer import response
from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import (
    TEXT,
    FoundNames,
    find_names,
    of_listed_pairs,
    of_one_class,
    read_names,
)
from ftdist.answers.preparing import Preparation, prepared
from ftdist.answers.several import names_of_parts
from ftdist.answers.tasks.of_network import task_of_outputs
from ftdist.answers.told_inside import characters_inside, names_inside
from ftdist.atomic import refuse_overwriting
from ftdist.errors import InputError
from ftdist.network import architectures
from ftdist.network.about import About
from ftdist.network.darknet.importer import read_cfg
from ftdist.network.darknet.source import DarknetSource
from ftdist.network.foreign import foreign
from ftdist.network.graph import Network
from ftdist.network.heads import with_heads
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.parameters import random_parameters
from ftdist.network.source import Source
from ftdist.network.task import ARRAYS, Kind, Task
from ftdist.runtime.import_sizes import USUAL_SIZES, SizeWanted, resized
from ftdist.runtime.overriding import Wishes, overridden, with_blank

if TYPE_CHECKING:
    from ftdist.network.onnx.importer import OnnxModel
    from ftdist.runtime.imported import Pictures

_Path = str | os.PathLike[str]


def import_model(
    source: _Path,
    output: _Path,
    *,
    weights: _Path | None = None,
    random_weights: int | None = None,
    until: int | str | None = None,
    size: tuple[int, int] | None = None,
    picture: tuple[int, int] | None = None,
    names: _Path | None = None,
    task: Kind | None = None,
    wishes: Wishes | None = None,
    remark: Callable[[str], None] | None = None,
    as_picture: bool = False,
) -> Model:
    """Writes the model file `output` and opens it; a file that is there is replaced whole.

    `source` is an ONNX file, a Darknet .cfg, or the name of a built-in architecture. Weights of the
    latter come from the Darknet file `weights`, or are random ones from the seed `random_weights`.
    Layers 0 to `until` are kept, all without it; of an ONNX file what the value or node of that
    name needs. `size`, (height, width), is that of an ONNX file's input where it is open; else
    networks that make pictures take that of the `picture`, those that read text its proportions,
    others one of USUAL_SIZES; `as_picture`: all take it, whatever size the file names. `names` is a
    file of class names, one a line; without it they are looked for in the source and beside it.
    `task` says what the network is for, `wishes` how pictures enter it; else the source says so or
    it is guessed. `remark` is told what was odd in the source, a sentence each. InputError names
    what cannot be imported.
    """
    name = os.fspath(source)
    open_size = SizeWanted(size, picture, picture, as_picture=as_picture)
    asked = _Asked(name, weights, random_weights, until, open_size, task)
    target, given = Path(output), None if names is None else Path(names)
    read = [Path(each) for each in (asked.name, weights, names) if each is not None]
    refuse_overwriting([target], [(str(each), each) for each in read])
    _write(asked, target, given, wishes, remark)
    return load(target, verify=False)


def import_kept(
    source: Path,
    target: Path,
    size: tuple[int, int] | None,
    pictures: Pictures | None,
    remark: Callable[[str], None],
    *,
    as_picture: bool,
) -> None:
    """Writes the model file `target` of an ONNX file, as ``import_model``, and does not open it.

    Who imports within a budget has no room for two networks.
    """
    first, widest = pictures or (None, None)
    open_size = SizeWanted(size, first, widest, as_picture=as_picture)
    asked = _Asked(str(source), None, None, None, open_size, None)
    _write(asked, target, None, None, remark)


def _write(
    asked: _Asked,
    target: Path,
    names: Path | None,
    wishes: Wishes | None,
    remark: Callable[[str], None] | None,
) -> None:
    found, network, about, remarks = _understood(asked)
    if wishes is not None:
        network, about = overridden(network, about, wishes)
        about = with_blank(about, wishes.blank)
    labels, origin, doubt = _labels(found, asked, names, network, about)
    about = replace(about, names=origin)
    write_model(target, network, found.parameters(), labels, about)
    for each in (*remarks, doubt):
        if remark is not None and each:
            remark(each)


@dataclass(frozen=True)
class _Asked:
    """What is to be imported, and how."""

    name: str
    weights: _Path | None
    random_weights: int | None
    until: int | str | None
    size: SizeWanted
    task: Kind | None

    @property
    def path(self) -> Path:
        return Path(self.name)


def _understood(asked: _Asked) -> tuple[Source, Network, About, tuple[str, ...]]:
    """The source, its network as it is to be run, what is said about it, and remarks."""
    if asked.path.suffix.lower() == ".onnx":
        return _onnx(asked)
    if isinstance(asked.until, str):
        raise InputError(f"--until {asked.until}: layers of Darknet networks are named by number")
    is_file = asked.path.suffix == ".cfg" or asked.path.is_file()
    if asked.size.named is not None and not is_file:
        raise InputError(f"{asked.name}: has a size of its own; --size is for files")
    other = foreign(asked.path) if is_file and asked.path.suffix != ".cfg" else None
    if other is not None:
        raise InputError(f"{asked.path}: is {other}")
    model = read_cfg(asked.path, asked.until, asked.size.named) if is_file else None
    model = architectures.load(asked.name, asked.until) if model is None else model
    weights = None if asked.weights is None else Path(asked.weights)
    found = DarknetSource(model, weights, asked.random_weights)
    task = None
    if asked.task is not None:
        task = task_of_outputs(found.network, "", (), asked.task)
    return found, found.network, About(found.fit, task=task), found.remarks


def _onnx(asked: _Asked) -> tuple[Source, Network, About, tuple[str, ...]]:
    if asked.weights is not None:
        raise InputError(f"{asked.weights}: an ONNX file has weights of its own")
    from ftdist.network.onnx.importer import read_onnx  # brings the package onnx

    until = None if asked.until is None else str(asked.until)
    found = read_onnx(asked.path, asked.size.named, until, usual=USUAL_SIZES, resized=True)
    inside = names_inside(found.hints)

    def told(read: OnnxModel, kind: Kind | None) -> About:
        if until is not None and kind is None:
            return About("stretch", task=ARRAYS)
        task = task_of_outputs(read.network, read.hints.words, inside, kind)
        guess = _guess(read, task)
        return About(guess.fit, fill=guess.fill, task=task, assumed=guess.because)

    about = told(found, asked.task)
    assert about.task is not None
    sized = resized(asked.path, asked.size, found, about.task, until)
    if sized is not found:
        kind = "text" if about.task.kind == "text" else asked.task  # of whatever length
        found, about = sized, told(sized, kind)
    network, remarks = found.network, found.remarks
    assert about.task is not None
    pixels = _guess(found, about.task).pixels
    beside = asked.path.with_suffix(".cfg")
    if beside.is_file() and until is None and asked.task in (None, "detect"):
        darknet = read_cfg(beside)
        headed = with_heads(network, darknet.network)
        if headed is not None:
            network, about = headed, About(darknet.fit)
            pixels = network.inputs[0].pixels
            remarks += (f"the outputs are decoded as {beside} says",)
    first = replace(network.inputs[0], pixels=pixels)
    network = replace(network, inputs=(first, *network.inputs[1:]))
    if asked.random_weights is not None:
        found = replace(found, read=partial(random_parameters, network, asked.random_weights))
    return found, network, about, remarks


def _guess(found: OnnxModel, task: Task) -> Preparation:
    """How pictures enter, as far as the file, its task and its weights tell it."""
    return prepared(found.network, task, found.hints, partial(_spread, found))


def _spread(found: OnnxModel) -> float:
    return response(found.network, found.parameters())


def _labels(
    source: Source, asked: _Asked, given: Path | None, network: Network, about: About
) -> FoundNames:
    """Class names, where they come from, and a remark about that."""
    task = task_of(network, about)
    classes = class_count(task)
    if task.kind == "text":
        inside = characters_inside(source.hints) if source.hints is not None else ()
        return found_characters(asked.path, task, given, inside)
    if asked.until is not None and task.layout != "heads" and given is None:
        return FoundNames((), "none", "")  # a list in the middle of a network is not of classes
    if not classes and task.kind != "detect":
        if given is not None:
            raise InputError(f"{given}: {network.name} does not distinguish classes")
        return FoundNames((), "none", "")
    inside = names_inside(source.hints) if source.hints is not None else ()
    if given is None and inside and len(inside) == classes:
        return FoundNames(inside, "inside", "")
    if given is not None and task.kind == "classify" and len(task.outputs) > 1:
        return FoundNames(names_of_parts(given, network, task), "given", "")
    if task.layout == "text_map" and given is None:
        return FoundNames(TEXT, "guessed", "")
    if task.layout == "pairs" and classes > 1:
        return _of_pairs(asked.path, classes, given)
    names = find_names(asked.path, classes, given, classifies=task.kind != "detect")
    if names.origin == "none" and task.kind == "detect" and classes == 1:
        return of_one_class(asked.path.stem) or names
    return names


def _of_pairs(path: Path, classes: int, given: Path | None) -> FoundNames:
    """Names of a detector whose first class may be the background."""
    if given is not None:
        return FoundNames(of_listed_pairs(read_names(given), classes), "given", "")
    found = find_names(path, classes)
    if found.origin == "none":
        found = find_names(path, classes - 1)
    if found.origin == "none" and classes == 2:
        return of_one_class(path.stem) or found
    return found if not found.names else found._replace(names=of_listed_pairs(found.names, classes))
