"""One walk over nodes: each becomes constants, or steps of a draft, or a line that says why not.

An If is the branch that it takes, a Loop its body as often as it runs, where both are known when
sizes are fixed: their nodes are nodes as any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from ftdist.network.onnx import translators  # noqa: F401 - they register themselves
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.constants import computed, computes, shape_of
from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.nodes import Array, Branch, Node, Open, Unsupported, Value
from ftdist.network.onnx.refusals import Refused, unknown_operator
from ftdist.network.onnx.registry import OF_LISTS, OPERATORS, made
from ftdist.network.onnx.translators.lists.choosing import merged
from ftdist.network.onnx.translators.lists.pasting import pasted, pasting
from ftdist.network.onnx.types import FLOAT, FLOAT16, INT64, result_types, type_of
from ftdist.network.onnx.views import Tensor

MOST_REPEATED = 10_000
"""The most nodes that a Loop may come to."""


class Unknown:
    """A value that depends on a node that cannot be translated."""


UNKNOWN = Unknown()

_OF_MAPS = frozenset(("Conv", "ConvTranspose", "Resize", "Upsample", "GridSample"))
"""Operators that read maps, and are not computed at import where these are constants."""

_WEIGHTS = dict.fromkeys(("Conv", "ConvTranspose", "MatMul", "Gemm"), (1,))
"""Which inputs are read when a layer is written."""

_MOVES = ("Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")

Result = Open | Unknown

_COMPUTED = Tensor | List | Lengths

_Made = TypeVar("_Made")


@dataclass
class Translation:
    """What is known so far: values and the numbers of their types by name, and what was refused."""

    building: Building
    values: dict[str, Result]
    types: dict[str, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    def take(self, node: Node) -> None:
        """Translates a node, or adds a line about it."""
        given = [self.values.get(name, UNKNOWN) if name else None for name in node.inputs]
        known = [each for each in given if not isinstance(each, Unknown)]
        results: list[Result] = [UNKNOWN] * len(node.outputs)
        self.building.name = node.outputs[0] if node.outputs else node.name
        node = replace(node, types=tuple(self._type(name) for name in node.inputs))
        types: Sequence[int] = (0,) * len(node.outputs)
        try:
            known = _widened(node, known) if len(known) == len(given) else known
            types = result_types(node, len(node.outputs))
            if node.kind in ("If", "Loop") and len(known) == len(given):
                results, types = self._chosen(node, known)
            elif not _is_known(node.kind):
                raise Unsupported(unknown_operator(node.kind))
            elif len(known) == len(given):
                found = _result(node, self.building, known)
                results[: len(found)] = found
        except Unsupported as error:
            before = self._before(node)
            self.refused.append(Refused(node.name, node.kind, str(error), before))
        for name, result, kind in zip(node.outputs, results, types, strict=False):
            if name:
                self.values[name] = result
                self.types[name] = kind

    def _before(self, node: Node) -> str:
        """A value that a node, or one within it, reads and that some layer makes; "" where there is
        none."""
        for name in (*node.inputs, *node.reads):
            value = self.values.get(name)
            if isinstance(value, List) or (isinstance(value, Tensor) and value.step >= 0):
                return name
        return ""

    def _type(self, name: str) -> int:
        value = self.values.get(name)
        return type_of(value) if isinstance(value, np.ndarray) else self.types.get(name, 0)

    def _chosen(
        self, node: Node, given: Sequence[Open | None]
    ) -> tuple[list[Result], Sequence[int]]:
        """What a node with nodes within makes, and of which types."""
        if node.kind == "Loop":
            return self._repeated(node, given)
        condition = given[0]
        sides = [_branch(node, name, len(node.outputs)) for name in ("then_branch", "else_branch")]
        if isinstance(condition, np.ndarray):
            return self._within(sides[0 if condition.any() else 1], {})
        if not isinstance(condition, Tensor) or math.prod(condition.shape) > 1:
            raise Unsupported("its condition is not one truth value")
        return self._both(condition, sides)

    def _both(
        self, condition: Tensor, sides: Sequence[Branch]
    ) -> tuple[list[Result], Sequence[int]]:
        """Both branches are computed, and the one is taken that the condition says."""
        (first, types), (second, _) = (self._within(each, {}) for each in sides)
        found: list[Result] = []
        for pair in zip(first, second, strict=True):
            known = [each for each in pair if not isinstance(each, Unknown)]
            whole = len(known) == len(pair)
            one = partial(merged, self.building, condition, known)
            found.append(_sensible(one) if whole else UNKNOWN)
        return found, types

    def _within(
        self, branch: Branch, given: Mapping[str, tuple[Result, int]]
    ) -> tuple[list[Result], list[int]]:
        """The outputs of nodes within a node, whose inputs have these values and types."""
        self.values.update(branch.constants)
        self.values |= {name: value for name, (value, _) in given.items()}
        self.types |= {name: kind for name, (_, kind) in given.items()}
        for each in branch.nodes:
            self.take(each)
        found = [self.values.get(name, UNKNOWN) for name in branch.outputs]
        return found, [self._type(name) for name in branch.outputs]

    def _repeated(
        self, node: Node, given: Sequence[Open | None]
    ) -> tuple[list[Result], Sequence[int]]:
        """The last values of what is carried on, then what each round makes, side by side."""
        most, condition = (*given, None, None)[:2]
        if isinstance(most, _COMPUTED) or isinstance(condition, _COMPUTED):
            body = _branch(node, "body", 1 + len(node.outputs))
            return [self._of_regions(body, given[2:])], (FLOAT,)
        carried: list[Result] = [each for each in given[2:] if each is not None]
        types = [node.type_of(at + 2) for at in range(len(carried))]
        rows = len(node.outputs) - len(carried)
        body = _branch(node, "body", 1 + len(node.outputs))
        if len(body.inputs) != 2 + len(carried):
            raise Unsupported("its body reads another number of values")
        made: list[list[Result]] = [[] for _ in range(rows)]
        made_types = [0] * rows
        rounds = MOST_REPEATED if most is None else int(np.ravel(most)[0])
        goes_on = condition is None or bool(np.any(condition))
        for number in range(rounds):
            if not goes_on:
                break
            if (number + 1) * max(1, len(body.nodes)) > MOST_REPEATED:
                raise Unsupported(f"it comes to more than {MOST_REPEATED} nodes")
            round_ = np.array(number, np.int64), INT64
            starts = [round_, (np.array(True), 9), *zip(carried, types, strict=True)]
            found, kinds = self._within(body, dict(zip(body.inputs, starts, strict=True)))
            if isinstance(found[0], _COMPUTED):
                raise Unsupported("how often it runs depends on the input")
            if isinstance(found[0], Unknown):
                return [UNKNOWN] * len(node.outputs), (0,) * len(node.outputs)
            goes_on = bool(found[0].any())
            carried, types = found[1 : 1 + len(carried)], kinds[1 : 1 + len(carried)]
            made_types = kinds[1 + len(carried) :]
            for each, result in zip(made, found[1 + len(carried) :], strict=True):
                each.append(result)
        return [*carried, *(self._stacked(each) for each in made)], [*types, *made_types]

    def _of_regions(self, body: Branch, start: Sequence[Open | None]) -> Result:
        """What comes of as many rounds as the network finds regions: masks that lie where these
        do."""
        known = {name: self.values.get(name) for name in pasting(body)}
        if any(isinstance(each, Unknown) for each in known.values()):
            return UNKNOWN
        return _sensible(partial(pasted, self.building, [*known.values()], start))

    def _stacked(self, rounds: Sequence[Result]) -> Result:
        """What each round of a Loop made, along a new first dim."""
        known = [each for each in rounds if not isinstance(each, Unknown)]
        if len(known) < len(rounds):
            return UNKNOWN
        if not known:
            return np.zeros(0, np.float32)
        first = Node("", "Unsqueeze", ("", ""), ("",), {})
        zero = np.zeros(1, np.int64)
        lists = [_result(first, self.building, [each, zero])[0] for each in known]
        joined = Node("", "Concat", ("",) * len(lists), ("",), {"axis": 0})
        return _result(joined, self.building, lists)[0]


def _widened(node: Node, given: Sequence[Open | None]) -> list[Open | None]:
    """With half-wide floats as floats, but for weights that are read when their layer is written,
    and where values are only moved."""
    kept = range(len(given)) if node.kind in _MOVES else _WEIGHTS.get(node.kind, ())
    if node.kind == "Cast" and node.integer("to") in (FLOAT, FLOAT16):
        kept = (0,)
    return [
        each.astype(np.float32)
        if isinstance(each, np.ndarray) and each.dtype == np.float16 and at not in kept
        else each
        for at, each in enumerate(given)
    ]


def _branch(node: Node, name: str, outputs: int) -> Branch:
    branch = node.attributes.get(name)
    if not isinstance(branch, Branch) or len(branch.outputs) != outputs:
        raise Unsupported(f"{name} is missing, or makes another number of values")
    return branch


def _is_known(kind: str) -> bool:
    return kind in ("If", "Loop") or kind in OPERATORS or kind in OF_LISTS or computes(kind)


def _result(node: Node, building: Building, given: Sequence[Open | None]) -> list[Open]:
    """What a node makes; where lengths are open it is translated as said for lists."""
    plain = [each for each in given if not isinstance(each, List | Lengths)]
    if len(plain) == len(given):
        makes = node.kind in _MAKES_LISTS and any(isinstance(each, Tensor) for each in plain)
        if not makes:
            return list(_of_fixed(node, building, plain))
    if node.kind not in OF_LISTS:
        raise Unsupported("not supported of lists whose length depends on the input")
    found = _sensible(partial(OF_LISTS[node.kind], building, node, list(given)))
    return list(found) if isinstance(found, list) else [found]


_MAKES_LISTS = ("NonZero", "NonMaxSuppression", "Compress")


def _of_fixed(node: Node, building: Building, given: Sequence[Value | None]) -> list[Value]:
    if node.kind == "Shape" and isinstance(given[0], Tensor):
        return [np.array(shape_of(node, given[0].shape), np.int64)]
    if node.kind == "Size" and isinstance(given[0], Tensor):
        return [np.array(int(np.prod(given[0].shape)), np.int64)]
    constants = [each for each in given if not isinstance(each, Tensor)]
    if len(constants) == len(given) and computes(node.kind):
        return list(computed(node, constants))
    if node.kind not in OPERATORS:
        raise Unsupported("supported of constants only")
    if given and isinstance(given[0], np.ndarray) and node.kind in _OF_MAPS:
        given = [building.constant(given[0].astype(np.float32)), *given[1:]]
    if node.kind in _MAY_BE_INFINITE:
        given = [_sound(building, each) if isinstance(each, np.ndarray) else each for each in given]
    found = _sensible(partial(OPERATORS[node.kind], building, node, list(given)))
    return found if isinstance(found, list) else [found]


_MOST = float(np.finfo(np.float32).max)
_MAY_BE_INFINITE = ("Where", "Add", "Sub", "Mul", "Max", "Min", "Concat", "Expand", "ScatterND")


def _sound(building: Building, constant: Array) -> Value:
    """With the largest numbers for infinite ones, which masks of attention have.

    Weights are finite, so what is no number, as medians have it beside values that are none, is
    the root of -1, computed whenever the network runs.
    """
    if constant.dtype.kind != "f" or np.isfinite(constant).all():
        return constant
    undefined = np.isnan(constant)
    finite = np.clip(np.where(undefined, np.zeros((), constant.dtype), constant), -_MOST, _MOST)
    if not undefined.any():
        return finite
    flags = building.constant(-undefined.astype(np.float32))
    roots = made(building, "Sqrt", [flags])
    return made(building, "Add", [roots, finite]) if finite.any() else roots


def _sensible(translate: Callable[[], _Made]) -> _Made:
    """What a translator makes; Unsupported for whatever a hostile file brings about."""
    try:
        return translate()
    except (Unsupported, MemoryError):
        raise
    except IndexError:
        raise Unsupported("makes no sense (an input or a number is missing)") from None
    except Exception as error:
        raise Unsupported(f"makes no sense ({error or type(error).__name__})") from None


def constants_of(translation: Translation, names: Sequence[str]) -> dict[str, Array] | None:
    """Values by name, None where one of them is no constant."""
    found = {name: translation.values.get(name) for name in names}
    arrays = {
        name: each.astype(np.float32) if each.dtype == np.float16 else each
        for name, each in found.items()
        if isinstance(each, np.ndarray)
    }
    return arrays if len(arrays) == len(found) else None
