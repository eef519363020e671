"""Reductions over space, as far as rows can be reduced one by one while they pass.

A pool of the whole map needs the whole map. A pool of whole rows needs one row at a time, so it
joins the fused group of what makes them, and only a column of positions is left for a pool of the
whole. A row's mean is the same however rows are cut into tiles and strips: no bit depends on that.

A norm over space needs such means, of the values and of the squares of what is left without them,
and is local otherwise: the group behind it applies it to the rows that it reads. So one map is held
for it, its input, and not its output beside that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from ftdist.geometry import Shape, Window
from ftdist.network.operators.base import Operation, Sliding
from ftdist.network.operators.functions import Function
from ftdist.network.operators.joining import Multiply
from ftdist.network.operators.normalizing import Normalize
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.tensors import Gather
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.rewriting.draft import Draft, Read, Step
from ftdist.network.rewriting.scaling import ONE_TAP


class _Growing:
    """Steps that are written anew, some of them as several."""

    def __init__(self, draft: Draft) -> None:
        self.steps: list[Step] = []
        self._draft = draft

    def shape(self, number: int) -> Shape:
        return self.steps[number].shape if number >= 0 else self._draft.shape(number)

    def add(
        self,
        name: str,
        operation: Operation,
        *inputs: int,
        weights: Mapping[str, Read] | None = None,
    ) -> int:
        shape = operation.output_shape(tuple(map(self.shape, inputs)))
        self.steps.append(Step(name, operation, inputs, shape, weights or {}))
        return len(self.steps) - 1


Replacement = Callable[[_Growing, Step, Shape], int | None]
"""Adds what a step with an input of a shape becomes, and gives the last of it; None: it stays."""


def stream_pools(draft: Draft) -> Draft:
    """Pools of whole maps as pools of whole rows, and then of the column that these make."""
    return _replaced(draft, _pool)


def stream_norms(draft: Draft) -> Draft:
    """Norms over space as the means that they need, and what they do to each position."""
    return _replaced(draft, _norm)


def _replaced(draft: Draft, replacement: Replacement) -> Draft:
    growing = _Growing(draft)
    place = {-1 - number: -1 - number for number in range(len(draft.inputs))}
    for number, step in enumerate(draft.steps):
        moved = replace(step, inputs=tuple(place[each] for each in step.inputs))
        last = replacement(growing, moved, draft.shape(step.inputs[0]))
        if last is None:
            growing.steps.append(moved)
            last = len(growing.steps) - 1
        place[number] = last
    outputs = tuple(replace(each, step=place[each.step]) for each in draft.outputs)
    return replace(draft, steps=tuple(growing.steps), outputs=outputs)


def _pool(growing: _Growing, step: Step, shape: Shape) -> int | None:
    pool = step.operation
    if not isinstance(pool, Pool) or not _is_whole(pool, shape):
        return None
    across = Sliding(Window(1), Window(shape.width))
    down = Sliding(Window(shape.height), Window(1))
    column = growing.add(f"{step.name}.rows", replace(pool, window=across), *step.inputs)
    return growing.add(step.name, replace(pool, window=down), column, weights=step.weights)


def _norm(growing: _Growing, step: Step, shape: Shape) -> int | None:
    norm = step.operation
    if not isinstance(norm, Normalize) or norm.spatial or min(shape.height, shape.width) < 2:
        return None
    return _normalized(growing, step, norm, step.inputs[0], shape)


def _normalized(growing: _Growing, step: Step, norm: Normalize, source: int, shape: Shape) -> int:
    """Adds the steps of a norm of channels or groups of them; the last one is the result."""
    channels, name = shape.channels, step.name

    def away(middle: int | None) -> int:
        """The values without their mean, made anew by each reader: so none is held."""
        if middle is None:
            return source
        return growing.add(f"{name}.away", Pair("subtract"), source, middle)

    mean = partial(_mean, growing, norm.groups, shape)
    middle = mean(f"{name}.mean", source, 0.0) if norm.centered else None
    once = away(middle)
    squares = growing.add(f"{name}.squares", Multiply(), once, once)
    variance = mean(f"{name}.variance", squares, norm.epsilon)
    root = growing.add(f"{name}.root", Function("sqrt"), variance)
    inverse = growing.add(f"{name}.inverse", Function("reciprocal"), root)
    zeros, ones = np.zeros(channels), np.ones((channels, 1, 1, 1))
    read = step.weights["scale"]
    factors = {"weights": lambda: read().reshape(channels, 1, 1, 1), "bias": lambda: zeros}
    tap = Convolution(channels, ONE_TAP, channels)
    factor = growing.add(f"{name}.factor", tap, inverse, weights=factors)
    product = growing.add(f"{name}.product", Multiply(), away(middle), factor)
    last = replace(tap, activation=norm.activation)
    biases = {"weights": lambda: ones, "bias": step.weights["bias"]}
    return growing.add(name, last, product, weights=biases)


def _mean(
    growing: _Growing, groups: int, shape: Shape, name: str, source: int, shift: float
) -> int:
    """Adds the steps of the mean of each channel's group, plus a shift, for all channels."""
    channels = shape.channels
    each = channels // groups
    made = growing.add(name, _whole(shape), source)
    if each == 1 and not shift:
        return made
    joint: dict[str, Read] = {
        "weights": lambda: np.full((groups, each, 1, 1), 1 / each),
        "bias": lambda: np.full(groups, shift),
    }
    made = growing.add(name, Convolution(groups, ONE_TAP, groups), made, weights=joint)
    if each == 1:
        return made
    repeated: dict[str, Read] = {"indices": lambda: np.arange(channels) // each}
    return growing.add(name, Gather("channels", channels), made, weights=repeated)


def _whole(shape: Shape) -> Pool:
    return Pool("average", Sliding(Window(shape.height), Window(shape.width)))


def _is_whole(pool: Pool, source: Shape) -> bool:
    """Whether a pool is one of a map of several rows and columns, without padding."""
    if min(source.height, source.width) < 2:
        return False
    sides = pool.window.vertical, pool.window.horizontal
    dense = all(each.dilation == 1 and not each.pad_before + each.pad_after for each in sides)
    return dense and pool.window.covers(source)
