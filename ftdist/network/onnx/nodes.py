"""What an ONNX file's nodes are, as plain values, and what they are given: tensors, constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.views import Tensor

Array = NDArray[Any]

_Number = TypeVar("_Number", int, float)
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
        return _of(int, name, self.attributes.get(name, default))

    def number(self, name: str, default: float) -> float:
        return _of(float, name, self.attributes.get(name, default))

    def word(self, name: str, default: str) -> str:
        return str(self.attributes.get(name, default))

    def integers(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        values = self.attributes.get(name, default)
        if not isinstance(values, tuple | list):
            raise Unsupported(f"{name}: is no list of numbers")
        return tuple(_of(int, name, each) for each in values)


def _of(kind: type[_Number], name: str, value: Any) -> _Number:
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        raise Unsupported(f"{name}: is no number") from None


WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)
"""ONNX's numbers of the types of whole numbers."""


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
