"""Functions of the values of lists, entry by entry, and what is put together of all entries."""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.nodes import Node, Open, Unsupported
from ftdist.network.onnx.registry import translates_lists
from ftdist.network.onnx.translators.lists import lengths
from ftdist.network.onnx.translators.lists.entries import as_value, filled, shortened
from ftdist.network.onnx.translators.lists.shaping import fixed, listed, of_fixed, row_by_row
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.reductions import reduced, reduced_axes

Given = list[Open | None]

_FAR = float(np.finfo(np.float32).max)

_POINTWISE = (
    *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Sum", "Mean", "Min", "Max", "PRelu", "Where"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not"),
    *("Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Sqrt", "Reciprocal", "Exp", "Log", "Erf"),
    *(
        "Relu",
        "Sigmoid",
        "Tanh",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
        "Gelu",
        "Softplus",
        "Softsign",
    ),
    *("HardSigmoid", "HardSwish", "Mish", "Clip", "ThresholdedRelu", "IsNaN", "IsInf"),
    *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
)


@translates_lists(*_POINTWISE)
def _pointwise(building: Building, node: Node, given: Given) -> Open:
    """Lists have as many entries as each other; all else is one value, or one for each entry's."""
    if node.kind in lengths.ARITHMETIC:
        found = lengths.arithmetic(building, node, given)
        if found is not None:
            return found
    values = [as_value(building, each) for each in given]
    lists = [each for each in values if isinstance(each, List)]
    if not lists:
        return of_fixed(building, node, values)[0]
    if len({each.from_end for each in lists}) > 1:
        raise Unsupported("its inputs are of open length along different dims")
    shortest = min(lists, key=lambda each: each.capacity)
    for each in values:
        if each is None or isinstance(each, List):
            continue
        dims = each.shape
        if len(dims) >= shortest.from_end and dims[-shortest.from_end] != 1:
            raise Unsupported(f"a list of open length beside {dims}")
    same: Given = [
        shortened(building, each, shortest.capacity) if isinstance(each, List) else each
        for each in values
    ]
    (made,) = row_by_row(building, node, same)
    return List(made, made.rank - shortest.from_end, shortest.count)


_BEHIND = {
    **dict.fromkeys(("ReduceMax", "ArgMax"), -_FAR),
    **dict.fromkeys(("ReduceMin", "ArgMin"), _FAR),
    **dict.fromkeys(("ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceMean"), 0.0),
    "ReduceProd": 1.0,
}
"""What changes nothing where it stands behind the entries that are put together."""


@translates_lists(*_BEHIND)
def _reduce(building: Building, node: Node, given: Given) -> Open:
    if isinstance(given[0], Lengths):
        if node.kind in lengths.ARITHMETIC:
            found = lengths.arithmetic(building, node, given)
            if found is not None:
                return found
            return of_fixed(building, node, [as_value(building, each) for each in given])[0]
        raise Unsupported("of a shape of open length")
    value = listed(given)
    keep = bool(node.integer("keepdims", 1))
    if node.kind in ("ArgMax", "ArgMin"):
        axes: tuple[int, ...] = (node.integer("axis") % value.rank,)
    else:
        axes = reduced_axes(
            node, [None, *(fixed(e, "axes") for e in given[1:] if e is not None)], value.rank
        )
    if value.axis not in axes:
        (made,) = row_by_row(building, node, given)
        gone = 0 if keep else sum(axis < value.axis for axis in axes)
        return List(made, value.axis - gone, value.count)
    whole = filled(building, value, _BEHIND[node.kind])
    if node.kind == "ReduceMean":
        total = reduced(building, whole, "sum", axes, keep)
        inner = int(np.prod([value.shape[axis] for axis in axes if axis != value.axis]))
        total = paired(building, "divide", total, np.array(inner, np.float32))
        return paired(building, "divide", total, value.count.value)
    return of_fixed(building, node, [whole, *given[1:]])[0]


@translates_lists("Softmax", "LogSoftmax", "LpNormalization")
def _along(building: Building, node: Node, given: Given) -> Open:
    """Of each entry by itself."""
    value = listed(given)
    axis = node.integer("axis", -1 if node.integer("opset", 13) > 12 else 1) % value.rank
    if axis == value.axis:
        raise Unsupported("axis: it is of open length")
    (made,) = row_by_row(building, node, given)
    return List(made, value.axis, value.count)


@translates_lists("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool")
@translates_lists("Resize", "Upsample")
def _of_maps(building: Building, node: Node, given: Given) -> Open:
    """Entries are maps, each by itself: those of regions, as Mask R-CNN has them."""
    value = listed(given)
    if value.axis or any(isinstance(each, List | Lengths) for each in given[1:]):
        raise Unsupported("of a list whose entries are maps the first dim may be of open length")
    (made,) = row_by_row(building, node, given)
    return List(made, 0, value.count)


@translates_lists("Gemm", "MatMul")
def _product(building: Building, node: Node, given: Given) -> Open:
    """Rows of the first matrix are entries."""
    value = listed(given)
    others = [each for each in given[1:] if isinstance(each, List | Lengths)]
    if value.axis == value.rank - 1 or others or node.integer("transA"):
        raise Unsupported("of a matrix the rows may be of open length")
    (made,) = row_by_row(building, node, given)
    return List(made, made.rank - value.from_end, value.count)
