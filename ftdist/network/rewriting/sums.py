"""Sums of two maps go into a convolution that makes one of them, which adds the other one.

So the sum is no kernel of its own, and what the convolution makes is no map: half of what residual
networks write and read again between their convolutions.
"""

from __future__ import annotations

from dataclasses import replace

from ftdist.network.operators.base import LINEAR
from ftdist.network.operators.joining import Add
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.draft import Draft, Step


def fuse_sums(draft: Draft) -> Draft:
    """Sums become a part of the later of their two steps, where that is a convolution."""
    steps, aliases = list(draft.steps), dict[int, int]()
    only_reader = draft.only_reader()
    for number, step in enumerate(draft.steps):
        if not isinstance(step.operation, Add):
            continue
        other, source = sorted(step.inputs)
        if only_reader.get(source) != number or other == source:
            continue
        before = steps[source]
        made = _that_may_add(draft, before)
        if made is not None:
            made = replace(made, activation=step.operation.activation)
            inputs = (before.inputs[0], other)
            steps[source] = replace(before, name=step.name, operation=made, inputs=inputs)
            aliases[number] = source
    return draft.changed(steps, aliases)


def _that_may_add(draft: Draft, step: Step) -> Convolution | None:
    """The step's convolution, where it is one that can add a map."""
    operation = step.operation
    if not isinstance(operation, Convolution) or operation.activation != LINEAR:
        return None
    alone = len(step.inputs) == 1 and not operation.is_depthwise(draft.shape(step.inputs[0]))
    return operation if alone else None
