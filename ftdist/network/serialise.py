"""Networks as JSON values and back. What is read is not trusted.

Every field of an operation is read by its annotation: the exact type, none unknown. A field that
has a default is written only where it is something else, and may be missing: the default of one
that was "added_later" is what was meant before there was such a field, and none may ever change.
Shapes are inferred again, and whatever does not fit is refused as in an importer. A network whose
outputs are just what nobody reads, of one input that nobody has named, has "input" only, as all had
once; "inputs" and "outputs" stand in others.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import ftdist.network.heads  # noqa: F401 - registers the kinds of heads
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import LONGEST_LIST, ONLY_INPUT, Network, unread
from ftdist.network.operators.base import OPERATIONS
from ftdist.network.ports import PLAIN_PIXELS, Input, Layout, Pixels

_FAR = 10**15
_LARGEST = 3.4028234663852886e38
"""The largest number of 32 bits, with which kernels compute."""


def to_json(network: Network) -> dict[str, Any]:
    """A network as JSON values."""
    layers = [
        {
            "name": layer.name,
            "kind": layer.operation.kind,
            "inputs": list(layer.inputs),
            **_said(layer.operation),
        }
        for layer in network.layers
    ]
    return {"name": network.name, **_ports(network), "layers": layers}


def _said(value: Any) -> Any:
    """A dataclass as what is not its default; tuples as lists."""
    if isinstance(value, tuple):
        return [_said(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return value
    own = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {field.name: _said(each) for field, each in own if not _is_default(field, each)}


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    """To the bit: 0.0 and -0.0, or 1 and True, are two things."""
    return bool(value == field.default) and repr(value) == repr(field.default)


def _ports(network: Network) -> dict[str, Any]:
    """How arrays enter and leave."""
    plain = (Input(ONLY_INPUT, network.input),), unread(network.layers), ()
    if (network.inputs, network.outputs, network.layouts) == plain:
        return {"input": list(network.input)}
    inputs = [
        {
            "name": each.name,
            "shape": list(each.shape),
            "layout": _said(each.layout),
            "pixels": _said(each.pixels),
        }
        for each in network.inputs
    ]
    outputs = [{"layer": each, "layout": _said(network.layout(each))} for each in network.outputs]
    return {"inputs": inputs, "outputs": outputs}


def from_json(value: Any) -> Network:
    """The network that ``to_json`` described; InputError when it describes none."""
    try:
        builder = NetworkBuilder(_text(value["name"]), _inputs(value))
        for each in value["layers"]:
            fields = dict(each)
            name, kind = _text(fields.pop("name")), fields.pop("kind")
            inputs = [_layer(number) for number in fields.pop("inputs")]
            builder.add(_decoded(OPERATIONS[kind], fields), inputs, name)
        return builder.finish(_outputs(value))
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"no description of a network: {_short(repr(error))}") from None


def _inputs(value: Any) -> list[Input]:
    if "input" in value:
        return [Input(ONLY_INPUT, _shape(value["input"]))]
    return [
        Input(
            _text(each["name"]),
            _shape(each["shape"]),
            _decoded(Layout, each["layout"]),
            _decoded(Pixels, each["pixels"]) if "pixels" in each else PLAIN_PIXELS,
        )
        for each in value["inputs"]
    ]


def _outputs(value: Any) -> dict[int, Layout] | None:
    if "input" in value:
        return None
    outputs = {_whole(each["layer"]): _decoded(Layout, each["layout"]) for each in value["outputs"]}
    if not outputs or len(outputs) != len(value["outputs"]):
        raise ValueError("its outputs are none, or one comes twice")
    return outputs


def _shape(value: Any) -> Shape:
    return Shape(*(_whole(side) for side in value))


def _decoded(annotation: Any, value: Any) -> Any:
    """A JSON value as what an annotation asks for; ValueError when it is something else."""
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        fields = _field_kinds(annotation)
        required = {name for name, kind in fields.items() if not kind.optional}
        if not required <= value.keys() <= fields.keys():
            raise ValueError(f"fields {sorted(value)} instead of {sorted(fields)}")
        given = {
            name: _signed(each) if fields[name].signed else _decoded(fields[name].type, each)
            for name, each in value.items()
        }
        return annotation(**given)
    if get_origin(annotation) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is not a list")
        kind, *rest = get_args(annotation)
        kinds = [kind] * len(value) if rest == [...] else [kind, *rest]
        return tuple(_decoded(*pair) for pair in zip(kinds, value, strict=True))
    if get_origin(annotation) is Literal:
        if value not in get_args(annotation):
            raise ValueError(f"{value!r} is not one of {get_args(annotation)}")
        return value
    if annotation is int:
        return _whole(value)
    if annotation is float:
        return _real(value)
    if type(value) is not annotation:
        raise ValueError(f"{value!r} is not {annotation.__name__}")
    return value


class _Field(NamedTuple):
    """What a field's annotation asks for, whether it has a default, may be far or below zero."""

    type: Any
    optional: bool
    signed: bool


@cache
def _field_kinds(operation: Any) -> dict[str, _Field]:
    hints = get_type_hints(operation)
    return {
        field.name: _Field(
            hints[field.name], field.default is not dataclasses.MISSING, "signed" in field.metadata
        )
        for field in dataclasses.fields(operation)
    }


def _whole(value: Any) -> int:
    """All whole numbers in a network are sizes and indices of maps."""
    if type(value) is not int or not 0 <= value <= LONGEST_LIST:
        raise ValueError(f"{value!r} is not a whole number from 0 to {LONGEST_LIST}")
    return value


def _signed(value: Any) -> int:
    """A distance in floats of a map, forwards or back."""
    if type(value) is not int or not abs(value) < _FAR:
        raise ValueError(f"{value!r} is not a whole number of fewer than 16 digits")
    return value


def _layer(value: Any) -> int:
    """The number of a layer, or of an input."""
    return value if type(value) is int and -LONGEST_LIST <= value < 0 else _whole(value)


def _real(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= _LARGEST:
        raise ValueError(f"{value!r} is not a number of 32 bits")
    return float(value)


def _text(value: Any) -> str:
    if type(value) is not str or not value or not value.isprintable():
        raise ValueError(f"{value!r} is not a name of printable characters")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."
