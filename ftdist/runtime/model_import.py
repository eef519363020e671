"""From a network's own files, or a built-in architecture, to one model file.

What `ftdist import` does, for whoever uses ftdist from Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ftdist.answers.detectors import class_count, is_classifier, is_detector
from ftdist.answers.names import find_names
from ftdist.atomic import refuse_overwriting
from ftdist.errors import InputError
from ftdist.network import architectures
from ftdist.network.about import About, Fit, Names
from ftdist.network.darknet.importer import DarknetModel, read_cfg
from ftdist.network.darknet.weights import read_weights
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.parameters import Parameters, random_parameters

_Path = str | os.PathLike[str]


def import_model(
    source: _Path,
    output: _Path,
    *,
    weights: _Path | None = None,
    random_weights: int | None = None,
    until: int | None = None,
    names: _Path | None = None,
    fit: Fit | None = None,
    remark: Callable[[str], None] | None = None,
) -> Model:
    """Writes the model file `output` and opens it; a file that is there is replaced whole.

    `source` is a Darknet .cfg, or the name of a built-in architecture. Its weights come from the
    Darknet file `weights`, or are random ones from the seed `random_weights`. Layers 0 to `until`
    are kept, all without it. `names` is a file of class names, one a line; without it names are
    looked for beside the source. `fit`, "letterbox" or "stretch", says how pictures enter the
    network, else the source does. `remark` is told, in a sentence each, what was odd in the
    source. InputError names what cannot be imported.
    """
    source_name, target = os.fspath(source), Path(output)
    given = {"weights": weights, "names": names}
    paths = {each: None if path is None else Path(path) for each, path in given.items()}
    read = [Path(source_name), *(path for path in paths.values() if path is not None)]
    refuse_overwriting([target], [(str(each), each) for each in read])
    found = _source(source_name, until)
    network = found.network
    labels, origin, doubts = _labels(source_name, until, paths["names"], network)
    parameters = _parameters(paths["weights"], random_weights, found)
    write_model(target, network, parameters, labels, About(fit or found.fit, origin))
    if remark is not None:
        for each in (*found.remarks, *doubts):
            remark(each)
    return load(target, verify=False)


def _source(name: str, until: int | None) -> DarknetModel:
    """The network that a .cfg file or a built-in name stands for, up to a layer."""
    path = Path(name)
    if path.suffix == ".onnx":
        raise InputError(f"{name}: this version imports Darknet .cfg files and built-in names only")
    if path.suffix == ".cfg" or path.is_file():
        return read_cfg(path, until)
    return architectures.load(name, until)


def _parameters(
    weights: Path | None, random_weights: int | None, source: DarknetModel
) -> Iterator[Parameters]:
    if weights is not None:
        return read_weights(source, weights)
    if random_weights is not None:
        return random_parameters(source.network, random_weights)
    raise InputError("import needs --weights FILE, or --random-weights SEED for a trial")


def _labels(
    source: str, until: int | None, given: Path | None, network: Network
) -> tuple[tuple[str, ...], Names, tuple[str, ...]]:
    """Class names, where they come from, and remarks about that."""
    classes = class_count(network)
    if until is not None and not is_detector(network) and given is None:
        return (), "none", ()  # a list in the middle of a network is not of classes
    if not classes:
        if given is not None:
            raise InputError(f"{given}: {network.name} tells no classes apart")
        return (), "none", ()
    classifier = is_classifier(network)
    names, origin, remark = find_names(Path(source), classes, given, classifies=classifier)
    return names, origin, (remark,) if remark else ()
