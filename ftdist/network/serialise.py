"""Networks as JSON values and back. What is read is not trusted: shapes are inferred again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ftdist.errors import InputError
from ftdist.geometry import Shape, Window
from ftdist.network.graph import Network, NetworkBuilder
from ftdist.network.layers import (
    Activate,
    Activation,
    Add,
    Concatenate,
    Convolution,
    Identity,
    Operation,
    Pool,
    RegionHead,
    Reorg,
    Sliding,
    Upsample,
    YoloHead,
)

_OPERATIONS: dict[str, Callable[..., Operation]] = {
    each.kind: each
    for each in (
        Convolution,
        Pool,
        Add,
        Concatenate,
        Activate,
        Upsample,
        Reorg,
        Identity,
        RegionHead,
        YoloHead,
    )
}


def to_json(network: Network) -> dict[str, Any]:
    """A network as JSON values."""
    layers = [
        {
            "name": layer.name,
            "kind": layer.operation.kind,
            "inputs": list(layer.inputs),
            **asdict(layer.operation),  # type: ignore[call-overload]
        }
        for layer in network.layers
    ]
    return {"name": network.name, "input": list(network.input), "layers": layers}


def from_json(value: dict[str, Any]) -> Network:
    """The network that ``to_json`` described; InputError when it describes none."""
    try:
        height, width, channels = value["input"]
        builder = NetworkBuilder(str(value["name"]), Shape(height, width, channels))
        for each in value["layers"]:
            fields = dict(each)
            name, kind = fields.pop("name"), fields.pop("kind")
            inputs = fields.pop("inputs")
            builder.add(_OPERATIONS[kind](**_decoded(fields)), inputs, name)
        return builder.finish()
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"no description of a network: {error!r}") from None


def _decoded(fields: dict[str, Any]) -> dict[str, Any]:
    """Nested values of an operation, rebuilt from their JSON form."""
    if "window" in fields:
        window = fields["window"]
        fields["window"] = Sliding(
            Window(**window["vertical"]), Window(**window["horizontal"])
        )
    if "activation" in fields:
        fields["activation"] = Activation(**fields["activation"])
    if "anchors" in fields:
        fields["anchors"] = tuple((float(w), float(h)) for w, h in fields["anchors"])
    if "mask" in fields:
        fields["mask"] = tuple(int(each) for each in fields["mask"])
    return fields
