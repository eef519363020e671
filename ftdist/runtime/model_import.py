"""From a network's own files, or a built-in architecture, to one model file.

What `ftdist import` does, for whoever uses ftdist from Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ftdist.answers.kinds import class_count, is_classifier, is_detector
from ftdist.answers.names import find_names
from ftdist.atomic import refuse_overwriting
from ftdist.errors import InputError
from ftdist.network import architectures
from ftdist.network.about import About, Fit, Names
from ftdist.network.darknet.importer import read_cfg
from ftdist.network.darknet.source import DarknetSource
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.parameters import random_parameters
from ftdist.network.source import Source

_Path = str | os.PathLike[str]


def import_model(
    source: _Path,
    output: _Path,
    *,
    weights: _Path | None = None,
    random_weights: int | None = None,
    until: int | str | None = None,
    size: tuple[int, int] | None = None,
    names: _Path | None = None,
    fit: Fit | None = None,
    remark: Callable[[str], None] | None = None,
) -> Model:
    """Writes the model file `output` and opens it; a file that is there is replaced whole.

    `source` is an ONNX file, a Darknet .cfg, or the name of a built-in architecture. Weights of the
    latter come from the Darknet file `weights`, or are random ones from the seed `random_weights`.
    Layers 0 to `until` are kept, all without it; of an ONNX file what the value or node of that
    name needs. `size`, (height, width), is that of an ONNX file's input where it is open. `names`
    is a file of class names, one a line; without it names are looked for beside the source. `fit`,
    "letterbox" or "stretch", says how pictures enter the network, else the source does. `remark` is
    told, in a sentence each, what was odd in the source. InputError names what cannot be imported.
    """
    source_name, target = os.fspath(source), Path(output)
    given = {"weights": weights, "names": names}
    paths = {each: None if path is None else Path(path) for each, path in given.items()}
    read = [Path(source_name), *(path for path in paths.values() if path is not None)]
    refuse_overwriting([target], [(str(each), each) for each in read])
    found = _source(source_name, paths["weights"], random_weights, until, size)
    network = found.network
    labels, origin, doubts = _labels(source_name, until, paths["names"], network)
    write_model(target, network, found.parameters(), labels, About(fit or found.fit, origin))
    if remark is not None:
        for each in (*found.remarks, *doubts):
            remark(each)
    return load(target, verify=False)


def _source(
    name: str,
    weights: Path | None,
    random_weights: int | None,
    until: int | str | None,
    size: tuple[int, int] | None,
) -> Source:
    """The network that a file or a built-in name stands for, up to a layer."""
    path = Path(name)
    if path.suffix.lower() == ".onnx":
        if weights is not None:
            raise InputError(f"{weights}: an ONNX file has weights of its own")
        from ftdist.network.onnx.importer import read_onnx  # brings the package onnx

        model = read_onnx(path, size, None if until is None else str(until))
        if random_weights is None:
            return model
        return replace(model, read=partial(random_parameters, model.network, random_weights))
    if size is not None:
        raise InputError(f"{name}: its size is in the file; --size is for ONNX files")
    if isinstance(until, str):
        raise InputError(f"--until {until}: layers of Darknet networks are named by number")
    is_file = path.suffix == ".cfg" or path.is_file()
    found = read_cfg(path, until) if is_file else architectures.load(name, until)
    return DarknetSource(found, weights, random_weights)


def _labels(
    source: str, until: int | str | None, given: Path | None, network: Network
) -> tuple[tuple[str, ...], Names, tuple[str, ...]]:
    """Class names, where they come from, and remarks about that."""
    classes = class_count(network)
    if until is not None and not is_detector(network) and given is None:
        return (), "none", ()  # a list in the middle of a network is not of classes
    if not classes:
        if given is not None:
            raise InputError(f"{given}: {network.name} does not distinguish classes")
        return (), "none", ()
    classifier = is_classifier(network)
    names, origin, remark = find_names(Path(source), classes, given, classifies=classifier)
    return names, origin, (remark,) if remark else ()
