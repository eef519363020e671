"""What each kind of section of a Darknet .cfg file becomes.

What a section leaves out has Darknet's default. Keys that nothing here reads are ignored, as in
Darknet, since most belong to training; but keys that would make Darknet compute something else
than this program does are refused by name: the result must be Darknet's.

To read another kind of section: write a function that turns it into an operation and the numbers
of the layers that it reads, and name it in ``BUILDERS``; ``darknet_keys`` has the keys that Darknet
knows, and which of them are refused. Heads are in ``darknet_heads``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

from ftdist.geometry import Window
from ftdist.network.builder import NetworkBuilder
from ftdist.network.darknet.cfg import Section, closest, shown
from ftdist.network.operators.base import Activation, ActivationKind, Identity, Operation, Sliding
from ftdist.network.operators.channels import Activate, MaxChannels
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.resampling import DepthToSpace, Reorg, Upsample
from ftdist.network.operators.windows import Convolution, Pool

Built = tuple[Operation, tuple[int, ...]]
"""What a layer computes, and the numbers of the layers that it reads."""


LARGEST = MaxChannels(1)
"""The largest channel of each position."""


def previous(network: NetworkBuilder) -> int:
    """The layer before the one being built, INPUT for the first."""
    return len(network) - 1


def references(section: Section, key: str, network: NetworkBuilder) -> tuple[int, ...]:
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


_NAMES = {
    "hard_mish": Activation("hardmish"),
    "relie": Activation("leaky", 0.01),
    "revleaky": Activation("leaky"),
    "silu": Activation("swish"),
    **{kind: Activation(kind) for kind in get_args(ActivationKind)},
}
"""Darknet's names, some that others use for the same functions, and our own."""

CHANNEL_NORMS = {
    "normalize_channels": Activation("relu"),
    "normalize_channels_softmax": Activation(),
    "normalize_channels_softmax_maxval": Activation(),
}
"""Activations of convolutions that look at all channels of a position: ``composed.normalized``.

Each with what the convolution itself applies.
"""


def activation(section: Section, default: ActivationKind) -> Activation:
    """The activation that the section names."""
    kind = section.word("activation", default)
    if kind in CHANNEL_NORMS:
        message = f"{kind} is computed by Darknet in [convolutional] only"
        raise section.error(message, "activation")
    if kind not in _NAMES:
        message = f"{shown(kind)} is not supported; {closest(kind, _NAMES)}"
        raise section.error(message, "activation")
    return _NAMES[kind]


def strides(section: Section) -> tuple[int, int]:
    """Strides (down, across): stride_y and stride_x where given, else stride."""
    stride = section.integer("stride", 1, minimum=1)
    return (
        section.integer("stride_y", stride, minimum=1),
        section.integer("stride_x", stride, minimum=1),
    )


def _own_strides(section: Section) -> tuple[int, int]:
    """Strides of the layer itself: with antialiasing those of the section are the blur's."""
    return (1, 1) if section.flag("antialiasing") else strides(section)


def _convolution(section: Section, network: NetworkBuilder) -> Built:
    """Darknet pads by padding * dilation, yet sizes the output as if there were no dilation."""
    size = section.integer("size", 1, minimum=1)
    dilation = section.integer("dilation", 1, minimum=1) if size > 1 else 1
    padding = size // 2 if section.flag("pad") else section.integer("padding", 0, minimum=0)
    if dilation > 1 and 2 * padding != size - 1:
        raise section.error("a dilated convolution must keep the map's size (odd size, pad=1)")
    vertical, horizontal = (
        Window(size, stride, dilation, padding * dilation, padding * dilation)
        for stride in _own_strides(section)
    )
    filters = section.integer("filters", 1, minimum=1)
    groups = section.integer("groups", 1, minimum=1)
    if filters % groups and not network.shape(previous(network)).channels % groups:
        groups = 1  # Darknet leaves some filters out: ``darknet_weights`` gives them zeros
    operation = Convolution(
        filters=filters,
        window=Sliding(vertical, horizontal),
        groups=groups,
        activation=CHANNEL_NORMS.get(section.word("activation", ""))
        or activation(section, "logistic"),
    )
    return operation, (previous(network),)


def _pool(mode: Literal["max", "average"], section: Section, network: NetworkBuilder) -> Built:
    source = network.shape(previous(network))
    if mode == "max" and section.flag("maxpool_depth"):
        channels = section.integer("out_channels", 1, minimum=1)
        return MaxChannels(channels), (previous(network),)
    down, across = _own_strides(section) if mode == "max" else strides(section)
    size = section.integer("size", section.integer("stride", 1), minimum=1)
    padding = section.integer("padding", size - 1, minimum=0)
    window = Sliding(
        pool_window(source.height, size, down, padding),
        pool_window(source.width, size, across, padding),
    )
    return Pool(mode, window), (previous(network),)


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
    """The whole map, whatever size and stride the section may say."""
    source = network.shape(previous(network))
    window = Sliding(Window(source.height), Window(source.width))
    return Pool("average", window), (previous(network),)


def _upsample(section: Section, network: NetworkBuilder) -> Built:
    """A negative stride is Darknet's way to ask for sums of blocks; it is refused."""
    stride = section.integer("stride", 2, minimum=1)
    return Upsample(stride, section.number("scale", 1.0)), (previous(network),)


def _route(section: Section, network: NetworkBuilder) -> Built:
    operation = Concatenate(
        parts=section.integer("groups", 1, minimum=1),
        part=section.integer("group_id", 0, minimum=0),
    )
    return operation, references(section, "layers", network)


def _reorg(order: Literal["blocks", "darknet"], section: Section, network: NetworkBuilder) -> Built:
    """[reorg] with reverse=1 takes channels apart in order; reorg3d's reverse is refused."""
    stride = section.integer("stride", 1, minimum=1)
    if order == "darknet" and (extra := section.integer("extra", 0, minimum=0)):
        return _list(section, network, extra)
    if order == "darknet" and section.flag("reverse"):
        return DepthToSpace(stride), (previous(network),)
    return Reorg(stride, order), (previous(network),)


def _list(section: Section, network: NetworkBuilder, extra: int) -> Built:
    """[reorg] with extra: a list of the map's values, channel by channel, and zeros behind.

    A convolution over the whole map makes it: each filter has one weight of 1, or for the zeros
    none (``darknet_stored.Flat``).
    """
    source = network.shape(previous(network))
    values = source.height * source.width * source.channels
    if values + extra > _LONGEST_LIST:
        too_many = f"a list of {values} values and {extra} more is supported up to {_LONGEST_LIST}"
        raise section.error(too_many, "extra")
    window = Sliding(Window(source.height), Window(source.width))
    return Convolution(values + extra, window), (previous(network),)


_LONGEST_LIST = 4096
"""Its weights are as many as the square of this: 64 MiB."""


def _nothing(section: Section, network: NetworkBuilder) -> Built:
    """What is something in training only."""
    return Identity(), (previous(network),)


def _activate(section: Section, network: NetworkBuilder) -> Built:
    return Activate(activation(section, "linear")), (previous(network),)


BUILDERS: dict[str, Callable[[Section, NetworkBuilder], Built]] = {
    "convolutional": _convolution,
    "maxpool": partial(_pool, "max"),
    "local_avgpool": partial(_pool, "average"),
    "avgpool": _global_average,
    "upsample": _upsample,
    "route": _route,
    "reorg": partial(_reorg, "darknet"),
    "reorg3d": partial(_reorg, "blocks"),
    "cost": _nothing,
    "dropout": _nothing,
    "empty": _nothing,
    "contrastive": _nothing,
    "activation": _activate,
}
"""What each kind of section becomes."""
