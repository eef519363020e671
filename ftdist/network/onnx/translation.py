"""One walk over nodes: each becomes constants, or steps of a draft, or a line that says why not.

An If is the branch that it takes, a Loop its body as often as it runs, where both are known when
sizes are fixed: their nodes are nodes as any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.dispatch import is_known, opened_value, result_of, sensible, widened
from ftdist.network.onnx.kept import Kept, Places, Values
from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.nodes import Array, Branch, Node, Open, Unsupported
from ftdist.network.onnx.refusals import Refused, unknown_operator
from ftdist.network.onnx.translators.lists.choosing import merged
from ftdist.network.onnx.translators.lists.pasting import pasted, pasting
from ftdist.network.onnx.types import FLOAT, INT64, result_types, type_of
from ftdist.network.onnx.views import Tensor

MOST_REPEATED = 10_000
"""The most nodes that a Loop may come to."""


class Unknown:
    """A value that depends on a node that cannot be translated."""


UNKNOWN = Unknown()

Result = Kept | Unknown

_COMPUTED = Tensor | List | Lengths | Values | Places


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
            known = widened(node, known) if len(known) == len(given) else known
            types = result_types(node, len(node.outputs))
            if node.kind in ("If", "Loop", "Scan") and len(known) == len(given):
                results, types = self._chosen(node, known)
            elif not is_known(node.kind):
                raise Unsupported(unknown_operator(node.kind))
            elif len(known) == len(given):
                found = result_of(node, self.building, known)
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
        self, node: Node, given: Sequence[Kept | None]
    ) -> tuple[list[Result], Sequence[int]]:
        """What a node with nodes within makes, and of which types."""
        if node.kind == "Loop":
            return self._repeated(node, given)
        if node.kind == "Scan":
            return self._scanned(node, given)
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
            if len(known) < len(pair):
                found.append(UNKNOWN)
                continue
            opened = [opened_value(self.building, each) for each in known]
            found.append(sensible(partial(merged, self.building, condition, opened)))
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
        self, node: Node, given: Sequence[Kept | None]
    ) -> tuple[list[Result], Sequence[int]]:
        """The last values of what is carried on, then what each round makes, side by side."""
        most, condition = (*given, None, None)[:2]
        if isinstance(most, _COMPUTED) or isinstance(condition, _COMPUTED):
            body = _branch(node, "body", 1 + len(node.outputs))
            start = [e if e is None else opened_value(self.building, e) for e in given[2:]]
            return [self._of_regions(body, start)], (FLOAT,)
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

    def _scanned(
        self, node: Node, given: Sequence[Kept | None]
    ) -> tuple[list[Result], Sequence[int]]:
        """The last values of what is carried on, then what each place makes, side by side."""
        body, count = _branch(node, "body", len(node.outputs)), node.integer("num_scan_inputs")
        first = len(given) - count
        if not 0 < count <= len(given) or len(body.inputs) != len(given):
            raise Unsupported("num_scan_inputs: its body reads another number of values")
        if any(node.integers("scan_output_axes")):
            raise Unsupported("scan_output_axes: the first one is supported")
        axes, back = ("scan_input_axes", "scan_input_directions")
        inputs = [
            self._along(*each)
            for each in zip(
                given[first:],
                node.integers(axes, (0,) * count),
                node.integers(back, (0,) * count),
                strict=True,
            )
        ]
        if len({len(each) for each in inputs}) > 1:
            raise Unsupported("its inputs differ in length")
        if len(inputs[0]) * max(1, len(body.nodes)) > MOST_REPEATED:
            raise Unsupported(f"it comes to more than {MOST_REPEATED} nodes")
        carried: list[Result] = [each for each in given[:first] if each is not None]
        kinds: Sequence[int] = [node.type_of(at) for at in range(len(given))]
        made: list[list[Result]] = [[] for _ in range(len(node.outputs) - len(carried))]
        found_kinds: Sequence[int] = (0,) * len(node.outputs)
        for places in zip(*inputs, strict=True):
            starts = zip(body.inputs, zip([*carried, *places], kinds, strict=True), strict=True)
            found, found_kinds = self._within(body, dict(starts))
            carried = found[: len(carried)]
            for rounds, result in zip(made, found[len(carried) :], strict=True):
                rounds.append(result)
        for rounds, turned in zip(made, node.integers("scan_output_directions"), strict=False):
            rounds[:] = rounds[::-1] if turned else rounds
        return [*carried, *(self._stacked(each) for each in made)], found_kinds

    def _along(self, value: Kept | None, axis: int, turned: int) -> list[Kept]:
        """What lies at each place of a dim."""
        if not isinstance(value, Tensor | np.ndarray) or not len(value.shape):
            raise Unsupported("its inputs have no known length")
        axis %= len(value.shape)
        if value.shape[axis] > MOST_REPEATED:
            raise Unsupported(f"it comes to more than {MOST_REPEATED} nodes")
        taken = Node("", "Gather", ("", ""), ("",), {"axis": axis})
        places = range(value.shape[axis])
        order = reversed(places) if turned else places
        return [result_of(taken, self.building, [value, np.array(each)])[0] for each in order]

    def _of_regions(self, body: Branch, start: Sequence[Open | None]) -> Result:
        """What comes of as many rounds as the network finds regions: masks that lie where these
        do."""
        known = {name: self.values.get(name) for name in pasting(body)}
        if any(isinstance(each, Unknown) for each in known.values()):
            return UNKNOWN
        return sensible(partial(pasted, self.building, [*known.values()], start))

    def _stacked(self, rounds: Sequence[Result]) -> Result:
        """What each round of a Loop made, along a new first dim."""
        known = [each for each in rounds if not isinstance(each, Unknown)]
        if len(known) < len(rounds):
            return UNKNOWN
        if not known:
            return np.zeros(0, np.float32)
        first = Node("", "Unsqueeze", ("", ""), ("",), {})
        zero = np.zeros(1, np.int64)
        lists = [result_of(first, self.building, [each, zero])[0] for each in known]
        joined = Node("", "Concat", ("",) * len(lists), ("",), {"axis": 0})
        return result_of(joined, self.building, lists)[0]


def _branch(node: Node, name: str, outputs: int) -> Branch:
    branch = node.attributes.get(name)
    if not isinstance(branch, Branch) or len(branch.outputs) != outputs:
        raise Unsupported(f"{name} is missing, or makes another number of values")
    return branch


def constants_of(translation: Translation, names: Sequence[str]) -> dict[str, Array] | None:
    """Values by name, None where one of them is no constant."""
    found = {name: translation.values.get(name) for name in names}
    arrays = {
        name: each.astype(np.float32) if each.dtype == np.float16 else each
        for name, each in found.items()
        if isinstance(each, np.ndarray)
    }
    return arrays if len(arrays) == len(found) else None
