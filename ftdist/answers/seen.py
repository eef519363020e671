"""What a network says of one picture, as a person and other programs read it.

``detect`` gives class numbers and boxes in fractions of the network's input. Here both are turned
into what they mean outside: names, and pixels of the picture as it was given (turned as its EXIF
says), cut at its edges. What lies in the padding alone is not on the picture and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ftdist.answers.classify import Judgement, classify
from ftdist.answers.decode import Detection
from ftdist.answers.detectors import detect
from ftdist.answers.kinds import is_classifier, is_detector
from ftdist.network.graph import Network
from ftdist.pictures.fitting import Letterbox


@dataclass(frozen=True, slots=True)
class Found:
    """One object: its class by name and number, a score in 0..1, its box in pixels.

    `x` and `y` are the box's left and top edge.
    """

    label: str
    number: int
    score: float
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Likely:
    """One class that a picture may be of; a probability where the network ends in a softmax."""

    label: str
    number: int
    probability: float


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects on one picture, best first; `width` and `height` are the picture's, in pixels."""

    file: str
    width: int
    height: int
    objects: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Classified:
    """What one picture as a whole is, the likeliest class first."""

    file: str
    classes: tuple[Likely, ...]


def seen(
    file: str,
    detections: Sequence[Detection],
    names: Sequence[str],
    network: Network,
    letterbox: Letterbox | None,
) -> Seen:
    """Detections on the picture that `letterbox` fitted; without one, on the network's input."""
    if letterbox is None:
        letterbox = Letterbox.fit(network.input.width, network.input.height, network.input)
    objects = []
    for each in detections:
        box = letterbox.to_picture(each.box)
        width, height = box.right - box.left, box.bottom - box.top
        if width > 0 and height > 0:
            label = name_of(each.label, names)
            objects.append(Found(label, each.label, each.score, box.left, box.top, width, height))
    return Seen(file, letterbox.picture_width, letterbox.picture_height, tuple(objects))


def classified(file: str, judgements: Sequence[Judgement], names: Sequence[str]) -> Classified:
    """The classes that a classifier named."""
    return Classified(
        file, tuple(Likely(name_of(e.label, names), e.label, e.score) for e in judgements)
    )


def answer(
    network: Network,
    maps: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    file: str,
    letterbox: Letterbox | None,
    thresholds: Mapping[str, float],
) -> tuple[Seen | Classified | None, list[Detection]]:
    """What a network's outputs (channels, height, width) for a file say, None if it only computes.

    Also the detections as ``draw`` takes them. `thresholds` are those of ``detect``.
    """
    if is_detector(network):
        detections = detect(network, maps, **thresholds)
        return seen(file, detections, names, network, letterbox), detections
    if is_classifier(network):
        return classified(file, classify(network, maps), names), []
    return None, []


def name_of(number: int, names: Sequence[str]) -> str:
    """A class's name, or a plain one where there is none."""
    return names[number] if number < len(names) else f"class {number}"
