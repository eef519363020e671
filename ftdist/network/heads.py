"""Detection heads: outputs of a network that can be decoded into boxes (``ftdist.answers``).

A head hands on its raw input: all that Darknet does in one is decoding.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.graph import Layer, Network
from ftdist.network.operators.base import Alias, operator

_LATER: Any = {"added_later": True}

Point = Literal["centre", "left_top", "right_bottom"]


@dataclass(frozen=True, slots=True)
class Suppression:
    """When a box drops a weaker one of its class: at an overlap above the threshold.

    Overlap is intersection over union; with `distance` above 0 it is less for boxes whose centres
    are apart, by (distance / diagonal of the box around both, squared) ** `distance`.
    """

    distance: float = 0.0


PLAIN = Suppression()


@operator
@dataclass(frozen=True, slots=True)
class RegionHead(Alias):
    """A YOLOv2 head.

    `anchors` are (width, height) in cells of this map. Channels are anchor-major: x, y, width,
    height, objectness, then one a class. With `parents` the classes are a tree: for each class the
    number of the one that it is a kind of plus one, 0 at the top; parents come before their
    children, which stand side by side.
    """

    kind: ClassVar[str] = "region"
    anchors: tuple[tuple[float, float], ...]
    classes: int
    softmax: bool = True
    parents: tuple[int, ...] = field(default=(), metadata=_LATER)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.parents:
            _check_tree(self.kind, self.parents, self.classes)
        return _head_shape(self.kind, inputs, self.anchors, 5, self.classes)


@operator
@dataclass(frozen=True, slots=True)
class YoloHead(Alias):
    """A head of YOLOv3 and later.

    `anchors` are (width, height) in pixels of the network's input, `mask` those of this head.
    Channels as in RegionHead; class scores are independent. `scale_xy` widens the centre's range.
    With `new_coords` the values are scores and offsets as they come, and sizes are squared.
    """

    kind: ClassVar[str] = "yolo"
    anchors: tuple[tuple[float, float], ...]
    mask: tuple[int, ...]
    classes: int
    scale_xy: float = 1.0
    new_coords: bool = field(default=False, metadata=_LATER)
    suppression: Suppression = field(default=PLAIN, metadata=_LATER)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        own = masked(self.kind, self.anchors, self.mask)
        return _head_shape(self.kind, inputs, own, 5, self.classes)


@operator
@dataclass(frozen=True, slots=True)
class GaussianYoloHead(Alias):
    """A Gaussian YOLOv3 head: each coordinate comes with how uncertain it is.

    Channels of an anchor: x, its uncertainty, y, its, width, its, height, its, objectness, classes.
    `point` is which point of the box x and y are.
    """

    kind: ClassVar[str] = "gaussian_yolo"
    anchors: tuple[tuple[float, float], ...]
    mask: tuple[int, ...]
    classes: int
    scale_xy: float = 1.0
    point: Point = "centre"
    suppression: Suppression = PLAIN

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        own = masked(self.kind, self.anchors, self.mask)
        return _head_shape(self.kind, inputs, own, 9, self.classes)


@operator
@dataclass(frozen=True, slots=True)
class GridHead(Alias):
    """A YOLOv1 head ([detection]): one list of numbers for a grid of side x side cells.

    First come `classes` scores a cell, then `boxes` confidences a cell, then x, y, width, height of
    each box; `squared`: width and height are square roots; `softmax`: of a cell's class scores.
    """

    kind: ClassVar[str] = "detection"
    side: int
    boxes: int
    classes: int
    softmax: bool = False
    squared: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        expected = self.side**2 * (5 * self.boxes + self.classes)
        if source.height * source.width * source.channels != expected:
            raise InputError(
                f"{self.kind}: a grid of {self.side}x{self.side}, {self.boxes} boxes and "
                f"{self.classes} classes needs {expected} values, the input has {source}"
            )
        return source


@operator
@dataclass(frozen=True, slots=True)
class TreeHead(Alias):
    """A classifier's softmax over a tree of classes, as RegionHead has it: siblings share one."""

    kind: ClassVar[str] = "softmax_tree"
    parents: tuple[int, ...]

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        _check_tree(self.kind, self.parents, source.height * source.width * source.channels)
        return source


Head = RegionHead | YoloHead | GaussianYoloHead | GridHead


def classifies(network: Network) -> bool:
    """Whether the network says of a picture as a whole what it is: its one output is a list."""
    if len(network.outputs) != 1:
        return False
    last = network.layers[network.outputs[0]]
    height, width, channels = last.shape
    return height == width == 1 < channels and not isinstance(last.operation, Head)


def with_heads(network: Network, darknet: Network) -> Network | None:
    """A network of raw maps with the heads of the Darknet network it was converted from.

    Converters end before Darknet's heads, for other formats have no such layer. Each head goes
    behind the output of its shape, in order, and takes its name; None where the networks differ.
    """
    heads = [darknet.layers[each] for each in darknet.outputs]
    if not all(isinstance(each.operation, Head) for each in heads):
        return None
    if network.input != darknet.input or len(heads) != len(network.outputs):
        return None
    layers, outputs = list(network.layers), []
    free = list(heads)
    for number in network.outputs:
        head = next((each for each in free if each.shape == network.shape(number)), None)
        if head is None or number >= len(network.layers):
            return None
        free.remove(head)
        raw = layers[number]
        layers[number] = replace(raw, name=f"{raw.name}.raw")
        outputs.append(len(layers))
        layers.append(Layer(raw.name, head.operation, (number,), raw.shape))
    layouts = tuple(
        (outputs[network.outputs.index(number)], layout) for number, layout in network.layouts
    )
    return replace(network, layers=tuple(layers), outputs=tuple(outputs), layouts=layouts)


def masked(
    kind: str, anchors: tuple[tuple[float, float], ...], mask: tuple[int, ...]
) -> tuple[tuple[float, float], ...]:
    """The anchors that a mask chooses; InputError when there is no such anchor."""
    if any(not 0 <= index < len(anchors) for index in mask):
        raise InputError(f"{kind}: mask {mask} names anchors beyond {len(anchors)}")
    return tuple(anchors[index] for index in mask)


def _check_tree(kind: str, parents: tuple[int, ...], classes: int) -> None:
    if len(parents) != classes or any(parent > label for label, parent in enumerate(parents)):
        raise InputError(f"{kind}: the tree does not suit {classes} classes")


def _head_shape(
    kind: str,
    inputs: tuple[Shape, ...],
    anchors: tuple[tuple[float, float], ...],
    fixed: int,
    classes: int,
) -> Shape:
    """The shape of the map; InputError unless it has fixed + classes channels for each anchor."""
    (source,) = inputs
    if any(min(anchor) <= 0 for anchor in anchors):
        raise InputError(f"{kind}: anchors are pairs of positive numbers")
    expected = len(anchors) * (fixed + classes)
    if source.channels != expected:
        raise InputError(
            f"{kind}: {len(anchors)} anchors of {classes} classes need {expected} channels, "
            f"the input has {source.channels}"
        )
    return source
