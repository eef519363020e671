"""Channels in another order: a change of a convolution's filters where one is just before it.

Channel shuffles and pixel shuffles of PyTorch's order are drafted as ``Reorder``, which exists in
drafts only. Parts of what was shuffled are shuffled parts. A shuffle goes into the filters before
it, or into the weights of the convolutions behind it; what can do neither is a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ftdist.geometry import Shape
from ftdist.network.operators.base import Elementwise, Sliding, only
from ftdist.network.operators.channels import Activate, PRelu
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.tensors import Gather
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.draft import Draft, Read, Step

_MOST_WIDER = 2
"""Times as many channels as it needs that a convolution of one tap may read: fewer than a copy of
its own, which would read them too."""


@dataclass(frozen=True, slots=True)
class Reorder(Elementwise):
    """Output channel i is input channel `channels[i]`."""

    kind: ClassVar[str] = "reorder"
    channels: tuple[int, ...]

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        return Shape(source.height, source.width, len(self.channels))


def place_reorders(draft: Draft) -> Draft:
    """Replaces reorders by filters or weights in another order, or by copies."""
    return _before(_behind(_joined(draft)))


def _joined(draft: Draft) -> Draft:
    """Reorders, and parts, of reordered channels as one reorder each."""
    steps = list(draft.steps)
    for number, step in enumerate(draft.steps):
        source = step.inputs[0]
        taken = _channels_taken(step, draft.shape(source).channels)
        if taken is None or source < 0:
            continue
        before = steps[source].operation
        if isinstance(before, Reorder):
            order = tuple(before.channels[each] for each in taken)
            inputs = steps[source].inputs
            steps[number] = replace(step, operation=Reorder(order), inputs=inputs)
    return draft.changed(steps, {})


def _channels_taken(step: Step, channels: int) -> tuple[int, ...] | None:
    """The channels that a step does nothing but take, in order."""
    operation = step.operation
    if isinstance(operation, Reorder):
        return operation.channels
    if isinstance(operation, Concatenate) and len(step.inputs) == 1:
        size = channels // operation.parts
        return tuple(range(operation.part * size, (operation.part + 1) * size))
    return None


def _behind(draft: Draft) -> Draft:
    """Reorders in the weights of the convolutions that read them, where that adds little work."""
    steps = list(draft.steps)
    for number, step in enumerate(draft.steps):
        source = step.inputs[0]
        operation = step.operation
        if source < 0 or not isinstance(operation, Convolution) or operation.groups > 1:
            continue
        before = steps[source]
        if not isinstance(before.operation, Reorder):
            continue
        order = np.array(before.operation.channels)
        channels = draft.shape(before.inputs[0]).channels
        one_tap = operation.window == Sliding.square(1)
        if channels > len(order) * (_MOST_WIDER if one_tap else 1):
            continue
        weights = {**step.weights, "weights": _scattered(step.weights["weights"], order, channels)}
        steps[number] = replace(step, inputs=before.inputs, weights=weights)
    return draft.changed(steps, {})


def _scattered(read: Read, order: np.ndarray, channels: int) -> Read:
    """Weights for all channels, of weights for those of an order."""

    def weights() -> np.ndarray:
        own = read()
        found = np.zeros((len(own), channels, *own.shape[2:]), own.dtype)
        np.add.at(found.swapaxes(0, 1), order, own.swapaxes(0, 1))
        return found

    return weights


def _before(draft: Draft) -> Draft:
    """Reorders in the filters before them, where these have no other reader; else copies."""
    steps, aliases = list(draft.steps), dict[int, int]()
    only_reader = draft.only_reader()
    for number, step in enumerate(draft.steps):
        if not isinstance(step.operation, Reorder):
            continue
        order = np.array(step.operation.channels)
        chain = _chain(steps, step.inputs[0], number, only_reader)
        channels = draft.shape(step.inputs[0]).channels
        if chain and sorted(step.operation.channels) == list(range(channels)):
            for each in chain:
                weights = {name: _taken(read, order) for name, read in steps[each].weights.items()}
                steps[each] = replace(steps[each], weights=weights)
            aliases[number] = step.inputs[0]
        else:
            steps[number] = _copying(step, order)
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


def _copying(step: Step, order: np.ndarray) -> Step:
    indices = order.astype(np.float32)
    gather = Gather("channels", len(order))
    return replace(step, operation=gather, weights={"indices": lambda: indices})
