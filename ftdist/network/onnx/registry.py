"""What the functions that translate operators are given, and where they register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.views import Tensor

if TYPE_CHECKING:
    from ftdist.network.onnx.building import Building

Array = NDArray[Any]
Value = Tensor | Array

Open = Value | List | Lengths
"""A value, which may be of open length."""


class Unsupported(Exception):
    """A node that cannot be translated: which attribute, what could be done."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Nodes within a node: one side of an If, the body of a Loop."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The values that it does not make itself."""
        own = {
            *self.constants,
            *self.inputs,
            *(name for node in self.nodes for name in node.outputs),
        }
        read = [*(name for node in self.nodes for name in node.reads), *self.outputs]
        return tuple(dict.fromkeys(name for name in read if name and name not in own))


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a file as plain values; an input that is left out is called ""."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    types: tuple[int, ...] = ()
    """ONNX's numbers of the types of what it reads; 0 where that is not known."""

    def type_of(self, at: int) -> int:
        return self.types[at] if at < len(self.types) else 0

    @property
    def reads(self) -> tuple[str, ...]:
        """All values that it needs: its inputs, and what its branches read from outside."""
        branches = [each for each in self.attributes.values() if isinstance(each, Branch)]
        return (*self.inputs, *(name for each in branches for name in each.reads))

    def integer(self, name: str, default: int = 0) -> int:
        return int(self.attributes.get(name, default))

    def number(self, name: str, default: float) -> float:
        return float(self.attributes.get(name, default))

    def word(self, name: str, default: str) -> str:
        return str(self.attributes.get(name, default))

    def integers(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        return tuple(int(each) for each in self.attributes.get(name, default))


WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)
"""ONNX's numbers of the types of whole numbers."""

Translate = Callable[["Building", Node, list[Value | None]], "Value | list[Value]"]

OPERATORS: dict[str, Translate] = {}
"""What translates each operator, by its name in ONNX."""

TranslateOpen = Callable[["Building", Node, list["Open | None"]], "Open | list[Open]"]

OF_LISTS: dict[str, TranslateOpen] = {}
"""What translates operators where something that they read or make is of open length."""


def translates_lists(*kinds: str) -> Callable[[TranslateOpen], TranslateOpen]:
    """Registers a function as what translates these operators where lengths are open."""

    def register(function: TranslateOpen) -> TranslateOpen:
        for kind in kinds:
            if kind in OF_LISTS:
                raise ValueError(f"{kind} of lists is translated twice")
            OF_LISTS[kind] = function
        return function

    return register


def translates(*kinds: str) -> Callable[[Translate], Translate]:
    """Registers a function as what translates these operators."""

    def register(function: Translate) -> Translate:
        for kind in kinds:
            if kind in OPERATORS:
                raise ValueError(f"{kind} is translated twice")
            OPERATORS[kind] = function
        return function

    return register


MOST_FRAMES = 64
"""Frames of a batch within a network that are each a layer by themselves."""


def frame_by_frame(translate: Translate) -> Translate:
    """The same where there is a batch within the network: each frame by itself, then joined."""

    def of_frames(building: Building, node: Node, given: list[Value | None]) -> Value | list[Value]:
        value = given[0]
        if not isinstance(value, Tensor) or value.rank < 3 or value.shape[0] == 1:
            return translate(building, node, given)
        if value.shape[0] > MOST_FRAMES:
            raise Unsupported(f"its input is {value.shape}; {MOST_FRAMES} frames are possible")
        found: list[Value | None] = []
        for at in range(value.shape[0]):
            place = np.array([at]), np.array([at + 1]), np.array([0])
            frame = made(building, "Slice", [value, *place])
            one = translate(building, node, [frame, *given[1:]])
            found.append(one[0] if isinstance(one, list) else one)
        return made(building, "Concat", found, {"axis": 0})

    return of_frames


def channel_by_channel(translate: Translate) -> Translate:
    """The same where there is a batch within the network, of what does the same to each channel:
    those of all frames are the channels of one."""

    def of_frames(building: Building, node: Node, given: list[Value | None]) -> Value | list[Value]:
        value = given[0]
        if not isinstance(value, Tensor) or value.rank < 3 or value.shape[0] == 1:
            return translate(building, node, given)
        frames, channels, *sides = value.shape
        flat = building.reshaped(value, (1, frames * channels, *sides))
        found = translate(building, node, [flat, *given[1:]])
        found = tensor(found[0] if isinstance(found, list) else found)
        return building.reshaped(found, (frames, channels, *found.shape[2:]))

    return of_frames


def tensor(value: Value | None, what: str = "its input") -> Tensor:
    """The value as a tensor; Unsupported for a constant or nothing."""
    if not isinstance(value, Tensor):
        raise Unsupported(f"{what} is a constant" if value is not None else f"{what} is missing")
    return value


def constant(value: Value | None, what: str) -> Array:
    """The value as a constant; Unsupported for what depends on the input."""
    if value is None:
        raise Unsupported(f"{what} is missing")
    if isinstance(value, Tensor):
        raise Unsupported(
            f"{what} depends on the input; simplify the file (onnxsim) or fix its sizes"
        )
    return value


def whole(value: Value | None, what: str) -> tuple[int, ...]:
    """A constant list of whole numbers."""
    return tuple(int(each) for each in np.asarray(constant(value, what)).ravel())


def made(
    building: Building,
    kind: str,
    given: list[Value | None],
    attributes: Mapping[str, Any] | None = None,
) -> Tensor:
    """What another operator makes of some values: how one is said by means of others."""
    node = Node(building.name, kind, (), ("",), attributes or {})
    found = OPERATORS[kind](building, node, given)
    return tensor(found[0] if isinstance(found, list) else found)
