"""Sums over products by the names of dims: products of matrices where they are that, else values
multiplied one by one and summed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.products import summed_product
from ftdist.network.onnx.translators.values.reductions import reduced
from ftdist.network.onnx.views import Tensor, spread, transposed
from ftdist.network.operators.tensors import Rearrange
from ftdist.network.operators.views import Factor, View

Given = list[Value | None]


_DOTS = 0xE000
"""From here on nothing is a letter."""


@translates("Einsum")
def _einsum(building: Building, node: Node, given: Given) -> Value:
    values = [building.tensor(each, "an operand") for each in given]
    names, result = _named(node.word("equation", ""), [each.rank for each in values])
    for at, own in enumerate(names):
        values[at], names[at] = _without_repeats(building, values[at], own)
    if len(values) == 2 and (found := _as_matrices(building, values, names, result)) is not None:
        return found
    letters = result + "".join(sorted({*"".join(names)} - {*result}))
    total = _aligned(values[0], names[0], letters)
    for value, own in zip(values[1:], names[1:], strict=True):
        total = paired(building, "multiply", total, _aligned(value, own, letters))
    gone = tuple(range(len(result), len(letters)))
    return reduced(building, total, "sum", gone, keep=False) if gone else total


def _named(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """A letter for each dim of the operands and of the result; dots are no letters."""
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    names = inputs.split(",")
    if len(names) != len(ranks):
        raise Unsupported(f"equation: {equation} for {len(ranks)} operands")
    most = max(
        (rank - len(own) + 3 for own, rank in zip(names, ranks, strict=True) if "..." in own),
        default=0,
    )
    dots = "".join(chr(_DOTS + at) for at in range(max(0, most)))
    plain = "".join(names).replace(".", "")
    if plain and not plain.isalpha():
        raise Unsupported(f"equation: {equation}; dims have letters")
    if not arrow:
        once = sorted(each for each in {*plain} if plain.count(each) == 1)
        result = "..." * ("." in inputs) + "".join(once)
    found = []
    for own, rank in zip(names, ranks, strict=True):
        count = rank - len(own) + 3
        found.append(own.replace("...", dots[len(dots) - count :] if count > 0 else ""))
        if len(found[-1]) != rank:
            raise Unsupported(f"equation: {equation} for an operand of {rank} dims")
    return found, result.replace("...", dots)


def _without_repeats(building: Building, value: Tensor, names: str) -> tuple[Tensor, str]:
    """The diagonal where two dims have the same letter."""
    left = "".join(dict.fromkeys(names))
    if left == names:
        return value, names
    value = building.listed(value)
    factors: dict[str, Factor] = {}
    for axis, name in enumerate(names):
        own = building.factors(value, [axis]) or (Factor(1, 0),)
        if len(own) > 1 or (name in factors and factors[name].count != own[0].count):
            raise Unsupported("equation: dims of one letter differ in length")
        before = factors.get(name, Factor(own[0].count, 0))
        factors[name] = Factor(own[0].count, before.step + own[0].step)
    rows = tuple(factors[name] for name in left)
    step = building.add(Rearrange(View(rows, (), ()).merged()), [value.step])
    return Tensor(step, tuple(spread("h", [factors[name].count for name in left]))), left


def _aligned(value: Tensor, names: str, letters: str) -> Tensor:
    """The tensor with its dims in the order of all letters, and dims of one for what it lacks."""
    dims = dict(zip(names, value.dims, strict=True))
    return Tensor(value.step, tuple(dims.get(name, ()) for name in letters))


def _as_matrices(
    building: Building, values: list[Tensor], names: list[str], result: str
) -> Tensor | None:
    """A product of matrices; None where no dim of the result is one of a single operand."""
    shared = {*names[0]} & {*names[1]}
    own = [name for name in result if name not in shared]
    gone = {*names[0], *names[1]} - {*result}
    if not own or not gone or not gone <= shared:
        return None
    # That dim goes last, as the kernel wants it, and back to its place.
    last = own[-1]
    moved = "".join(name for name in result if name != last) + last
    order = (0, 1) if last in names[1] else (1, 0)
    pair, both = (values[order[0]], values[order[1]]), (names[order[0]], names[order[1]])
    if math.prod(len(each) for each in both) == 0:
        return None
    made = summed_product(building, pair, both, moved)
    return transposed(made, [moved.index(name) for name in result])
