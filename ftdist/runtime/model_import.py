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

from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import (
    FoundNames,
    find_names,
    of_listed_pairs,
    of_one_class,
    read_names,
)
from ftdist.answers.preparing import prepared
from ftdist.answers.tasks.of_network import task_of_outputs
from ftdist.answers.told_inside import known_size, names_inside, size_inside
from ftdist.atomic import refuse_overwriting
from ftdist.errors import InputError
from ftdist.network import architectures
from ftdist.network.about import About
from ftdist.network.darknet.importer import read_cfg
from ftdist.network.darknet.source import DarknetSource
from ftdist.network.graph import Network
from ftdist.network.heads import with_heads
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.parameters import random_parameters
from ftdist.network.source import Source
from ftdist.network.task import ARRAYS, Kind
from ftdist.runtime.overriding import Wishes, overridden

if TYPE_CHECKING:
    from ftdist.network.onnx.importer import OnnxModel

_Path = str | os.PathLike[str]

USUAL_SIZES = (
    *((320, 320), (224, 224), (256, 256), (48, 320), (32, 320), (112, 112), (128, 128)),
    *((64, 64), (416, 416), (512, 512)),
)
"""Sizes at which a network of open size is tried, where nobody says one: the first that suits."""

DEFAULT_SIZE = USUAL_SIZES[0]
"""Rows and columns of an input that leaves them open, where nobody says them."""

_CLASSIFIED_SIZE = (224, 224)
"""The same of a classifier: ImageNet's are trained with it."""

_STRIDES = (1, 8, 32, 64)
"""Networks that make pictures may want sides that are multiples of one of these."""


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
    networks that make pictures take that of the `picture`, others one of USUAL_SIZES;
    `as_picture`: all take it, whatever size the file names. `names` is a file of class names, one a
    line; without it they are looked for in the source and beside it.
    `task` says what the network is for, `wishes` how pictures enter it; else the source says so or
    it is guessed. `remark` is told what was odd in the source, a sentence each. InputError names
    what cannot be imported.
    """
    name = os.fspath(source)
    asked = _Asked(name, weights, random_weights, until, size, picture, as_picture, task)
    target, given = Path(output), None if names is None else Path(names)
    read = [Path(each) for each in (asked.name, weights, names) if each is not None]
    refuse_overwriting([target], [(str(each), each) for each in read])
    _write(asked, target, given, wishes, remark)
    return load(target, verify=False)


def import_kept(
    source: Path,
    target: Path,
    size: tuple[int, int] | None,
    picture: tuple[int, int] | None,
    remark: Callable[[str], None],
    *,
    as_picture: bool,
) -> None:
    """Writes the model file `target` of an ONNX file, as ``import_model``, and does not open it.

    Who imports within a budget has no room for two networks.
    """
    asked = _Asked(str(source), None, None, None, size, picture, as_picture, None)
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
    size: tuple[int, int] | None
    picture: tuple[int, int] | None
    as_picture: bool
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
    if asked.size is not None and not is_file:
        raise InputError(f"{asked.name}: has a size of its own; --size is for files")
    model = read_cfg(asked.path, asked.until, asked.size) if is_file else None
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
    found = read_onnx(asked.path, asked.size, until, usual=USUAL_SIZES, resized=True)
    inside = names_inside(found.hints)

    def told(network: Network) -> About:
        if until is not None and asked.task is None:
            return About("stretch", task=ARRAYS)
        task = task_of_outputs(network, found.hints.words, inside, asked.task)
        guess = prepared(network, task, found.hints)
        return About(guess.fit, fill=guess.fill, task=task, assumed=guess.because)

    about = told(found.network)
    sized = _resized(asked, found, about, until)
    if sized is not found:
        found, about = sized, told(sized.network)
    network, remarks = found.network, found.remarks
    assert about.task is not None
    pixels = prepared(network, about.task, found.hints).pixels
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


def _resized(asked: _Asked, found: OnnxModel, about: About, until: str | None) -> OnnxModel:
    """The network at the size that is wanted, where that is not the one it was read at."""
    from ftdist.network.onnx.importer import read_onnx

    assert about.task is not None
    assumed = found.is_open and asked.size is None
    makes_pictures = assumed and about.task.kind == "image"
    if asked.picture is not None and (makes_pictures or asked.as_picture):
        return _as_large(asked.path, asked.picture, until, resized=asked.as_picture)
    usual = size_inside(found.hints) or DEFAULT_SIZE
    if about.task.kind == "classify" and usual == DEFAULT_SIZE:
        usual = known_size(found.hints) or _CLASSIFIED_SIZE
    if assumed and usual != DEFAULT_SIZE:
        return read_onnx(asked.path, None, until, usual=(usual, *USUAL_SIZES))
    return found


def _as_large(
    path: Path, picture: tuple[int, int], until: str | None, *, resized: bool
) -> OnnxModel:
    """The network at the size of a picture, or a little larger where it wants whole strides.

    `resized`: whatever size its file names.
    """
    from ftdist.network.onnx.importer import read_onnx

    refused: InputError | None = None
    for stride in _STRIDES:
        height, width = (-(-side // stride) * stride for side in picture)
        try:
            return read_onnx(path, (height, width), until, resized=resized)
        except InputError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _labels(
    source: Source, asked: _Asked, given: Path | None, network: Network, about: About
) -> FoundNames:
    """Class names, where they come from, and a remark about that."""
    task = task_of(network, about)
    classes = class_count(task)
    if asked.until is not None and task.layout != "heads" and given is None:
        return FoundNames((), "none", "")  # a list in the middle of a network is not of classes
    if not classes and task.kind != "detect":
        if given is not None:
            raise InputError(f"{given}: {network.name} does not distinguish classes")
        return FoundNames((), "none", "")
    inside = names_inside(source.hints) if source.hints is not None else ()
    if given is None and inside and len(inside) == classes:
        return FoundNames(inside, "inside", "")
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
