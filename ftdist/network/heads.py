"""Detection heads: outputs of a network that can be decoded into boxes (``ftdist.detection``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.layers import Alias


@dataclass(frozen=True, slots=True)
class RegionHead(Alias):
    """A YOLOv2 head: its raw input is an output of the network; ``ftdist.detection`` decodes it.

    `anchors` are (width, height) in cells of this map. Channels are anchor-major: x, y, width,
    height, objectness, then one a class.
    """

    kind: ClassVar[str] = "region"
    anchors: tuple[tuple[float, float], ...]
    classes: int
    softmax: bool = True

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return _head_shape(self.kind, inputs, self.anchors, self.classes)


@dataclass(frozen=True, slots=True)
class YoloHead(Alias):
    """A YOLOv3 head: its raw input is an output of the network; ``ftdist.detection`` decodes it.

    `anchors` are (width, height) in pixels of the network's input, `mask` those of this head.
    Channels as in RegionHead; class scores are independent. `scale_xy` widens the centre's range.
    """

    kind: ClassVar[str] = "yolo"
    anchors: tuple[tuple[float, float], ...]
    mask: tuple[int, ...]
    classes: int
    scale_xy: float = 1.0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if any(not 0 <= index < len(self.anchors) for index in self.mask):
            raise InputError(f"yolo: mask {self.mask} names anchors beyond {len(self.anchors)}")
        anchors = tuple(self.anchors[index] for index in self.mask)
        return _head_shape(self.kind, inputs, anchors, self.classes)


def _head_shape(
    kind: str,
    inputs: tuple[Shape, ...],
    anchors: tuple[tuple[float, float], ...],
    classes: int,
) -> Shape:
    (source,) = inputs
    if any(min(anchor) <= 0 for anchor in anchors):
        raise InputError(f"{kind}: anchors are pairs of positive numbers")
    expected = len(anchors) * (5 + classes)
    if source.channels != expected:
        raise InputError(
            f"{kind}: {len(anchors)} anchors of {classes} classes need {expected} channels, "
            f"the input has {source.channels}"
        )
    return source
