"""Darknet .cfg files as networks; layer numbers are Darknet's own ([net] is not a layer).

This decides which layers there are and what is wrong with a file as a whole; what one section
means is ``darknet_layers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.cfg import Section, parse_sections, read_text
from ftdist.network.darknet_layers import build, canonical_kind
from ftdist.network.graph import INPUT, Network, NetworkBuilder
from ftdist.network.heads import RegionHead, YoloHead


@dataclass(frozen=True, slots=True)
class DarknetModel:
    """A network, and the convolutions whose batch norm is still apart in the .weights file."""

    network: Network
    normalized: frozenset[int]


def read_cfg(path: Path) -> DarknetModel:
    """The network of a .cfg file, named after the file."""
    return parse_cfg(read_text(path), path.stem, str(path))


def parse_cfg(text: str, name: str, file: str | None = None) -> DarknetModel:
    """The network that a .cfg text describes; `file` is what errors call the text."""
    sections = parse_sections(text, name if file is None else file)
    if not sections:
        raise InputError(f"{name if file is None else file}: is empty; a .cfg begins with [net]")
    network = NetworkBuilder(name, _input_shape(sections[0]))
    layers = sections[1:]
    if not layers:
        raise sections[0].error("no layers follow")
    for section in layers:
        _add(network, section)
    finished = network.finish()
    _refuse_readers_of_heads(finished, layers)
    normalized = (number for number, section in enumerate(layers) if _is_normalized(section))
    return DarknetModel(finished, frozenset(normalized))


def _input_shape(net: Section) -> Shape:
    if canonical_kind(net) != "net":
        raise net.error("the first section must be [net], which gives the size of the input")
    return Shape(*(net.integer(key, minimum=1) for key in ("height", "width", "channels")))


def _add(network: NetworkBuilder, section: Section) -> None:
    """Appends the layer of one section, or raises the InputError that says where it stands."""
    operation, inputs = build(section, network)
    try:
        network.add(operation, inputs, f"{canonical_kind(section)}{len(network)}")
    except InputError as error:
        raise section.error(str(error)) from None


def _is_normalized(section: Section) -> bool:
    if canonical_kind(section) != "convolutional":
        return False
    return section.flag("batch_normalize") or section.flag("cbn")


def _refuse_readers_of_heads(network: Network, sections: Sequence[Section]) -> None:
    """A head hands on its raw input here, but decoded boxes in Darknet: nothing may follow it."""
    for section, layer in zip(sections, network.layers, strict=True):
        for number in layer.inputs:
            if number == INPUT:
                continue
            source = network.layers[number]
            if isinstance(source.operation, RegionHead | YoloHead):
                raise section.error(f"reads layer {number} ({source.name}), a detection head")
