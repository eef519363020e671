"""From the raw maps of detection heads to labelled boxes on a photo.

In the order in which a request passes: ``reading`` and ``picture`` fit a photo into the input, the
network runs, ``decode`` reads boxes off its heads, ``suppress`` drops doubles, and ``draw`` puts
what is left on the photo with ``names``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ftdist.answers.decode import MOST_CANDIDATES, MOST_TOGETHER, Detection, decode, heads
from ftdist.answers.suppress import suppress
from ftdist.network.graph import Network
from ftdist.network.heads import (
    PLAIN,
    GaussianYoloHead,
    GridHead,
    Head,
    Suppression,
    YoloHead,
    classifies,
)
from ftdist.pictures.fitting import Box

__all__ = [
    "MOST_OBJECTS",
    "Box",
    "Detection",
    "class_count",
    "detect",
    "detected_bytes",
    "detecting_bytes",
    "is_classifier",
    "is_detector",
]

MOST_OBJECTS = 500
"""How many of one picture are kept and told, the best; real photos have tens."""

_CODE_BYTES = 5 << 19
_CANDIDATE_BYTES = 512
_COPIES = 6
"""What detecting takes, measured: numpy's code for it, a candidate, copies of an anchor's map."""

_LEFT_CODE_BYTES, _LEFT_COPIES, _LEFT_CANDIDATE_BYTES = 13 << 17, 2, 400
"""What it leaves beside objects, scattered where candidates were: that code, small free blocks."""


def is_detector(network: Network) -> bool:
    """Whether an output of the network is a detection head."""
    return bool(heads(network))


def is_classifier(network: Network) -> bool:
    """Whether the network's one output is a list with a score for each class."""
    return classifies(network)


def class_count(network: Network) -> int:
    """How many classes the network tells apart; 0 when it is neither detector nor classifier."""
    if classifies(network):
        return network.layers[network.outputs[0]].shape.channels
    operations = (layer.operation for layer in heads(network))
    return max((each.classes for each in operations if isinstance(each, Head)), default=0)


def detect(
    network: Network,
    outputs: Mapping[str, NDArray[Any]],
    threshold: float = 0.3,
    overlap: float = 0.45,
) -> list[Detection]:
    """The objects seen, best first; boxes in fractions of the network's input.

    `outputs` holds for each head, by its layer's name, the raw map (channels, height, width).
    Objects score above `threshold`; no two of one class share more than `overlap` of their union,
    in the way that the network's last head asks for. Of more than MOST_OBJECTS the best are kept.
    """
    found = suppress(decode(network, outputs, threshold), overlap, _suppression(network))
    return found[:MOST_OBJECTS]


def _suppression(network: Network) -> Suppression:
    """As in AlexeyAB's Darknet the last head decides for all."""
    operations = [layer.operation for layer in heads(network)]
    last = operations[-1] if operations else None
    return last.suppression if isinstance(last, YoloHead | GaussianYoloHead) else PLAIN


def detecting_bytes(network: Network) -> int:
    """What ``detect`` holds at most beside the outputs, however many candidates there are."""
    candidates, largest_map = _candidates_and_largest_map(network)
    size = min(candidates, MOST_TOGETHER + MOST_CANDIDATES) * _CANDIDATE_BYTES
    return size + _COPIES * largest_map + _CODE_BYTES if largest_map else 0


def detected_bytes(network: Network) -> int:
    """What ``detect`` leaves behind at most, with all that is told of what it found."""
    candidates, largest_map = _candidates_and_largest_map(network)
    size = min(candidates, MOST_TOGETHER) * _LEFT_CANDIDATE_BYTES
    return size + _LEFT_COPIES * largest_map + _LEFT_CODE_BYTES if largest_map else 0


def _candidates_and_largest_map(network: Network) -> tuple[int, int]:
    """How many candidates all heads may hand on, and the bytes of the largest anchor's map."""
    candidates = largest_map = 0
    for layer in heads(network):
        height, width, channels = layer.shape
        operation = layer.operation
        assert isinstance(operation, Head)
        values = height * width * channels
        anchors, positions = _anchors_and_positions(operation, values)
        candidates += anchors * min(MOST_CANDIDATES, positions * operation.classes)
        largest_map = max(largest_map, 4 * values // anchors)
    return candidates, largest_map


def _anchors_and_positions(head: Head, values: int) -> tuple[int, int]:
    """How many anchors (or boxes) a head has, and at how many positions each."""
    if isinstance(head, GridHead):
        return head.boxes, head.side**2
    own = (9 if isinstance(head, GaussianYoloHead) else 5) + head.classes
    anchors = len(head.mask) if isinstance(head, YoloHead | GaussianYoloHead) else len(head.anchors)
    return anchors, values // (own * anchors)
