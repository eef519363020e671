"""Sequences of values, which are put together and taken apart when sizes are fixed.

Nothing of them is left in a network: what comes out of one again is one of its values, or some side
by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ftdist.network.onnx.kept import Kept, Places, Values
from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.nodes import Node, Unsupported

Given = Sequence[Kept | None]

MOST_VALUES = 10_000
"""The most values that a sequence may come to."""


class Ask(Protocol):
    """What an operator of ONNX makes of some values."""

    def __call__(
        self, kind: str, given: Given, attributes: Mapping[str, Any] | None = None
    ) -> Kept: ...


Make = Callable[[Node, Given, Ask], Kept]

OF_SEQUENCES: dict[str, Make] = {}
"""What makes and reads sequences, by its name in ONNX."""


def _of_sequences(kind: str) -> Callable[[Make], Make]:
    def register(function: Make) -> Make:
        OF_SEQUENCES[kind] = function
        return function

    return register


def _entries(given: Given) -> tuple[Kept, ...]:
    if not given or not isinstance(given[0], Values):
        raise Unsupported("its first input is no sequence")
    return given[0].entries


def _place(given: Given, at: int, count: int, default: int) -> int:
    """A place among so many."""
    if len(given) <= at or given[at] is None:
        return default
    place = given[at]
    if not isinstance(place, np.ndarray) or place.size != 1:
        raise Unsupported("position: it depends on the input")
    number = int(place.ravel()[0])
    if not -count <= number < count:
        raise Unsupported(f"position: {number} of a sequence of {count}")
    return number % count


@_of_sequences("SequenceEmpty")
def _empty(node: Node, given: Given, ask: Ask) -> Kept:
    return Values(())


@_of_sequences("SequenceConstruct")
def _constructed(node: Node, given: Given, ask: Ask) -> Kept:
    return Values(tuple(each for each in given if each is not None))


@_of_sequences("SequenceInsert")
def _inserted(node: Node, given: Given, ask: Ask) -> Kept:
    entries = _entries(given)
    if len(given) < 2 or given[1] is None or len(entries) >= MOST_VALUES:
        raise Unsupported(f"nothing is inserted, or into more than {MOST_VALUES} values")
    place = _place(given, 2, len(entries) + 1, len(entries))
    return Values((*entries[:place], given[1], *entries[place:]))


@_of_sequences("SequenceErase")
def _erased(node: Node, given: Given, ask: Ask) -> Kept:
    entries = _entries(given)
    place = _place(given, 1, len(entries), len(entries) - 1)
    return Values((*entries[:place], *entries[place + 1 :]))


@_of_sequences("SequenceAt")
def _taken(node: Node, given: Given, ask: Ask) -> Kept:
    entries = _entries(given)
    return entries[_place(given, 1, len(entries), 0)]


@_of_sequences("SequenceLength")
def _counted(node: Node, given: Given, ask: Ask) -> Kept:
    return np.array(len(_entries(given)), np.int64)


@_of_sequences("ConcatFromSequence")
def _concatenated(node: Node, given: Given, ask: Ask) -> Kept:
    entries, axis = list(_entries(given)), node.integer("axis")
    if not entries:
        raise Unsupported("of an empty sequence")
    if node.integer("new_axis"):
        entries = [ask("Unsqueeze", [each, np.array([axis])]) for each in entries]
    return ask("Concat", entries, {"axis": axis}) if len(entries) > 1 else entries[0]


@_of_sequences("SplitToSequence")
def _split(node: Node, given: Given, ask: Ask) -> Kept:
    """Parts of these lengths, or as many of one length as there are."""
    value = given[0] if given else None
    if value is None or isinstance(value, List | Lengths | Values | Places):
        raise Unsupported("of a value of open length")
    axis = node.integer("axis") % max(1, len(value.shape))
    length, wanted = value.shape[axis], given[1] if len(given) > 1 else None
    if wanted is not None and not isinstance(wanted, np.ndarray):
        raise Unsupported("split: it depends on the input")
    lengths = [1] * length if wanted is None else [int(each) for each in wanted.ravel()]
    if wanted is not None and wanted.ndim == 0:
        each = max(1, lengths[0])
        lengths = [min(each, length - first) for first in range(0, length, each)]
    if sum(lengths) != length or len(lengths) > MOST_VALUES or min(lengths, default=0) < 0:
        raise Unsupported(f"split: {lengths[:8]} of {length}")
    ends = np.cumsum(lengths)
    parts = [
        ask("Slice", [value, *(np.array([each]) for each in (end - count, end, axis))])
        for count, end in zip(lengths, ends, strict=True)
    ]
    if wanted is None and not node.integer("keepdims", 1):
        parts = [ask("Squeeze", [each, np.array([axis])]) for each in parts]
    return Values(tuple(parts))


@_of_sequences("Optional")
@_of_sequences("OptionalGetElement")
def _same(node: Node, given: Given, ask: Ask) -> Kept:
    if not given or given[0] is None:
        raise Unsupported("it has nothing in it")
    return given[0]


@_of_sequences("OptionalHasElement")
def _is_there(node: Node, given: Given, ask: Ask) -> Kept:
    return np.array(bool(given) and given[0] is not None)
