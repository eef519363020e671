"""What each kind of section of a Darknet .cfg file becomes.

What a section leaves out has Darknet's default. Keys that nothing here reads are ignored, as in
Darknet, since most belong to training; but keys that would make Darknet compute something else
than this program does are refused by name: the result must be Darknet's.

To read another kind of section: write a function that turns it into an operation and the numbers
of the layers that it reads, and name it in ``_BUILDERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

from ftdist.geometry import Window
from ftdist.network.cfg import Section, closest, shown
from ftdist.network.graph import NetworkBuilder
from ftdist.network.heads import RegionHead, YoloHead
from ftdist.network.layers import (
    Activate,
    Activation,
    ActivationKind,
    Add,
    Concatenate,
    Convolution,
    Identity,
    Operation,
    Pool,
    Reorg,
    Sliding,
    Upsample,
)

Built = tuple[Operation, tuple[int, ...]]
"""What a layer computes, and the numbers of the layers that it reads."""

_SYNONYMS = {
    "network": "net",
    "conv": "convolutional",
    "max": "maxpool",
    "avg": "avgpool",
    "local_avg": "local_avgpool",
    "soft": "softmax",
    "conn": "connected",
}


def canonical_kind(section: Section) -> str:
    """The kind of a section under its longer name; layers are named by it."""
    return _SYNONYMS.get(section.kind, section.kind)


def build(section: Section, network: NetworkBuilder) -> Built:
    """What the section adds to the network so far; InputError when it cannot be run exactly."""
    kind = canonical_kind(section)
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise section.error(_not_supported(kind))
    for key, harmless in _REFUSED.get(kind, {}).items():
        if (value := section.string(key, harmless)) != harmless:
            raise section.error(f"{shown(value)} changes the result and is not supported", key)
    return builder(section, network)


def _not_supported(kind: str) -> str:
    if kind in ("softmax", "cost"):
        return "is not supported; without this section the layer before it is an output"
    if kind == "net":
        return "may stand only at the beginning"
    if kind in _NOT_RUN:
        return "is a layer of Darknet's that is not supported"
    return f"is no kind of section; {closest(kind, _BUILDERS)}"


def _previous(network: NetworkBuilder) -> int:
    """The layer before the one being built, INPUT for the first."""
    return len(network) - 1


def _references(section: Section, key: str, network: NetworkBuilder) -> tuple[int, ...]:
    """Layers named by number, or by how far back they are when negative."""
    number = len(network)
    found = []
    for reference in section.integers(key):
        layer = number + reference if reference < 0 else reference
        if not 0 <= layer < number:
            there = f"only layers 0..{number - 1} are" if number else "no layer is"
            raise section.error(f"{reference} means layer {layer}, but {there} before this", key)
        found.append(layer)
    return tuple(found)


def _activation(section: Section, default: ActivationKind) -> Activation:
    kind = section.string("activation", default)
    for known in get_args(ActivationKind):
        if kind == known:
            return Activation(known)
    supported = ", ".join(get_args(ActivationKind))
    raise section.error(f"{shown(kind)} is not supported; known are {supported}", "activation")


def _strides(section: Section) -> tuple[int, int]:
    """Strides (down, across): stride_y and stride_x where given, else stride."""
    stride = section.integer("stride", 1, minimum=1)
    return (
        section.integer("stride_y", stride, minimum=1),
        section.integer("stride_x", stride, minimum=1),
    )


def _convolution(section: Section, network: NetworkBuilder) -> Built:
    """Darknet pads by padding * dilation, yet sizes the output as if there were no dilation."""
    size = section.integer("size", 1, minimum=1)
    dilation = section.integer("dilation", 1, minimum=1) if size > 1 else 1
    padding = size // 2 if section.flag("pad") else section.integer("padding", 0, minimum=0)
    if dilation > 1 and 2 * padding != size - 1:
        raise section.error("a dilated convolution must keep the map's size (odd size, pad=1)")
    vertical, horizontal = (
        Window(size, stride, dilation, padding * dilation, padding * dilation)
        for stride in _strides(section)
    )
    operation = Convolution(
        filters=section.integer("filters", 1, minimum=1),
        window=Sliding(vertical, horizontal),
        groups=section.integer("groups", 1, minimum=1),
        activation=_activation(section, "logistic"),
    )
    return operation, (_previous(network),)


def _pool(mode: Literal["max", "average"], section: Section, network: NetworkBuilder) -> Built:
    source = network.shape(_previous(network))
    down, across = _strides(section)
    size = section.integer("size", section.integer("stride", 1), minimum=1)
    padding = section.integer("padding", size - 1, minimum=0)
    window = Sliding(
        pool_window(source.height, size, down, padding),
        pool_window(source.width, size, across, padding),
    )
    return Pool(mode, window), (_previous(network),)


def pool_window(length: int, size: int, stride: int, padding: int) -> Window:
    """Darknet's pooling on an axis of `length` positions; `padding` counts both ends together.

    Output position i reads [i * stride - padding // 2, that + size), and there are
    (length + padding - size) // stride + 1 of them. What the last one does not reach is left out
    of the padding, so 2x2/2 on an even map has none.
    """
    count = (length + padding - size) // stride + 1
    before = padding // 2
    after = (count - 1) * stride - before + size - length
    return Window(size, stride, pad_before=before, pad_after=max(0, after))


def _global_average(section: Section, network: NetworkBuilder) -> Built:
    if section.has("size"):
        raise section.error(
            "Darknet's [avgpool] takes the whole map whatever the size; "
            "leave the size out, or write [local_avgpool]",
            "size",
        )
    source = network.shape(_previous(network))
    window = Sliding(Window(source.height), Window(source.width))
    return Pool("average", window), (_previous(network),)


def _upsample(section: Section, network: NetworkBuilder) -> Built:
    if section.number("scale", 1.0) != 1.0:
        raise section.error("only 1 is supported", "scale")
    return Upsample(section.integer("stride", 2, minimum=1)), (_previous(network),)


def _shortcut(section: Section, network: NetworkBuilder) -> Built:
    added = _references(section, "from", network)
    if len(added) > 1:
        raise section.error("only one layer can be added to the one before", "from")
    return Add(_activation(section, "linear")), (_previous(network), *added)


def _route(section: Section, network: NetworkBuilder) -> Built:
    operation = Concatenate(
        parts=section.integer("groups", 1, minimum=1),
        part=section.integer("group_id", 0, minimum=0),
    )
    return operation, _references(section, "layers", network)


def _reorg(order: Literal["blocks", "darknet"], section: Section, network: NetworkBuilder) -> Built:
    return Reorg(section.integer("stride", 1, minimum=1), order), (_previous(network),)


def _dropout(section: Section, network: NetworkBuilder) -> Built:
    return Identity(), (_previous(network),)


def _activate(section: Section, network: NetworkBuilder) -> Built:
    return Activate(_activation(section, "linear")), (_previous(network),)


def _anchors(section: Section) -> tuple[tuple[float, float], ...]:
    """The first `num` (width, height) pairs."""
    sizes = section.floats("anchors")
    if min(sizes) <= 0 or len(sizes) % 2:
        raise section.error("must be pairs of positive numbers: width, height, ...", "anchors")
    pairs = tuple(zip(sizes[::2], sizes[1::2], strict=True))
    count = section.integer("num", len(pairs), minimum=1)
    if count > len(pairs):
        raise section.error(f"{count} anchors are announced, {len(pairs)} are given", "num")
    return pairs[:count]


def _region(section: Section, network: NetworkBuilder) -> Built:
    operation = RegionHead(
        anchors=_anchors(section),
        classes=section.integer("classes", 20, minimum=1),
        softmax=section.flag("softmax"),
    )
    return operation, (_previous(network),)


def _yolo(section: Section, network: NetworkBuilder) -> Built:
    anchors = _anchors(section)
    mask = section.integers("mask") if section.has("mask") else tuple(range(len(anchors)))
    for index in mask:
        if not 0 <= index < len(anchors):
            raise section.error(f"anchor {index} is not among the {len(anchors)} given", "mask")
    operation = YoloHead(
        anchors=anchors,
        mask=mask,
        classes=section.integer("classes", 20, minimum=1),
        scale_xy=section.number("scale_x_y", 1.0),
    )
    return operation, (_previous(network),)


_BUILDERS: dict[str, Callable[[Section, NetworkBuilder], Built]] = {
    "convolutional": _convolution,
    "maxpool": partial(_pool, "max"),
    "local_avgpool": partial(_pool, "average"),
    "avgpool": _global_average,
    "upsample": _upsample,
    "shortcut": _shortcut,
    "route": _route,
    "reorg": partial(_reorg, "darknet"),
    "reorg3d": partial(_reorg, "blocks"),
    "dropout": _dropout,
    "activation": _activate,
    "region": _region,
    "yolo": _yolo,
}
"""What each kind of section becomes."""

_REFUSED: dict[str, dict[str, str]] = {
    "convolutional": {
        "antialiasing": "0",
        "binary": "0",
        "coordconv": "0",
        "dontload": "0",
        "dontloadscales": "0",
        "flipped": "0",
        "rotate": "0",
        "share_index": "-1000000000",
        "stretch": "0",
        "stretch_sway": "0",
        "sway": "0",
        "xnor": "0",
    },
    "maxpool": {"antialiasing": "0", "maxpool_depth": "0"},
    "shortcut": {"weights_type": "none"},
    "reorg": {"extra": "0", "flatten": "0", "reverse": "0"},
    "reorg3d": {"reverse": "0"},
    "region": {"coords": "4", "tree": ""},
    "yolo": {"new_coords": "0"},
}
"""Keys that change what Darknet computes or loads, each with the one value that does not."""

_NOT_RUN = (
    *(
        "Gaussian_yolo",
        "batchnorm",
        "connected",
        "contrastive",
        "conv_lstm",
        "crnn",
        "crop",
    ),
    *("detection", "empty", "gru", "history", "implicit", "local", "lrn", "lstm"),
    *("normalization", "rnn", "sam", "scale_channels", "silence"),
)
"""Darknet's other layers."""
