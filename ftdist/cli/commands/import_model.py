"""`ftdist import`: a Darknet network or a built-in architecture becomes one model file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ftdist.answers.detectors import class_count, is_classifier, is_detector
from ftdist.answers.names import find_names
from ftdist.cli.console import complain, say
from ftdist.cli.files.outputs import refuse_overwriting
from ftdist.errors import InputError
from ftdist.network import architectures
from ftdist.network.about import About, Names
from ftdist.network.darknet.importer import DarknetModel, read_cfg
from ftdist.network.darknet.weights import read_weights
from ftdist.network.graph import Network
from ftdist.network.modelfile import load, write_model
from ftdist.network.parameters import Parameters, random_parameters
from ftdist.wording import counted


def run(arguments: argparse.Namespace) -> None:
    """Writes the model file that the arguments ask for, and says what is in it."""
    if arguments.list:
        for name in architectures.names():
            network = architectures.load(name).network
            say(f"{name:16} {len(network.layers):3} layers, input {network.input}")
        return
    if arguments.source is None or arguments.output is None:
        raise InputError("import needs SOURCE and -o MODEL.ftd; ftdist import --list shows names")
    read = (Path(arguments.source), arguments.weights, arguments.names)
    refuse_overwriting([arguments.output], [(str(each), each) for each in read if each])
    source = _source(arguments.source, arguments.until)
    network = source.network
    labels, origin, doubts = _labels(arguments, network)
    about = About(arguments.fit or source.fit, origin)
    write_model(arguments.output, network, _parameters(arguments, source), labels, about)
    for remark in (*source.remarks, *doubts):
        complain(f"ftdist: {remark}")
    model = load(arguments.output, verify=False)
    say(
        f"{arguments.output}: {network.name}, {counted(len(network.layers), 'layer')}, "
        f"input {network.input}, {model.weight_bytes / (1 << 20):.1f} MiB of weights"
    )


def _source(name: str, until: int | None) -> DarknetModel:
    """The network that SOURCE names, up to a layer: a .cfg file, or a built-in architecture."""
    path = Path(name)
    if path.suffix == ".onnx":
        raise InputError(f"{name}: this version imports Darknet .cfg files and built-in names only")
    if path.suffix == ".cfg" or path.is_file():
        return read_cfg(path, until)
    return architectures.load(name, until)


def _parameters(arguments: argparse.Namespace, source: DarknetModel) -> Iterator[Parameters]:
    if arguments.weights is not None:
        return read_weights(source, arguments.weights)
    if arguments.random_weights is not None:
        return random_parameters(source.network, arguments.random_weights)
    raise InputError("import needs --weights FILE, or --random-weights SEED for a trial")


def _labels(
    arguments: argparse.Namespace, network: Network
) -> tuple[tuple[str, ...], Names, tuple[str, ...]]:
    """Class names, where they come from, and remarks about that."""
    classes = class_count(network)
    if arguments.until is not None and not is_detector(network) and arguments.names is None:
        return (), "none", ()  # a list in the middle of a network is not of classes
    if not classes:
        if arguments.names is not None:
            raise InputError(f"{arguments.names}: {network.name} tells no classes apart")
        return (), "none", ()
    source, classifier = Path(arguments.source), is_classifier(network)
    names, origin, remark = find_names(source, classes, arguments.names, classifies=classifier)
    return names, origin, (remark,) if remark else ()
