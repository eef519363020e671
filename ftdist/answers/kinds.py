"""Which kind of answer a network gives, and the memory that reading it takes.

Every run asks this, also one on arrays that has no use for boxes, and so nothing is imported here
that the network itself has not brought; how boxes are found is ``detectors``.
"""

from __future__ import annotations

from ftdist.network.graph import Layer, Network
from ftdist.network.heads import GaussianYoloHead, GridHead, Head, YoloHead, classifies

MOST_CANDIDATES = 500
"""Detections that one anchor of one head may hand on; real photos have tens."""

MOST_TOGETHER = 1000
"""Detections that all heads together may hand on."""

_CODE_BYTES = 3 << 20
_CANDIDATE_BYTES = 512
_COPIES = 6
"""What detecting takes, measured: modules, numpy's code, a candidate, copies of an anchor's map."""

_LEFT_CODE_BYTES, _LEFT_COPIES, _LEFT_CANDIDATE_BYTES = 10 << 17, 2, 400
"""What it leaves beside objects, scattered where candidates were: that code, small free blocks."""


def heads(network: Network) -> tuple[Layer, ...]:
    """The outputs of the network that are detection heads, in order."""
    outputs = (network.layers[number] for number in network.outputs)
    return tuple(layer for layer in outputs if isinstance(layer.operation, Head))


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
