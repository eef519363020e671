"""Factors and shifts of channels: batch norm, biases added apart, products with constants.

Each is drafted as a depthwise convolution of one tap, y = s * x + t. Behind a convolution or a norm
it goes into its weights, computed in float64 and rounded once; two in a row become one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.operators.base import LINEAR, Sliding
from ftdist.network.operators.normalizing import Normalize
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.draft import Draft, Read, Step

Array = NDArray[Any]
Floats = NDArray[np.float64]

ONE_TAP = Sliding.square(1)

_ROUNDED_OUTPUTS = 16


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


def batch_norm(
    scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float
) -> tuple[Floats, Floats]:
    """(factor, shift) of (x - mean) / sqrt(variance + epsilon) * scale + bias, in float64."""
    factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    return factor, bias - mean.astype(np.float64) * factor


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
    """Factors and shifts go into the convolution or norm whose only reader they are."""
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
        if not isinstance(operation, Convolution | Normalize) or operation.activation != LINEAR:
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
    """The weights of a convolution or norm with those of a scaling behind it."""
    main = "scale" if isinstance(before.operation, Normalize) else "weights"
    with np.errstate(all="ignore"):  # broken values are found by whoever reads
        factor = np.asarray(step.weights["weights"](), np.float64).reshape(-1)
        shift = np.asarray(step.weights["bias"](), np.float64).reshape(-1)
        weights, bias = before.weights[main], before.weights["bias"]
        if isinstance(bias, _Scaled):  # one after another goes into one: no chain gets long
            shift = bias.shift * factor + shift
            bias = bias.base
        if isinstance(weights, _Scaled):
            factor = weights.factor * factor
            weights = weights.base
    return {
        main: _Scaled(weights, factor, np.zeros(())),
        "bias": _Scaled(bias, factor, shift),
    }


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Reads an array times a factor for each output, plus a shift."""

    base: Read
    factor: Floats
    shift: Floats

    def __call__(self) -> Floats:
        with np.errstate(all="ignore"):
            return self._of(np.asarray(self.base()), slice(None))

    def rounded(self) -> NDArray[np.float32]:
        """The same in float32, some outputs at a time: little memory beside the result."""
        with np.errstate(all="ignore"):
            array = np.asarray(self.base())
            found = np.empty(array.shape, np.float32)
            for first in range(0, len(array), _ROUNDED_OUTPUTS):
                rows = slice(first, first + _ROUNDED_OUTPUTS)
                found[rows] = self._of(array, rows)
            return found

    def _of(self, array: Array, rows: slice) -> Floats:
        some = array[rows]
        by_output = (-1, *[1] * (some.ndim - 1))
        factor = self.factor[rows] if self.factor.size > 1 else self.factor
        shift = self.shift[rows] if self.shift.ndim else self.shift
        return np.asarray(some.astype(np.float64) * factor.reshape(by_output) + shift)
