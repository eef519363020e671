"""Reductions over space, as far as rows can be reduced one by one while they pass.

A pool of the whole map needs the whole map. A pool of whole rows needs one row at a time, so it
joins the fused group of what makes them, and only a column of positions is left for a pool of the
whole. A row's mean is the same however rows are cut into tiles and strips: no bit depends on that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ftdist.geometry import Shape, Window
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Pool
from ftdist.network.rewriting.draft import Draft, Step


def stream_pools(draft: Draft) -> Draft:
    """Pools of whole maps as pools of whole rows, and then of the column that these make."""
    steps: list[Step] = []
    place = {-1 - number: -1 - number for number in range(len(draft.inputs))}
    for number, step in enumerate(draft.steps):
        inputs = tuple(place[each] for each in step.inputs)
        shape = draft.shape(step.inputs[0])
        if _is_whole(step, shape):
            assert isinstance(step.operation, Pool)
            across = Sliding(Window(1), Window(shape.width))
            down = Sliding(Window(shape.height), Window(1))
            column = Shape(shape.height, 1, shape.channels)
            by_rows = replace(step.operation, window=across)
            steps.append(Step(f"{step.name}.rows", by_rows, inputs, column))
            inputs = (len(steps) - 1,)
            last = replace(step, operation=replace(step.operation, window=down))
            steps.append(replace(last, inputs=inputs))
        else:
            steps.append(replace(step, inputs=inputs))
        place[number] = len(steps) - 1
    return _renumbered(draft, steps, place)


def _is_whole(step: Step, source: Shape) -> bool:
    """Whether a step is a pool of a map of several rows and columns, without padding."""
    operation = step.operation
    if not isinstance(operation, Pool) or min(source.height, source.width) < 2:
        return False
    sides = operation.window.vertical, operation.window.horizontal
    dense = all(each.dilation == 1 and not each.pad_before + each.pad_after for each in sides)
    return dense and operation.window.covers(source)


def _renumbered(draft: Draft, steps: list[Step], place: Mapping[int, int]) -> Draft:
    outputs = tuple(replace(each, step=place[each.step]) for each in draft.outputs)
    return replace(draft, steps=tuple(steps), outputs=outputs)
