"""What a model's classes are called, by whom, and by which thresholds they are found."""

from __future__ import annotations

import argparse

from ftdist.answers.kinds import class_count, is_detector
from ftdist.answers.names import class_names, doubt, read_names
from ftdist.errors import InputError
from ftdist.network.about import Names
from ftdist.network.modelfile import Model
from ftdist.network.modelheader import Header


def names_of(arguments: argparse.Namespace, model: Model | Header) -> tuple[tuple[str, ...], Names]:
    """The names, none where the model does not distinguish classes, and who says so.

    InputError for names or thresholds that do not suit the model.
    """
    network, count = model.network, class_count(model.network)
    for option, value in (("--thresh", arguments.thresh), ("--nms", arguments.nms)):
        if value is not None and not is_detector(network):
            raise InputError(f"{option}: {network.name} is not a detector")
    if arguments.names is not None:
        if not count:
            raise InputError(f"{arguments.names}: {network.name} does not distinguish classes")
        return class_names(count, read_names(arguments.names)), "given"
    if not count or model.labels:
        return class_names(count, model.labels), model.about.names
    return class_names(count), "guessed"


def unsure_of(names: tuple[str, ...], origin: Names) -> str | None:
    """What to say of names that nobody gave."""
    return doubt("guessed", len(names)) if origin == "guessed" else None


def thresholds_of(arguments: argparse.Namespace) -> dict[str, float]:
    """The thresholds that are named; for the others there are defaults."""
    named = {"threshold": arguments.thresh, "overlap": arguments.nms}
    return {name: value for name, value in named.items() if value is not None}
