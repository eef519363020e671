"""How pictures enter a network that does not say it: a guess, and the reason that is told for it.

Wrong preparation is what most often makes a good network see nothing. In this order: what the
file's metadata say; what words in it are known for; what its first operator does to its input; what
networks of its task and layout are usually fed with. ``--mean``, ``--std``, ``--scale``, ``--bgr``
and the ways to fit override each of it.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import NamedTuple

from ftdist.network.about import GREY, Fit
from ftdist.network.graph import Network
from ftdist.network.ports import PLAIN_PIXELS, Pixels
from ftdist.network.source import Hints
from ftdist.network.task import Task

_RAW = Pixels((0.0,), (1.0,))
_SIGNED = Pixels((127.5,), (127.5,))
_IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

YOLO_GREY = 114
"""The padding of YOLO's later kin."""

_MOST_METADATA = 1 << 16
_LARGE, _SMALL = 4.0, 0.1
"""Numbers above, or factors below, are meant for pixels of 0 to 255."""


class Preparation(NamedTuple):
    """How pictures enter, and why that is assumed."""

    pixels: Pixels
    fit: Fit
    fill: int
    because: str


_KNOWN: tuple[tuple[str, Pixels, Fit | None], ...] = (
    (r"ultraface|\brfb\b|version-(slim|rfb)", Pixels((127.0,), (128.0,)), "stretch"),
    (r"mtcnn|[por]net\b", Pixels((127.5,), (128.0,)), "stretch"),
    (r"faceboxes", Pixels((104.0, 117.0, 123.0), (1.0,), True), "stretch"),
    (r"blaze_?face|bodypix|posenet|palm", _SIGNED, None),
    (r"selfie|face_?landmark|mediapipe", PLAIN_PIXELS, None),
    (r"_adas_|-adas-|openvino|person_?(re)?_?id|\breid\b|-retail-|_retail_",
     replace(_RAW, blue_first=True), "stretch"),
    (r"sinet|portrait", Pixels((102.9, 115.9, 122.7), (59.3, 59.2, 60.6), True), "stretch"),
    (r"ppocr|paddle", replace(_SIGNED, blue_first=True), "stretch"),
    (r"mnist", _RAW, "stretch"),
    (r"fast_?neural|candy|mosaic|rain_princess|udnie|pointilism", _RAW, None),
)  # fmt: skip
"""Words that stand in files and what these networks' authors feed them with."""


def prepared(network: Network, task: Task, hints: Hints) -> Preparation:
    """The best guess, whole: how pixels become values, how pictures are fitted, and the reason."""
    fit = _usual_fit(network, task)
    fill = YOLO_GREY if fit in ("letterbox", "corner") else GREY
    said = _said(hints)
    if said is not None:
        return Preparation(said, fit, fill, "its metadata say so")
    words = hints.words.lower()
    for pattern, pixels, own_fit in _KNOWN:
        if found := re.search(pattern, words):
            return Preparation(
                _suiting(pixels, network), own_fit or fit, fill, f"it is called '{found[0]}'"
            )
    kind, number = hints.opening
    takes_raw = kind == "BatchNormalization" or number > _LARGE
    takes_raw = takes_raw or (kind == "Mul" and 0 < number < _SMALL)
    if takes_raw and task.layout not in ("rows", "columns", "grid_rows"):
        return Preparation(_RAW, fit, fill, f"its first operator, {kind}, takes raw pixels")
    pixels, because = _usual_pixels(network, task)
    return Preparation(_suiting(pixels, network), fit, fill, because)


def _suiting(pixels: Pixels, network: Network) -> Pixels:
    """For an input of one channel numbers of three are brought together."""
    if network.input.channels == 3:
        return pixels
    mean = (sum(pixels.mean) / len(pixels.mean),)
    return Pixels(mean, (sum(pixels.deviation) / len(pixels.deviation),))


def _usual_fit(network: Network, task: Task) -> Fit:
    if task.kind == "image":
        return "pad"
    if task.kind == "classify" and network.input.channels == 3:
        return "crop"
    if task.layout == "grid_rows":
        return "corner"
    if task.layout in ("rows", "columns", "rows_plain", "selected", "heads"):
        return "letterbox"
    return "stretch"


def _usual_pixels(network: Network, task: Task) -> tuple[Pixels, str]:
    interleaved = not network.inputs[0].layout.planar
    if task.layout == "grid_rows":
        return replace(_RAW, blue_first=True), "its boxes are laid out as YOLOX's"
    if task.layout in ("rows", "columns", "selected"):
        return PLAIN_PIXELS, "its boxes are laid out as YOLO's"
    if task.layout == "pairs":
        return Pixels((127.0,), (128.0,)), "usual for SSD detectors"
    if task.kind == "image":
        return PLAIN_PIXELS, "usual where pictures come out"
    if network.input.channels != 3:
        return PLAIN_PIXELS, "nothing says otherwise"
    if interleaved:
        return _SIGNED, "usual for networks from TensorFlow"
    if task.kind in ("classify", "segment"):
        return _IMAGENET, f"ImageNet's, usual where networks {task.kind}"
    return PLAIN_PIXELS, "nothing says otherwise"


def _said(hints: Hints) -> Pixels | None:
    """What metadata say: Ultralytics' own are of 0 to 1; some files have mean and deviation."""
    metadata = {key.lower(): value for key, value in hints.metadata.items()}
    mean = _numbers(metadata.get("mean", metadata.get("mean_values", "")))
    deviation = _numbers(metadata.get("std", metadata.get("scale_values", "")))
    if mean is not None and deviation is not None:
        if max(map(abs, mean)) <= _LARGE / 2 and max(deviation) <= _LARGE / 2:
            mean, deviation = (tuple(255 * each for each in part) for part in (mean, deviation))
        blue_first = "bgr" in " ".join(metadata.values()).lower()
        return Pixels(mean, deviation, blue_first)
    if "ultralytics" in hints.words.lower() or {"stride", "names"} <= metadata.keys():
        return PLAIN_PIXELS
    return None


def _numbers(text: str) -> tuple[float, ...] | None:
    """One number or three out of metadata; None for anything else."""
    found = literal(text if "[" in text or "," not in text else f"[{text}]")
    values = found if isinstance(found, list | tuple) else [found]
    real = all(type(each) in (int, float) for each in values)
    return tuple(map(float, values)) if real and len(values) in (1, 3) else None


def literal(text: str) -> object:
    """The value that a text of metadata spells in Python; None where it spells none."""
    if len(text) > _MOST_METADATA:
        return None
    try:
        value: object = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return value


def names_inside(hints: Hints) -> tuple[str, ...]:
    """The classes' names that metadata have: a list, or a dict by number as Ultralytics' is."""
    for key in ("names", "labels", "classes", "class_names"):
        found = literal(hints.metadata.get(key, ""))
        if isinstance(found, dict) and sorted(map(str, found)) == sorted(
            map(str, range(len(found)))
        ):
            found = [found[each] for each in sorted(found, key=int)]
        if isinstance(found, list | tuple) and found and all(type(e) is str for e in found):
            return tuple("".join(c if c.isprintable() else " " for c in e) for e in found)
    return ()
