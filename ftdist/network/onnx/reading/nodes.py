"""Nodes of a graph as plain values; a call of a function that the file defines is its nodes.

What a function's nodes make is called as the first value that the call makes, two colons, and as
the function calls it, so that no two calls make the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftdist.errors import InputError
from ftdist.network.onnx.nodes import Branch, Node
from ftdist.network.onnx.reading.schema import (
    FLOAT,
    FLOATS,
    GRAPH,
    INT,
    INTS,
    STRING,
    STRINGS,
    TENSOR,
)
from ftdist.network.onnx.reading.stripped import Place
from ftdist.network.onnx.reading.tensors import Mapped, array, shown

MOST_NODES = 100_000

_Key = tuple[str, str, str]

_SAME = {
    f"com.microsoft.{kind}": kind
    for kind in ("QuantizeLinear", "DequantizeLinear", "Gelu", "GridSample")
}
"""Operators of one runtime that are ONNX's; it had them before, or for more types."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where nodes stand: in the graph itself, or in a call of a function.

    `names` are what the function's inputs and outputs are called where it is called, `attributes`
    those of the call, `calls` the functions that are being called.
    """

    opset: int
    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[_Key, ...] = ()

    def name(self, own: str) -> str:
        """What a value is called in the whole graph."""
        if not own or not self.calls:
            return own
        return self.names.get(own, f"{self.prefix}::{own}")


class NodeReader:
    """Reads the nodes of a file, whose functions are `functions`."""

    def __init__(self, functions: Sequence[Any], mapped: Mapped) -> None:
        self._mapped = mapped
        self._functions = {_key(each, each.name): each for each in functions}
        self._count = 0

    def nodes(
        self,
        protos: Sequence[Any],
        scope: Scope,
        places: Mapping[tuple[int, int], Place] | None = None,
    ) -> tuple[Node, ...]:
        """The nodes; InputError where functions call themselves, or come to too many nodes.

        `places`: where data of attributes are, by the numbers of the node and of the attribute.
        """
        found: list[Node] = []
        for number, each in enumerate(protos):
            self._count += 1
            if self._count > MOST_NODES:
                path = self._mapped.path
                raise InputError(f"{path}: its functions come to more than {MOST_NODES} nodes")
            key = _key(each, each.op_type)
            own = [(places or {}).get((number, at)) for at in range(len(each.attribute))]
            attributes = self._attributes(each.attribute, scope, own)
            if key in self._functions:
                found += self._called(key, each, scope, attributes)
            else:
                found.append(self._node(each, number, scope, attributes))
        return tuple(found)

    def _called(
        self, key: _Key, call: Any, scope: Scope, attributes: Mapping[str, Any]
    ) -> list[Node]:
        function = self._functions[key]
        if key in scope.calls:
            path = self._mapped.path
            raise InputError(f"{path}: its function {shown(function.name)} calls itself")
        read = [scope.name(each) for each in call.input]
        made = [scope.name(each) for each in call.output]
        names = dict.fromkeys(function.input, "") | dict(zip(function.input, read, strict=False))
        handed_on = []
        for own, outside in zip(function.output, made, strict=False):
            if own in names:
                handed_on.append(Node(shown(outside), "Identity", (names[own],), (outside,), {}))
            elif outside:
                names[own] = outside
        defaults = self._attributes(function.attribute_proto, scope)
        opset = _opset(function.opset_import, scope.opset)
        prefix = next((each for each in made if each), call.name)
        given = defaults | dict(attributes)
        within = Scope(opset, prefix, names, given, (*scope.calls, key))
        return [*self.nodes(function.node, within), *handed_on]

    def _node(self, node: Any, number: int, scope: Scope, attributes: Mapping[str, Any]) -> Node:
        made = tuple(scope.name(each) for each in node.output)
        name = scope.name(node.name) or (made[0] if made else f"node {number}")
        kind = node.op_type if _domain(node) == "" else f"{node.domain}.{node.op_type}"
        kind = _SAME.get(kind, kind)
        read = tuple(scope.name(each) for each in node.input)
        return Node(shown(name), shown(kind), read, made, {"opset": scope.opset, **attributes})

    def _attributes(
        self, protos: Sequence[Any], scope: Scope, places: Sequence[Place | None] = ()
    ) -> dict[str, Any]:
        """By name; those that are the call's are left out where it does not say them."""
        found: dict[str, Any] = {}
        for number, each in enumerate(protos):
            if each.ref_attr_name and scope.calls:
                if each.ref_attr_name in scope.attributes:
                    found[each.name] = scope.attributes[each.ref_attr_name]
            elif each.type == GRAPH:
                found[each.name] = self._branch(each.g, scope)
            else:
                place = places[number] if number < len(places) else None
                found[each.name] = self._attribute(each, place)
        return found

    def _branch(self, graph: Any, scope: Scope) -> Branch:
        constants = {scope.name(e.name): array(e, self._mapped) for e in graph.initializer}
        outputs = tuple(scope.name(each.name) for each in graph.output)
        inputs = tuple(scope.name(each.name) for each in graph.input)
        return Branch(self.nodes(graph.node, scope), constants, outputs, inputs)

    def _attribute(self, attribute: Any, place: Place | None) -> Any:
        plain: dict[int, Callable[[], Any]] = {
            FLOAT: lambda: float(attribute.f),
            INT: lambda: int(attribute.i),
            STRING: lambda: attribute.s.decode("utf-8", "replace"),
            TENSOR: lambda: array(attribute.t, self._mapped, place),
            FLOATS: lambda: tuple(attribute.floats),
            INTS: lambda: tuple(attribute.ints),
            STRINGS: lambda: tuple(each.decode("utf-8", "replace") for each in attribute.strings),
        }
        known = plain.get(attribute.type)
        return None if known is None else known()


def _domain(named: Any) -> str:
    return "" if named.domain == "ai.onnx" else str(named.domain)


def _key(named: Any, name: str) -> _Key:
    """What tells a function from others: of a function, or of a node that may call it."""
    return _domain(named), name, named.overload


def _opset(imports: Sequence[Any], default: int) -> int:
    return next((int(each.version) for each in imports if _domain(each) == ""), default)


def opset_of(imports: Sequence[Any]) -> int:
    """The opset of a graph's own nodes; 1 where the file does not say it."""
    return _opset(imports, 1)
