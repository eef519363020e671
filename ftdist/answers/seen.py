"""What a network says of one picture, as a person and other programs read it.

``detect`` gives class numbers and boxes in fractions of the network's input. Here both are turned
into what they mean outside: names, and pixels of the picture as it was given (turned as its EXIF
says), cut at its edges. What lies in the padding alone is not on the picture and is left out.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.classify import Judgement, classify
from ftdist.answers.decode import Detection
from ftdist.answers.detectors import detect
from ftdist.network.graph import Network
from ftdist.network.task import Task
from ftdist.pictures.fitting import Box, Letterbox


@dataclass(frozen=True, slots=True)
class Found:
    """One object: its class by name and number, a score in 0..1, its box in pixels.

    `x` and `y` are the box's left and top edge. `points` are key points: x, y, how visible (0..1);
    `outlines` lines around its mask, or around the box as it is turned: x, y, x, y and so on.
    """

    label: str
    number: int
    score: float
    x: float
    y: float
    width: float
    height: float
    points: tuple[tuple[float, float, float], ...] = ()
    outlines: tuple[array[float], ...] = ()


@dataclass(frozen=True, slots=True)
class Likely:
    """One class that a picture may be of, and how probable that is."""

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
class Share:
    """How much of a picture is of a class, 0 to 1."""

    label: str
    number: int
    share: float


@dataclass(frozen=True, slots=True)
class Segmented:
    """The classes of a picture's pixels, the largest share first."""

    file: str
    width: int
    height: int
    classes: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Pointed:
    """Key points on a picture, x and y in its pixels, in the network's order."""

    file: str
    width: int
    height: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class OfOutput:
    """What one of several outputs says of a picture: its likeliest classes, or its only value."""

    name: str
    classes: tuple[Likely, ...]
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Classified:
    """What one picture as a whole is, the likeliest class first.

    Where several things are told of it, each has a part, and `classes` are the best of each.
    """

    file: str
    classes: tuple[Likely, ...]
    parts: tuple[OfOutput, ...] = ()


def seen(
    file: str,
    detections: Sequence[Detection],
    names: Sequence[str],
    letterbox: Letterbox,
) -> Seen:
    """Detections on the picture that `letterbox` fitted."""
    objects = []
    for each in detections:
        box = letterbox.to_picture(each.box)
        if not box.is_empty:
            label = name_of(each.label, names)
            more = points_of(each, letterbox), outlines_of(each, letterbox)
            place = box.left, box.top, box.right - box.left, box.bottom - box.top
            objects.append(Found(label, each.label, each.score, *place, *more))
    return Seen(file, letterbox.picture_width, letterbox.picture_height, tuple(objects))


def points_of(found: Detection, box: Letterbox) -> tuple[tuple[float, float, float], ...]:
    """Key points, x and y in pixels of the picture."""
    if not found.points:
        return ()
    places = box.places(np.array([each[:2] for each in found.points]))
    own = zip(places.tolist(), found.points, strict=True)
    return tuple((x, y, visible) for (x, y), (_, _, visible) in own)


def outlines_of(found: Detection, box: Letterbox) -> tuple[array[float], ...]:
    """Outlines in pixels of the picture."""
    places = (box.places(np.array(each).reshape(-1, 2)) for each in found.outlines)
    return tuple(array("f", each.reshape(-1).tolist()) for each in places)


def classified(file: str, judgements: Sequence[Judgement], names: Sequence[str]) -> Classified:
    """The classes that a classifier named."""
    return Classified(
        file, tuple(Likely(name_of(e.label, names), e.label, e.score) for e in judgements)
    )


@dataclass(frozen=True, slots=True)
class Written:
    """The writing on a picture; `numbers` are the classes of its characters, all that is known
    where nobody says which these are: then `text` is None. `score` is how sure they are on average.
    """

    file: str
    text: str | None
    numbers: tuple[int, ...]
    score: float


def of_parts(file: str, parts: tuple[OfOutput, ...]) -> Classified:
    """What several outputs say of a picture."""
    best = tuple(part.classes[0] for part in parts if part.classes)
    return Classified(file, best, parts)


Result: TypeAlias = "Seen | Classified | Segmented | Pointed | Written"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network's outputs say, None where they only are numbers or a picture; and what of it
    is drawn: detections (of a classifier the likeliest classes, each of the whole input), or the
    class of each position of a map."""

    result: Result | None
    detections: tuple[Detection, ...] = ()
    classes: NDArray[np.uint8] | None = None


def answer(
    network: Network,
    task: Task,
    outputs: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    file: str,
    letterbox: Letterbox | None,
    thresholds: Mapping[str, float],
) -> Answer:
    """What outputs for a file say; `thresholds` are those of ``detect``."""
    box = letterbox or Letterbox.fit(network.input.width, network.input.height, network.input)
    size = (network.input.height, network.input.width)
    if task.kind == "detect":
        if task.layout == "heads":
            maps = {name: a[0] if a.ndim == 4 else a for name, a in outputs.items()}
            detections = detect(network, maps, **thresholds)
        else:
            from ftdist.answers.tasks.detecting import detect_listed  # Darknet's need none of it

            detections = detect_listed(task, outputs, size, **thresholds)
        return Answer(seen(file, detections, names, box), tuple(detections))
    if task.kind == "classify" and len(task.outputs) > 1:
        from ftdist.answers.several import classified_parts, shown_parts

        parts = classified_parts(network, task, outputs, names, file)
        return Answer(parts, shown_parts(task, outputs, parts))
    if task.kind == "classify":
        judged = classify(network, outputs[task.outputs[0]])
        shown = tuple(Detection(each.label, each.score, Box(0, 0, 1, 1)) for each in judged)
        return Answer(classified(file, judged, names), shown)
    if task.kind == "segment":
        return _segmented(file, task, outputs, names, box, size)
    if task.kind == "points":
        from ftdist.answers.tasks.points import points

        found = points(task, outputs, size)
        places = (box.to_picture(Box(x, y, x, y)) for x, y in found.tolist())
        own = tuple((each.left, each.top) for each in places)
        return Answer(Pointed(file, box.picture_width, box.picture_height, own))
    if task.kind == "text":
        from ftdist.answers.tasks.text import read_line, text_of

        line = read_line(task, outputs, names)
        text = text_of(line, names) if names else None
        return Answer(Written(file, text, line.numbers, line.score))
    return Answer(None)


def _segmented(
    file: str,
    task: Task,
    outputs: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    box: Letterbox,
    size: tuple[int, int],
) -> Answer:
    from ftdist.answers.tasks.segments import labels, shares, shown

    found = labels(outputs[task.outputs[0]], size)
    own = shares(shown(found, box))
    photo = box.picture_height, box.picture_width
    return Answer(segmented(file, task, own, names, photo), classes=found)


def segmented(
    file: str, task: Task, shares: Mapping[int, float], names: Sequence[str], size: tuple[int, int]
) -> Segmented:
    """The shares of classes on a picture of that (height, width)."""
    if task.classes == 1 and not names and max(shares, default=0) <= 1:
        names = ("background", "mask")
    told = tuple(Share(name_of(number, names), number, share) for number, share in shares.items())
    return Segmented(file, size[1], size[0], told)


def name_of(number: int, names: Sequence[str]) -> str:
    """A class's name, or a plain one where there is none."""
    return names[number] if number < len(names) else f"class {number}"
