"""`ftdist import`: a Darknet network or a built-in architecture becomes one model file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ftdist.cli.printing import say
from ftdist.detection import class_count
from ftdist.detection.names import read_names
from ftdist.errors import InputError
from ftdist.network import architectures
from ftdist.network.darknet import DarknetModel, read_cfg
from ftdist.network.darknet_weights import read_weights
from ftdist.network.graph import Network
from ftdist.network.modelfile import load, write_model
from ftdist.network.parameters import Parameters, random_parameters


def run(arguments: argparse.Namespace) -> None:
    """Writes the model file that the arguments ask for, and says what is in it."""
    if arguments.list:
        for name in architectures.names():
            network = architectures.load(name).network
            say(f"{name:16} {len(network.layers):3} layers, input {network.input}")
        return
    if arguments.source is None or arguments.output is None:
        raise InputError("import needs SOURCE and -o MODEL.ftd; ftdist import --list shows names")
    source = _source(arguments.source)
    network = source.network
    if arguments.until is not None:
        network = network.until(arguments.until)
    parameters = _parameters(arguments, source, network)
    write_model(arguments.output, network, parameters, _labels(arguments.source, network))
    model = load(arguments.output, verify=False)
    say(
        f"{arguments.output}: {network.name}, {len(network.layers)} layers, "
        f"input {network.input}, {model.weight_bytes / (1 << 20):.1f} MiB of weights"
    )


def _source(name: str) -> DarknetModel:
    """The network that SOURCE names: a .cfg file, or a built-in architecture."""
    path = Path(name)
    if path.suffix == ".onnx":
        raise InputError(f"{name}: this version imports Darknet .cfg files and built-in names only")
    if path.suffix == ".cfg" or path.is_file():
        return read_cfg(path)
    return architectures.load(name)


def _parameters(
    arguments: argparse.Namespace, source: DarknetModel, network: Network
) -> Iterator[Parameters]:
    if arguments.weights is not None:
        return read_weights(source, arguments.weights, arguments.until)
    if arguments.random_weights is not None:
        return random_parameters(network, arguments.random_weights)
    raise InputError("import needs --weights FILE, or --random-weights SEED for a trial")


def _labels(source: str, network: Network) -> tuple[str, ...]:
    """Class names from a .names file beside the .cfg, when there is one of the right length."""
    path = Path(source).with_suffix(".names")
    if not class_count(network) or not path.is_file():
        return ()
    names = read_names(path)
    if len(names) != class_count(network):
        raise InputError(
            f"{path}: {len(names)} names, but {network.name} has {class_count(network)} classes"
        )
    return names
