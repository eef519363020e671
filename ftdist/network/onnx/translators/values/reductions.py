"""Operators that put the values of some dims together: sums, means, the place of the largest.

Means and maxima over all rows and columns are pools of the whole map (``windows``). Over all
channels of each position a sum is a convolution of one tap, and a maximum one of channels: both are
local. All else is a ``Reduce`` of whole maps, whose view says which values belong together.
"""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Value, constant, tensor
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.views import Dim, Tensor, rows_of, size, spread
from ftdist.network.operators.channels import largest_channel
from ftdist.network.operators.joining import Multiply
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.reducing import Reduce, ReductionKind
from ftdist.network.operators.views import View
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.scaling import ONE_TAP

Given = list[Value | None]

_KINDS: dict[str, ReductionKind] = {
    "ReduceSum": "sum",
    "ReduceProd": "product",
    "ReduceMin": "min",
    "ReduceL1": "l1",
    "ReduceL2": "l2",
    "ReduceSumSquare": "sum_of_squares",
    "ReduceLogSum": "log_sum",
    "ReduceLogSumExp": "log_sum_exp",
}


def reduced_axes(node: Node, given: Given, rank: int) -> tuple[int, ...]:
    """The dims that a reduction is over, ascending; none where it does nothing."""
    axes = node.integers("axes")
    if len(given) > 1 and given[1] is not None:
        axes = tuple(int(each) for each in constant(given[1], "axes").ravel())
    if not axes and node.integer("noop_with_empty_axes"):
        return ()
    return tuple(sorted({axis % rank for axis in axes or range(rank)}))


def reduced(
    building: Building, value: Tensor, how: ReductionKind, axes: tuple[int, ...], keep: bool
) -> Tensor:
    """The values of these dims put together; with `keep` a dim of one stays for each of them."""
    step = _over_channels(building, value, how, axes)
    if step is not None:
        left = [() if axis in axes else dim for axis, dim in enumerate(value.dims)]
        return Tensor(step, tuple(d for axis, d in enumerate(left) if keep or axis not in axes))
    kept = [axis for axis in range(value.rank) if axis not in axes]
    at = rows_of([value.shape[axis] for axis in kept])
    groups = kept[:at], kept[at:-1], kept[-1:]
    rows, columns, channels = (building.factors(value, group) for group in groups)
    view = View(rows, columns, channels, building.factors(value, axes)).merged()
    step = building.add(Reduce(how, view), [value.step])
    dims: dict[int, Dim] = dict.fromkeys(axes, ())
    for group, name in zip(groups, "hwc", strict=True):
        own = spread(name, [value.shape[axis] for axis in group])  # type: ignore[arg-type]
        dims |= dict(zip(group, own, strict=True))
    return Tensor(step, tuple(dims[axis] for axis in sorted(dims) if keep or axis in kept))


def _over_channels(
    building: Building, value: Tensor, how: ReductionKind, axes: tuple[int, ...]
) -> int | None:
    """The step that puts all channels of each position together; None where that is not asked.

    And None for what has no local operator.
    """
    gone = [atom for axis in axes for atom in value.dims[axis]]
    step, channels = value.step, building.shape(value.step).channels
    if channels == 1 or {atom.axis for atom in gone} != {"c"} or size(tuple(gone)) != channels:
        return None
    if how == "max":
        return building.add(largest_channel(), [step])
    if how in ("sum_of_squares", "l2"):
        step = building.add(Multiply(), [step, step])
    elif how not in ("sum", "mean"):
        return None
    weight = np.full((1, channels, 1, 1), 1 / channels if how == "mean" else 1.0)
    bias = np.zeros(1)
    named = {"weights": lambda: weight, "bias": lambda: bias}
    made = building.add(Convolution(1, ONE_TAP), [step], named)
    if how != "l2":
        return made
    half = building.scale(made, np.zeros(1), np.full(1, 0.5))
    return building.add(Pair("power"), [made, half])


@translates(*_KINDS)
def _reduce(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    axes = reduced_axes(node, given, value.rank)
    if not axes and value.rank and node.integer("noop_with_empty_axes"):
        return value
    return reduced(building, value, _KINDS[node.kind], axes, bool(node.integer("keepdims", 1)))


@translates("ArgMax", "ArgMin")
def _place(building: Building, node: Node, given: Given) -> Value:
    """The place of the largest or smallest, as floats: whole numbers up to 2^24 are exact."""
    value = tensor(given[0])
    largest, last = node.kind == "ArgMax", node.integer("select_last_index")
    how: ReductionKind = "arg_max" if largest else "arg_min"
    if last:
        how = "arg_max_last" if largest else "arg_min_last"
    axis = node.integer("axis") % value.rank
    return reduced(building, value, how, (axis,), bool(node.integer("keepdims", 1)))
