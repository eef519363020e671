"""How one anchor of a detection head reads its map: objectness, centre, size, and class scores.

An anchor's map is float32 (values, height, width); `picked` are the values at some of its
positions, (values, n). Centres are offsets within a cell, sizes fractions of the network's input.

Sources: YOLO9000 (2016) sections 2 and 4, YOLOv3 (2018) section 2.1, Gaussian YOLOv3 (2019),
Scaled-YOLOv4 (2021), and Darknet's region_layer.c, yolo_layer.c, gaussian_yolo_layer.c, tree.c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.graph import Layer
from ftdist.network.heads import GaussianYoloHead, Point, RegionHead, YoloHead, masked

Floats = NDArray[np.float32]

_HALF_BOX: dict[Point, float] = {"centre": 0.0, "left_top": 0.5, "right_bottom": -0.5}
_SIGMOID_ERROR = 1e-6
"""More than ``sigmoid`` is ever wrong by; it is float32."""

_TREE_THRESHOLD = 0.5
"""How sure Darknet must be of a kind of thing before it asks of which kind within."""


@dataclass(frozen=True, slots=True)
class YoloAnchor:
    """An anchor of [yolo]: its size, in fractions of the input, and how far centres reach."""

    objectness_at: ClassVar[int] = 4
    """Which of its values is the objectness."""

    width: float
    height: float
    scale_xy: float = 1.0

    @staticmethod
    def needed(threshold: float) -> float:
        """A value without which objectness is not above the threshold: where it is computed, which
        takes longer than a comparison, so much is lost by rounding that some above it is not."""
        share = threshold - _SIGMOID_ERROR
        return math.log(share / (1 - share)) if share > 0 else -math.inf

    def objectness(self, values: Floats) -> Floats:
        return sigmoid(values[self.objectness_at])

    def offsets(self, picked: Floats) -> Floats:
        """Where in its cell the centre is, (2, n): a sigmoid, widened around its middle."""
        return self._widened(sigmoid(picked[:2]))

    def sizes(self, picked: Floats) -> Floats:
        """Width and height, (2, n); infinite where the exponential overflows."""
        return np.exp(picked[2:4]) * self._own()

    def scores(self, picked: Floats) -> Floats:
        """Objectness times class probability, (n, classes)."""
        result: Floats = (sigmoid(picked[5:]) * sigmoid(picked[4])).T
        return result

    def _widened(self, offsets: Floats) -> Floats:
        result: Floats = offsets * np.float32(self.scale_xy) - np.float32((self.scale_xy - 1) / 2)
        return result

    def _own(self) -> Floats:
        return np.array([[self.width], [self.height]], np.float32)


class PlainAnchor(YoloAnchor):
    """An anchor of [yolo] with new_coords: the layer before has made scores and offsets."""

    @staticmethod
    def needed(threshold: float) -> float:
        return threshold - _SIGMOID_ERROR

    def objectness(self, values: Floats) -> Floats:
        result: Floats = values[4]
        return result

    def offsets(self, picked: Floats) -> Floats:
        return self._widened(picked[:2])

    def sizes(self, picked: Floats) -> Floats:
        result: Floats = np.square(2 * picked[2:4]) * self._own()
        return result

    def scores(self, picked: Floats) -> Floats:
        result: Floats = (picked[5:] * picked[4]).T
        return result


@dataclass(frozen=True, slots=True)
class GaussianAnchor(YoloAnchor):
    """An anchor of [Gaussian_yolo], whose scores sink with the coordinates' mean uncertainty."""

    objectness_at: ClassVar[int] = 8
    point: Point = "centre"

    def objectness(self, values: Floats) -> Floats:
        return sigmoid(values[self.objectness_at])

    def offsets(self, picked: Floats) -> Floats:
        return self._widened(sigmoid(picked[0:4:2]))

    def sizes(self, picked: Floats) -> Floats:
        return np.exp(picked[4:8:2]) * self._own()

    def scores(self, picked: Floats) -> Floats:
        sure = 1 - sigmoid(picked[1:8:2]).mean(axis=0)
        result: Floats = (sigmoid(picked[9:]) * (sigmoid(picked[8]) * sure)).T
        return result


@dataclass(frozen=True, slots=True)
class RegionAnchor(YoloAnchor):
    """An anchor of [region]: class scores are independent, or a softmax, or a tree of them."""

    softmax: bool = False
    parents: tuple[int, ...] = ()

    def scores(self, picked: Floats) -> Floats:
        logits, objectness = picked[5:].T, sigmoid(picked[4])[:, np.newaxis]
        if self.parents:
            return _in_a_tree(logits, self.parents) * objectness
        result: Floats = (softmax(logits) if self.softmax else sigmoid(logits)) * objectness
        return result


@lru_cache(maxsize=64)
def anchors(layer: Layer, source: Shape) -> tuple[YoloAnchor, ...]:
    """The head's anchors in the order of its channels; `source` is the network's input."""
    head, (rows, columns, _) = layer.operation, layer.shape
    if isinstance(head, RegionHead):
        sizes = [(width / columns, height / rows) for width, height in head.anchors]
        return tuple(RegionAnchor(*s, softmax=head.softmax, parents=head.parents) for s in sizes)
    assert isinstance(head, YoloHead | GaussianYoloHead)
    chosen = masked(head.kind, head.anchors, head.mask)
    sizes = [(width / source.width, height / source.height) for width, height in chosen]
    if isinstance(head, GaussianYoloHead):
        return tuple(GaussianAnchor(*size, head.scale_xy, head.point) for size in sizes)
    kind = PlainAnchor if head.new_coords else YoloAnchor
    return tuple(kind(*size, head.scale_xy) for size in sizes)


def shift(anchor: YoloAnchor) -> float:
    """How far the middle of a box lies from what the map calls its centre, in sizes of the box."""
    return _HALF_BOX[anchor.point] if isinstance(anchor, GaussianAnchor) else 0.0


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-values)), in a form that cannot overflow."""
    result: Floats = np.float32(0.5) * np.tanh(np.float32(0.5) * values) + np.float32(0.5)
    return result


def softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return result


def absolute(logits: Floats, parents: tuple[int, ...]) -> Floats:
    """How probable each class of a tree is, in each row of (n, classes).

    Siblings share a softmax; a class is as probable as that times its parent.
    """
    result = np.empty_like(logits)
    for parent, first, after in _siblings(parents):
        result[:, first:after] = softmax(logits[:, first:after])
        if parent:
            result[:, first:after] *= result[:, parent - 1 : parent]
    return result


def _siblings(parents: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Runs of classes with one parent: its number plus one, the first class, the one after."""
    found, first = [], 0
    for parent, members in groupby(parents):
        after = first + len(list(members))
        found.append((parent, first, after))
        first = after
    return found


def _in_a_tree(logits: Floats, parents: tuple[int, ...]) -> Floats:
    """1 for the class that Darknet takes in each row of (n, classes), 0 for all others.

    From the top Darknet goes down to the best child as long as what it finds is sure enough.
    """
    groups: dict[int, tuple[int, int]] = {}
    for parent, first, after in _siblings(parents):
        if parent or not first:  # what stands at the top again further down is out of reach
            groups[parent] = (first, after)
    taken = np.zeros_like(logits)
    for row, probable in enumerate(absolute(logits, parents)):
        taken[row, _walk_down(probable, groups)] = 1
    return taken


def _walk_down(probable: Floats, groups: dict[int, tuple[int, int]]) -> int:
    """The class that Darknet's hierarchy_top_prediction finds, which multiplies all the way."""
    sure, parent = 1.0, 0
    while True:
        first, after = groups[parent]
        best = first + int(np.argmax(probable[first:after]))
        if sure * float(probable[best]) <= _TREE_THRESHOLD:
            return best if parent == 0 else parent - 1
        sure *= float(probable[best])
        if best + 1 not in groups:
            return best
        parent = best + 1
