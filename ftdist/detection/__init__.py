"""From the raw maps of detection heads to labelled boxes on a photo.

In the order in which a request passes: ``reading`` and ``picture`` fit a photo into the input, the
network runs, ``decode`` reads boxes off its heads, ``suppress`` drops doubles, and ``draw`` puts
what is left on the photo with ``names``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ftdist.detection.decode import MOST_CANDIDATES, Box, Detection, decode, heads
from ftdist.detection.suppress import suppress
from ftdist.network.graph import Network
from ftdist.network.heads import RegionHead, YoloHead

__all__ = ["Box", "Detection", "class_count", "detect", "detecting_bytes", "is_detector"]

_CODE_BYTES = 5 << 19
_CANDIDATE_BYTES = 512
_COPIES = 6
"""What detecting takes, measured: numpy's code for it, a candidate, copies of an anchor's map."""


def is_detector(network: Network) -> bool:
    """Whether an output of the network is a detection head."""
    return bool(heads(network))


def class_count(network: Network) -> int:
    """How many classes the network tells apart; 0 when it is no detector."""
    operations = (layer.operation for layer in heads(network))
    counts = (each.classes for each in operations if isinstance(each, RegionHead | YoloHead))
    return max(counts, default=0)


def detect(
    network: Network,
    outputs: Mapping[str, NDArray[Any]],
    threshold: float = 0.3,
    overlap: float = 0.45,
) -> list[Detection]:
    """The objects seen, best first; boxes in fractions of the network's input.

    `outputs` holds for each head, by its layer's name, the raw map (channels, height, width).
    Objects score above `threshold`; no two of one class share more than `overlap` of their union.
    """
    return suppress(decode(network, outputs, threshold), overlap)


def detecting_bytes(network: Network) -> int:
    """What ``detect`` holds at most beside the outputs, however many candidates there are."""
    size = 0
    largest_map = 0
    for layer in heads(network):
        height, width, channels = layer.shape
        operation = layer.operation
        assert isinstance(operation, RegionHead | YoloHead)
        own = 5 + operation.classes
        most = min(MOST_CANDIDATES, height * width * operation.classes)
        size += channels // own * most * _CANDIDATE_BYTES
        largest_map = max(largest_map, 4 * height * width * own)
    return size + _COPIES * largest_map + _CODE_BYTES if largest_map else 0
