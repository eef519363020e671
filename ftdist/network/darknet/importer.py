"""Darknet .cfg files as networks; layer numbers are Darknet's own ([net] is not a layer).

This decides which layers there are and what is wrong with a file as a whole; what one section
means is ``darknet_layers`` and ``darknet_heads``, and which keys there are ``darknet_keys``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.about import Fit
from ftdist.network.darknet import composed
from ftdist.network.darknet import heads as darknet_heads
from ftdist.network.darknet import layers as darknet_layers
from ftdist.network.darknet import operators as darknet_operators
from ftdist.network.darknet.cfg import Section, closest, parse_sections, read_text
from ftdist.network.darknet.keys import (
    canonical_kind,
    fit,
    refuse_what_changes_the_result,
    remark_on_keys,
)
from ftdist.network.darknet.layers import strides
from ftdist.network.darknet.numbers import DarknetBuilder, Form, blur, is_binary, only_signs
from ftdist.network.darknet.stored import forms
from ftdist.network.graph import INPUT, Network
from ftdist.network.heads import Head, classifies
from ftdist.network.operators.base import Activation
from ftdist.network.operators.windows import Convolution, Pool

_BUILDERS = {
    **darknet_layers.BUILDERS,
    **darknet_operators.BUILDERS,
    **darknet_heads.BUILDERS,
}

_RECURRENT = ("conv_lstm", "crnn", "gru", "history", "lstm", "rnn")
_NOT_RUN = ("rbm",)
"""Darknet's other layers."""


@dataclass(frozen=True, slots=True)
class DarknetModel:
    """A network as a .cfg file describes it.

    `normalized` are the convolutions whose batch norm is still apart in the .weights file, `uneven`
    those whose filters are no multiple of their groups, with the number of groups, `binary` those
    of signs; `stored` says how layers of other kinds lie in that file. `fit` is how pictures enter.
    `complete`: whether the whole file was read. `remarks` are lines for whoever imports it.
    """

    network: Network
    normalized: frozenset[int]
    uneven: Mapping[int, int]
    binary: frozenset[int]
    stored: Mapping[int, Form]
    fit: Fit
    complete: bool
    remarks: tuple[str, ...]


def read_cfg(
    path: Path, until: int | None = None, size: tuple[int, int] | None = None
) -> DarknetModel:
    """The network of a .cfg file, named after the file; its layers 0..until only.

    `size` is the height and width of its input where they are not to be those of the file.
    """
    return parse_cfg(read_text(path), path.stem, str(path), until, size)


def parse_cfg(
    text: str,
    name: str,
    file: str | None = None,
    until: int | None = None,
    size: tuple[int, int] | None = None,
) -> DarknetModel:
    """The network that a .cfg text describes; `file` is what errors call the text.

    With `until` it ends with that layer, and what follows in the text is not looked at. `size` is
    the input's height and width instead of those of the text.
    """
    file = name if file is None else file
    sections = parse_sections(text, file, None if until is None else until + 2)
    if not sections:
        raise InputError(f"{file}: is empty; a .cfg begins with [net]")
    _refuse_recurrent(sections)
    shape, layers = _input_shape(sections[0]), sections[1:]
    if size is not None:
        shape = Shape(*size, shape.channels)
    network = DarknetBuilder(name, shape)
    if not layers:
        raise sections[0].error("no layers follow")
    if until is not None and until >= len(layers):
        raise InputError(f"layer {until} does not exist: {file} has layers 0..{len(layers) - 1}")
    signs = only_signs([(canonical_kind(section), section) for section in layers])
    for number, section in enumerate(layers):
        _add(network, section, plain=number in signs)
    finished, weighted = network.finish(), network.weighted
    _refuse_readers_of_heads(finished, layers, network.numbers)
    return DarknetModel(
        finished,
        frozenset(number for number, each in _pairs(weighted, layers) if _is_normalized(each)),
        _uneven(_pairs(weighted, layers)),
        frozenset(number for number, each in _pairs(weighted, layers) if each.flag("xnor")),
        {**forms(layers, weighted, finished), **network.inserted},
        fit(sections, classifies=classifies(finished)),
        until is None,
        (*sections[0].remarks, *remark_on_keys(sections)),
    )


def _pairs(numbers: Sequence[int], layers: Sequence[Section]) -> Iterator[tuple[int, Section]]:
    """The convolutional sections, with the numbers of their layers."""
    for number, section in zip(numbers, layers, strict=True):
        if canonical_kind(section) == "convolutional":
            yield number, section


def _refuse_recurrent(sections: Sequence[Section]) -> None:
    """Said first, for the inputs of such networks are often no maps either."""
    for section in sections:
        if canonical_kind(section) in _RECURRENT:
            raise section.error(
                "is recurrent: it depends on the inputs before, and ftdist sees one at a time"
            )


def _input_shape(net: Section) -> Shape:
    if canonical_kind(net) != "net":
        raise net.error("the first section must be [net], which gives the size of the input")
    return Shape(*(net.integer(key, minimum=1) for key in ("height", "width", "channels")))


def _add(network: DarknetBuilder, section: Section, *, plain: bool) -> None:
    """Appends the layer of one section, or raises the InputError that says where it stands.

    A `plain` convolution applies no activation.
    """
    try:
        _append(network, section, canonical_kind(section), plain)
    except InputError as error:
        raise section.placed(error) from None


def _append(network: DarknetBuilder, section: Section, kind: str, plain: bool) -> None:
    name = f"{kind}{len(network)}"
    if kind in composed.BUILDERS:
        composed.add(section, network, kind, name)
        return
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise section.error(_not_supported(kind))
    refuse_what_changes_the_result(section)
    operation, inputs = builder(section, network)
    if kind == "convolutional" and isinstance(operation, Convolution):
        operation = replace(operation, activation=Activation()) if plain else operation
        smooth = blur(section, operation.filters, strides(section))
        binary, norm = is_binary(section), composed.channel_norm(section)
        behind = None if norm is None else partial(composed.normalized, network, norm)
        network.add_with(operation, inputs, name, binary=binary, blur=smooth, norm=behind)
    elif kind == "maxpool" and isinstance(operation, Pool):
        smooth = blur(section, network.shape(inputs[0]).channels, strides(section))
        network.add_with(operation, inputs, name, blur=smooth)
    else:
        network.add(operation, inputs, name)


def _not_supported(kind: str) -> str:
    if kind == "net":
        return "may stand only at the beginning"
    if kind in _NOT_RUN:
        return "is a layer of Darknet's first versions that is not supported"
    return f"is not a kind of section; {closest(kind, (*_BUILDERS, *composed.BUILDERS))}"


def _is_normalized(section: Section) -> bool:
    return section.flag("batch_normalize") or section.flag("cbn")


def _uneven(convolutions: Iterable[tuple[int, Section]]) -> dict[int, int]:
    """For each convolution whose filters are no multiple of its groups, how many groups."""
    found = {}
    for number, section in convolutions:
        groups = section.integer("groups", 1)
        if section.integer("filters", 1) % groups:
            found[number] = groups
    return found


def _refuse_readers_of_heads(
    network: Network, sections: Sequence[Section], numbers: Sequence[int]
) -> None:
    """A head hands on its raw input here, but decoded boxes in Darknet: nothing may follow it."""
    for section, own in zip(sections, numbers, strict=True):
        for number in network.layers[own].inputs:
            if number == INPUT:
                continue
            source = network.layers[number]
            if isinstance(source.operation, Head):
                raise section.error(f"reads layer {number} ({source.name}), a detection head")
