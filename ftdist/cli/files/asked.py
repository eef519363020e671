"""What the arguments of a command ask of each picture."""

from __future__ import annotations

import argparse

from ftdist.answers.kinds import task_of
from ftdist.cli.console import complain
from ftdist.cli.files.class_names import names_of, thresholds_of, unsure_of
from ftdist.many.pictures import Asked
from ftdist.network.modelfile import Model
from ftdist.runtime.plans.fresh_process import is_fresh_start


def asked_by(arguments: argparse.Namespace, model: Model) -> Asked:
    """What is asked of each picture; says so where class names are a guess."""
    names, origin = names_of(arguments, model)
    if unsure := unsure_of(names, origin):
        tell_once(unsure)
    task, thresholds = task_of(model.network, model.about), thresholds_of(arguments)
    return Asked(
        *(model.network, task, model.about, names, thresholds), plain=arguments.labels_picture
    )


def tell_once(text: str) -> None:
    """Prints a line, unless the command began anew and has printed it before."""
    if not is_fresh_start():
        complain(f"ftdist: {text}")
