"""Turns the raw maps of detection heads into scored boxes.

Boxes are in fractions of the network's input, (0, 0) its top left and (1, 1) its bottom right; what
they mean on the photo is the letterbox's business (``picture.py``). An anchor is looked at only
where its objectness passes the threshold, which leaves a few positions of thousands, and each of
those may carry several labels, as in Darknet.

Maps are not trusted to make sense, for weights may be random or broken: an anchor with any value
that is not finite is no detection, and of one anchor's map at most MOST_CANDIDATES go on, the
best, so that memory stays bounded when everything seems to be a detection.

Sources: YOLO9000 (2016) section 2, YOLOv3 (2018) section 2.1, and Darknet's region_layer.c and
yolo_layer.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.graph import Layer, Network
from ftdist.network.heads import RegionHead, YoloHead

Floats = NDArray[np.float32]

MOST_CANDIDATES = 500
"""Detections that one anchor of one head may hand on; real photos have tens."""

_FIXED = 5
"""Channels of an anchor before its classes: x, y, width, height, objectness."""


class Box(NamedTuple):
    """A rectangle with left <= right and top <= bottom; whoever hands it on says in which units."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: the number of its class, a score in 0..1, and where it is.

    `box` is in fractions of the network's input and may reach beyond 0..1.
    """

    label: int
    score: float
    box: Box


class _Anchor(NamedTuple):
    """How one anchor of a head reads its map; sizes in fractions of the network's input."""

    width: float
    height: float
    scale_xy: float
    softmax: bool


def heads(network: Network) -> tuple[Layer, ...]:
    """The outputs of the network that are detection heads, in order."""
    outputs = (network.layers[number] for number in network.outputs)
    return tuple(layer for layer in outputs if isinstance(layer.operation, RegionHead | YoloHead))


def decode(
    network: Network, outputs: Mapping[str, NDArray[Any]], threshold: float
) -> list[Detection]:
    """All detections that score above the threshold, ordered by head, anchor and position.

    `outputs` holds for each head, by its layer's name, the raw map (channels, height, width).
    InputError when one is missing or of another shape, or the threshold is not in 0..1.
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"the score threshold must be in 0..1, it is {threshold}")
    found: list[Detection] = []
    for layer in heads(network):
        raw = _raw_map(outputs, layer)
        anchors = _anchors(layer, network.input)
        for anchor, values in zip(anchors, np.split(raw, len(anchors)), strict=True):
            found += _decode_anchor(values, anchor, threshold)
    return found


def _raw_map(outputs: Mapping[str, NDArray[Any]], layer: Layer) -> Floats:
    """The head's map, (channels, height, width)."""
    if layer.name not in outputs:
        raise InputError(f"the outputs lack the map of the detection head {layer.name}")
    raw = np.asarray(outputs[layer.name])
    expected = (layer.shape.channels, layer.shape.height, layer.shape.width)
    if raw.shape != expected:
        raise InputError(f"the map of {layer.name} is {raw.shape}, it should be {expected}")
    with np.errstate(all="ignore"):
        return raw.astype(np.float32, copy=False)


def _anchors(layer: Layer, source: Shape) -> list[_Anchor]:
    """The head's anchors in the order of its channels; `source` is the network's input."""
    head = layer.operation
    if isinstance(head, RegionHead):
        rows, columns = layer.shape.height, layer.shape.width
        sizes = [(width / columns, height / rows) for width, height in head.anchors]
        return [_Anchor(*size, scale_xy=1.0, softmax=head.softmax) for size in sizes]
    assert isinstance(head, YoloHead)
    chosen = [head.anchors[index] for index in head.mask]
    sizes = [(width / source.width, height / source.height) for width, height in chosen]
    return [_Anchor(*size, scale_xy=head.scale_xy, softmax=False) for size in sizes]


def _decode_anchor(values: Floats, anchor: _Anchor, threshold: float) -> list[Detection]:
    """Detections of one anchor; `values` is (5 + classes, height, width)."""
    with np.errstate(all="ignore"):
        rows, columns = np.nonzero(_sigmoid(values[4]) > threshold)
        picked = values[:, rows, columns]
        boxes = _boxes(picked, rows, columns, values.shape[1:], anchor)
        sound = np.isfinite(picked).all(axis=0) & np.isfinite(boxes).all(axis=0)
        boxes, scores = boxes[:, sound], _scores(picked[:, sound], anchor.softmax)
    places, labels = np.nonzero(scores > threshold)
    strength = scores[places, labels]
    if len(strength) > MOST_CANDIDATES:
        best = np.sort(np.argsort(-strength, kind="stable")[:MOST_CANDIDATES])
        places, labels, strength = places[best], labels[best], strength[best]
    corners = boxes[:, places].T.tolist()
    return [
        Detection(label, score, Box(*corner))
        for label, score, corner in zip(labels.tolist(), strength.tolist(), corners, strict=True)
    ]


def _boxes(
    picked: Floats,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    size: tuple[int, ...],
    anchor: _Anchor,
) -> Floats:
    """Left, top, right, bottom, each (n,), of the positions picked from a map of (height, width).

    The centre is the cell's corner plus a sigmoid, widened by scale_xy around its middle; width and
    height are the anchor's times an exponential, infinite where that overflows.
    """
    height, width = size
    offset = _sigmoid(picked[:2]) * np.float32(anchor.scale_xy) - (anchor.scale_xy - 1) / 2
    x = (columns + offset[0]) / width
    y = (rows + offset[1]) / height
    half_width = np.exp(picked[2]) * np.float32(anchor.width / 2)
    half_height = np.exp(picked[3]) * np.float32(anchor.height / 2)
    corners = [x - half_width, y - half_height, x + half_width, y + half_height]
    return np.stack(corners).astype(np.float32)


def _scores(picked: Floats, softmax: bool) -> Floats:
    """Objectness times class probability, (n, classes)."""
    logits = picked[_FIXED:].T
    if softmax:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        classes: Floats = powers / powers.sum(axis=1, keepdims=True)
    else:
        classes = _sigmoid(logits)
    classes *= _sigmoid(picked[4])[:, np.newaxis]
    return classes


def _sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-values)), in a form that cannot overflow."""
    result: Floats = np.float32(0.5) * np.tanh(np.float32(0.5) * values) + np.float32(0.5)
    return result
