"""`ftdist import`: an ONNX or Darknet file or a built-in architecture becomes a model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.cli.console import complain, say
from ftdist.cli.files.class_names import wishes_of
from ftdist.errors import InputError
from ftdist.network import architectures
from ftdist.runtime.budget.limits import budget
from ftdist.runtime.importing_room import importing_room
from ftdist.runtime.model_import import import_model
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
    with importing_room(Path(arguments.source), budget(None)):
        model = import_model(
            arguments.source,
            arguments.output,
            weights=arguments.weights,
            random_weights=arguments.random_weights,
            until=arguments.until,
            size=arguments.size,
            names=arguments.names,
            task=arguments.task,
            wishes=wishes_of(arguments),
            remark=lambda text: complain(f"ftdist: {text}"),
        )
    network = model.network
    say(
        f"{arguments.output}: {network.name}, {counted(len(network.layers), 'layer')}, "
        f"input {network.input}, {model.weight_bytes / (1 << 20):.1f} MiB of weights"
    )
