"""Operators that put the values of some dims together: sums, means, the place of the largest.

Means and maxima over all rows and columns are pools of the whole map (``windows``). All else is a
``Reduce`` of whole maps, whose view says which values belong together.
"""

from __future__ import annotations

from ftdist.network.onnx.building import Building, spread
from ftdist.network.onnx.registry import Node, Value, constant, tensor, translates
from ftdist.network.onnx.views import Dim, Tensor
from ftdist.network.operators.reducing import Reduce, ReductionKind
from ftdist.network.operators.views import View

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
    kept = [axis for axis in range(value.rank) if axis not in axes]
    groups = kept[:-2], kept[-2:-1], kept[-1:]
    rows, columns, channels = (building.factors(value, group) for group in groups)
    view = View(rows, columns, channels, building.factors(value, axes)).merged()
    step = building.add(Reduce(how, view), [value.step])
    dims: dict[int, Dim] = dict.fromkeys(axes, ())
    for group, name in zip(groups, "hwc", strict=True):
        own = spread(name, [value.shape[axis] for axis in group])  # type: ignore[arg-type]
        dims |= dict(zip(group, own, strict=True))
    return Tensor(step, tuple(dims[axis] for axis in sorted(dims) if keep or axis in kept))


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
