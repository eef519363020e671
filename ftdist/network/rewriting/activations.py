"""Activations: recognised where they are spelled out, and put at the end of what makes their input.

x * sigmoid(x) is swish, x * relu6(x + 3) / 6 is hard-swish. An activation that is its producer's
only reader becomes a part of it: one kernel instead of two, and no map between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ftdist.network.operators.base import LINEAR, Activation, Operation
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Add, Multiply, Sum, WeightedSum
from ftdist.network.operators.normalizing import Normalize
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.windows import Convolution, Local
from ftdist.network.rewriting.draft import Draft, Step
from ftdist.network.rewriting.scaling import is_scaling

_ENDS = (Convolution, Local, Add, Sum, WeightedSum, Multiply, Normalize, Pair)
"""Operators that can end with an activation."""


def recognise_gates(draft: Draft) -> Draft:
    """Products of a map with a function of itself."""
    steps = list(draft.steps)
    for number, step in enumerate(draft.steps):
        if isinstance(step.operation, Multiply) and step.operation.activation == LINEAR:
            for value, gate in (step.inputs, step.inputs[::-1]):
                found = _gate(steps, value, gate)
                if found is not None:
                    steps[number] = replace(step, operation=Activate(found), inputs=(value,))
                    break
    return draft.changed(_divided(steps, draft), {})


def _gate(steps: Sequence[Step], value: int, gate: int) -> Activation | None:
    """What value * gate is, where the gate is a function of the value that has a name."""
    if gate < 0:
        return None
    own = steps[gate]
    if isinstance(own.operation, Activate) and own.inputs == (value,):
        return {"logistic": Activation("swish")}.get(own.operation.activation.kind)
    return _hard_sigmoid(steps, value, gate)


def _hard_sigmoid(steps: Sequence[Step], value: int, gate: int) -> Activation | None:
    """Hard-swish: the gate is relu6(value + 3) / 6."""
    own = steps[gate]
    if not is_scaling(own) or not _is(own, 1 / 6, 0) or own.inputs[0] < 0:
        return None
    clip = steps[own.inputs[0]]
    if clip.operation != Activate(Activation("relu6")) or clip.inputs[0] < 0:
        return None
    shifted = steps[clip.inputs[0]]
    matches = is_scaling(shifted) and shifted.inputs == (value,) and _is(shifted, 1, 3)
    return Activation("hardswish") if matches else None


def _divided(steps: Sequence[Step], draft: Draft) -> list[Step]:
    """Hard-swish whose division by 6 comes last: x * relu6(x + 3) is six times that."""
    found = list(steps)
    for number, step in enumerate(steps):
        source = step.inputs[0]
        if not is_scaling(step) or source < 0 or not _is(step, 1 / 6, 0):
            continue
        product = found[source]
        if not isinstance(product.operation, Multiply):
            continue
        for value, gate in (product.inputs, product.inputs[::-1]):
            if gate < 0 or found[gate].operation != Activate(Activation("relu6")):
                continue
            shifted = found[found[gate].inputs[0]] if found[gate].inputs[0] >= 0 else None
            if (
                shifted is not None
                and is_scaling(shifted)
                and shifted.inputs == (value,)
                and _is(shifted, 1, 3)
            ):
                activate: Operation = Activate(Activation("hardswish"))
                found[number] = replace(step, operation=activate, inputs=(value,), weights={})
                break
    return found


def _is(step: Step, factor: float, shift: float) -> bool:
    """Whether a scaling has this factor and this shift on all channels."""
    factors, shifts = step.weights["weights"](), step.weights["bias"]()
    return bool(
        np.allclose(factors, factor, rtol=1e-6, atol=0) and np.allclose(shifts, shift, rtol=1e-6)
    )


def fuse_activations(draft: Draft) -> Draft:
    """Activations at the end of the step whose only reader they are."""
    steps, aliases = list(draft.steps), dict[int, int]()
    only_reader = draft.only_reader()
    for number, step in enumerate(draft.steps):
        source = step.inputs[0]
        if not isinstance(step.operation, Activate) or only_reader.get(source) != number:
            continue
        before = steps[source].operation
        if isinstance(before, _ENDS) and before.activation == LINEAR:
            operation = replace(before, activation=step.operation.activation)
            steps[source] = replace(steps[source], operation=operation, name=step.name)
            aliases[number] = source
    return draft.changed(steps, aliases)
