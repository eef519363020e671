"""Channels in another order: a change of a convolution's filters where one is just before it.

Channel shuffles and pixel shuffles of PyTorch's order are drafted as ``Reorder``, which exists in
drafts only. What cannot go into filters becomes a convolution of one tap that copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ftdist.geometry import Shape
from ftdist.network.operators.base import Elementwise, Sliding, only
from ftdist.network.operators.channels import Activate, PRelu
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.draft import Draft, Read, Step


@dataclass(frozen=True, slots=True)
class Reorder(Elementwise):
    """Output channel i is input channel `channels[i]`."""

    kind: ClassVar[str] = "reorder"
    channels: tuple[int, ...]

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        return Shape(source.height, source.width, len(self.channels))


def place_reorders(draft: Draft) -> Draft:
    """No reorders any more: filters in another order, or copies."""
    steps, aliases = list(draft.steps), dict[int, int]()
    only_reader = draft.only_reader()
    for number, step in enumerate(draft.steps):
        if not isinstance(step.operation, Reorder):
            continue
        order = np.array(step.operation.channels)
        chain = _chain(steps, step.inputs[0], number, only_reader)
        if chain and sorted(step.operation.channels) == list(range(len(order))):
            for each in chain:
                weights = {name: _taken(read, order) for name, read in steps[each].weights.items()}
                steps[each] = replace(steps[each], weights=weights)
            aliases[number] = step.inputs[0]
        else:
            steps[number] = _copying(step, order, draft.shape(step.inputs[0]).channels)
    return draft.changed(steps, aliases)


def _chain(
    steps: list[Step], source: int, reader: int, only_reader: dict[int, int]
) -> tuple[int, ...]:
    """The steps from a convolution to `reader` that may have their channels in another order."""
    chain: list[int] = []
    while source >= 0 and only_reader.get(source) == reader:
        operation = steps[source].operation
        chain.append(source)
        if isinstance(operation, Convolution):
            return tuple(chain) if operation.groups == 1 else ()
        if not isinstance(operation, Activate | PRelu):
            return ()
        reader, source = source, steps[source].inputs[0]
    return ()


def _taken(read: Read, order: np.ndarray) -> Read:
    return lambda: read()[order]


def _copying(step: Step, order: np.ndarray, channels: int) -> Step:
    def weights() -> np.ndarray:
        found = np.zeros((len(order), channels, 1, 1), np.float32)
        found[np.arange(len(order)), order] = 1
        return found

    operation = Convolution(len(order), Sliding.square(1))
    bias = np.zeros(len(order), np.float32)
    return replace(step, operation=operation, weights={"weights": weights, "bias": lambda: bias})
