"""Factors and shifts of channels: batch norm, biases added apart, products with constants.

Each is drafted as a depthwise convolution of one tap, y = s * x + t. Behind a convolution it goes
into its weights, computed in float64 and rounded once; two in a row become one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.operators.base import LINEAR, Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.draft import Draft, Read, Step

Floats = NDArray[np.float64]

ONE_TAP = Sliding.square(1)


def scaling(name: str, source: int, shape: Shape, factor: Floats, shift: Floats) -> Step:
    """A step that multiplies each channel and adds to it."""
    channels = shape.channels
    return Step(
        name,
        Convolution(channels, ONE_TAP, channels),
        (source,),
        shape,
        {"weights": lambda: factor.reshape(channels, 1, 1, 1), "bias": lambda: shift},
    )


def is_scaling(step: Step) -> bool:
    """Whether all that a step does is y = s * x + t, channel by channel."""
    operation, channels = step.operation, step.shape.channels
    return (
        isinstance(operation, Convolution)
        and operation.window == ONE_TAP
        and operation.groups == operation.filters == channels
        and (channels > 1 or step.weights["weights"]().size == 1)
    )


def fold_scalings(draft: Draft) -> Draft:
    """Factors and shifts go into the convolution whose only reader they are."""
    steps, aliases = list(draft.steps), dict[int, int]()
    only_reader = draft.only_reader()
    for number, step in enumerate(draft.steps):
        (source, *_) = step.inputs
        while source in aliases:
            source = aliases[source]
        if not is_scaling(step) or source < 0 or only_reader.get(step.inputs[0]) != number:
            continue
        before = steps[source]
        operation = before.operation
        if not isinstance(operation, Convolution) or operation.activation != LINEAR:
            continue
        own = step.operation
        assert isinstance(own, Convolution)
        steps[source] = replace(
            before,
            name=step.name,
            operation=replace(operation, activation=own.activation),
            weights=_folded(before, step),
        )
        aliases[number] = source
    return draft.changed(steps, aliases)


def _folded(before: Step, step: Step) -> dict[str, Read]:
    weights, bias = before.weights["weights"], before.weights["bias"]
    factors, shifts = step.weights["weights"], step.weights["bias"]
    return {"weights": _product(weights, factors), "bias": _sum(bias, factors, shifts)}


def _product(weights: Read, factors: Read) -> Callable[[], Floats]:
    def read() -> Floats:
        with np.errstate(all="ignore"):  # broken values are found by whoever reads
            return np.asarray(weights().astype(np.float64) * factors().reshape(-1, 1, 1, 1))

    return read


def _sum(bias: Read, factors: Read, shifts: Read) -> Callable[[], Floats]:
    def read() -> Floats:
        with np.errstate(all="ignore"):
            return np.asarray(bias().astype(np.float64) * factors().reshape(-1) + shifts())

    return read
