"""A network while it is put together: steps with the arrays that they will be given.

A draft is a value; every change makes another one. Steps read earlier ones by number, inputs by
numbers below zero, as in a network. An array is a function that reads it, in the precision that it
has, so that what is folded is rounded once and a large file is never in memory as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import Network
from ftdist.network.operators.base import LINEAR, Identity, Operation
from ftdist.network.operators.channels import Activate
from ftdist.network.parameters import Parameters, nothing_to_release
from ftdist.network.ports import Input, Layout

_ASKED_VALUES = 1 << 19

Read = Callable[[], NDArray[Any]]
"""Reads an array of weights, float32 or float64."""


@dataclass(frozen=True, slots=True)
class Step:
    """What will be a layer: its name, what it computes, what it reads, its weights, its shape."""

    name: str
    operation: Operation
    inputs: tuple[int, ...]
    shape: Shape
    weights: Mapping[str, Read] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """A step whose map leaves the network under a name."""

    name: str
    step: int
    layout: Layout


@dataclass(frozen=True)
class Draft:
    """A network that is not finished."""

    name: str
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]

    def shape(self, number: int) -> Shape:
        return self.steps[number].shape if number >= 0 else self.inputs[-1 - number].shape

    def readers(self) -> dict[int, list[int]]:
        """For each step the steps that read it."""
        found: dict[int, list[int]] = {number: [] for number in range(len(self.steps))}
        for number, step in enumerate(self.steps):
            for source in dict.fromkeys(step.inputs):
                if source >= 0:
                    found[source].append(number)
        return found

    def only_reader(self) -> dict[int, int]:
        """For each step that one step reads, and that is no output, that step."""
        outputs = {each.step for each in self.outputs}
        return {
            number: found[0]
            for number, found in self.readers().items()
            if len(found) == 1 and number not in outputs
        }

    def changed(self, steps: Sequence[Step], aliases: Mapping[int, int]) -> Draft:
        """With these steps instead, of which whoever read a key of `aliases` reads the value.

        Steps that nothing needs any more are left out.
        """

        def real(number: int) -> int:
            while number in aliases:
                number = aliases[number]
            return number

        needed = {real(each.step) for each in self.outputs}
        for number in range(len(steps) - 1, -1, -1):
            if number in needed:
                needed.update(real(each) for each in steps[number].inputs)
        kept = [number for number in range(len(steps)) if number in needed]
        place = {number: at for at, number in enumerate(kept)}
        place |= {-1 - at: -1 - at for at in range(len(self.inputs))}
        return replace(
            self,
            steps=tuple(
                replace(steps[n], inputs=tuple(place[real(each)] for each in steps[n].inputs))
                for n in kept
            ),
            outputs=tuple(replace(each, step=place[real(each.step)]) for each in self.outputs),
        )


def finished(
    draft: Draft, release: Callable[[], None] = nothing_to_release
) -> tuple[Network, Callable[[], Iterator[Parameters]]]:
    """The network of a draft, its layers named as its outputs are, and what reads its weights.

    `release` gives back what was read of them, as ``Parameters`` has it.
    """
    builder = NetworkBuilder(draft.name, draft.inputs)
    names = _names(draft)
    for number, step in enumerate(draft.steps):
        builder.add(step.operation, step.inputs, names[number])
    outputs: dict[int, Layout] = {}
    layouts: dict[int, bool] = {}
    for each in draft.outputs:
        number, planar = each.step, each.layout.planar
        if number < 0 or layouts.setdefault(number, planar) != planar:
            number = builder.add(Activate(LINEAR), [number], each.name)  # an array of its own
        elif names[number] != each.name or number in outputs:
            number = builder.add(Identity(), [number], each.name)
        outputs[number] = each.layout
    network = builder.finish(outputs)

    def parameters() -> Iterator[Parameters]:
        for number, step in enumerate(draft.steps):
            if step.weights:
                yield Parameters(number, _read(network, number, step, release), release)

    return network, parameters


def _names(draft: Draft) -> dict[int, str]:
    """Printable names, each different; outputs choose first."""
    names: dict[int, str] = {}
    for each in draft.outputs:
        if each.step >= 0:
            names.setdefault(each.step, each.name)
    taken = {each.name for each in draft.outputs} | {each.name for each in draft.inputs}
    for number, step in enumerate(draft.steps):
        if number in names:
            continue
        wanted = "".join(c if c.isprintable() else "?" for c in step.name)[:200] or "layer"
        name, more = wanted, 1
        while name in taken:
            more += 1
            name = f"{wanted}~{more}"
        taken.add(name)
        names[number] = name
    return names


def _read(
    network: Network, number: int, step: Step, release: Callable[[], None]
) -> dict[str, NDArray[Any]]:
    """The weights of a step; InputError for those that are not finite numbers."""
    shapes = step.operation.weights(network.shape(step.inputs[0]))
    found = {}
    where = f"{network.name}: layer {number} ({network.layers[number].name})"
    for name, shape in shapes.items():
        read = step.weights[name]
        values = _array(read)
        if values is None or values.size != math.prod(shape):
            told = "" if values is None else f" of {values.shape}"
            raise InputError(f"{where} has {name}{told}, which do not suit its input")
        with np.errstate(over="ignore"):
            if values.dtype != np.float16:  # packing widens these, a piece at a time
                values = values.astype(np.float32, copy=False)
            found[name] = values.reshape(shape)
        if not _is_finite(found[name], release):
            raise InputError(f"{where} has weights that are not finite numbers")
    return found


def _array(read: Read) -> NDArray[Any] | None:
    """The array; None where what is put together for it does not suit each other."""
    try:
        return np.asarray(getattr(read, "rounded", read)())
    except ValueError:
        return None


def _is_finite(array: NDArray[Any], release: Callable[[], None]) -> bool:
    """Whether all values are finite numbers, asked of some outputs at a time."""
    some = max(1, _ASKED_VALUES * len(array) // max(1, array.size))
    for first in range(0, len(array), some):
        if not np.isfinite(array[first : first + some]).all():
            return False
        if some < len(array):
            release()
    return True
