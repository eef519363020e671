"""Borders of zeros go into the windows that read them: convolutions, and pools that may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Window
from ftdist.network.operators.base import Operation, Sliding
from ftdist.network.operators.placing import Pad
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.rewriting.draft import Draft, Step

_LOWEST = float(np.finfo(np.float32).min)

_NEVER_BELOW_ZERO = ("relu", "relu6", "logistic")


def fold_padding(draft: Draft) -> Draft:
    """Windows that read what a border of constants was put around read the map itself."""
    steps = list(draft.steps)
    for number, step in enumerate(draft.steps):
        source = step.inputs[0]
        if source < 0 or not isinstance(steps[source].operation, Pad):
            continue
        border = steps[source]
        found = _padded(step.operation, border, steps)
        if found is None:
            continue
        inner = border.inputs[0]
        try:
            shape = found.output_shape((draft.shape(inner),))
        except InputError:  # windows that lie in the border alone
            continue
        if shape == step.shape:
            steps[number] = replace(step, operation=found, inputs=(inner,))
    return draft.changed(steps, {})


def _padded(operation: Operation, border: Step, steps: Sequence[Step]) -> Operation | None:
    """The operation with the border as its padding; None where it would compute something else."""
    pad = border.operation
    assert isinstance(pad, Pad)
    if pad.mode != "constant" or not isinstance(operation, Convolution | Pool):
        return None
    own = operation.window.vertical, operation.window.horizontal
    plain = not any(each.pad_before or each.pad_after for each in own)
    wider = Sliding(_wider(own[0], pad.top, pad.bottom), _wider(own[1], pad.left, pad.right))
    if isinstance(operation, Convolution):
        return replace(operation, window=wider) if pad.value == 0 else None
    if operation.mode == "average":
        counted = pad.value == 0 and (plain or operation.count_padding)
        return replace(operation, window=wider, count_padding=True) if counted else None
    unseen = pad.value <= _LOWEST or (pad.value == 0 and _is_at_least_zero(border, steps))
    return replace(operation, window=wider) if unseen else None


def _wider(window: Window, before: int, after: int) -> Window:
    return replace(
        window, pad_before=window.pad_before + before, pad_after=window.pad_after + after
    )


def _is_at_least_zero(border: Step, steps: Sequence[Step]) -> bool:
    """Whether nothing within a border is below zero, so that zeros change no maximum."""
    source = border.inputs[0]
    activation = None if source < 0 else getattr(steps[source].operation, "activation", None)
    return activation is not None and activation.kind in _NEVER_BELOW_ZERO
