"""From the raw maps of detection heads to labelled boxes on a photo.

In the order in which a request passes: ``reading`` and ``picture`` fit a photo into the input, the
network runs, ``decode`` reads boxes off its heads, ``suppress`` drops doubles, and ``draw`` puts
what is left on the photo with ``names``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ftdist.answers.decode import Detection, decode
from ftdist.answers.kinds import heads, most_candidates
from ftdist.answers.suppress import suppress
from ftdist.network.graph import Network
from ftdist.network.heads import PLAIN, GaussianYoloHead, Suppression, YoloHead

__all__ = ["detect"]


def detect(
    network: Network,
    outputs: Mapping[str, NDArray[Any]],
    threshold: float = 0.3,
    overlap: float = 0.45,
) -> list[Detection]:
    """The objects seen, best first; boxes in fractions of the network's input.

    `outputs` holds for each head, by its layer's name, the raw map (channels, height, width).
    Objects score above `threshold`; no two of one class share more than `overlap` of their union,
    in the way that the network's last head asks for. Of more than ``most_candidates``
    the best are kept.
    """
    found = decode(network, outputs, threshold)
    found = suppress(found, overlap, suppression_of(network) if found else PLAIN)
    return found[: most_candidates(*network.input[:2])]


def suppression_of(network: Network) -> Suppression:
    """How doubles are dropped: as in AlexeyAB's Darknet the last head decides for all."""
    operations = [layer.operation for layer in heads(network)]
    last = operations[-1] if operations else None
    return last.suppression if isinstance(last, YoloHead | GaussianYoloHead) else PLAIN
