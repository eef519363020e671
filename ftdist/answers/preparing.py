"""How pictures enter a network that does not say it: a guess, and the reason that is told for it.

Wrong preparation is what most often makes a good network see nothing. In this order: what the
file's metadata say; what words in it are known for; what its first operator does to its input; what
networks of its task and layout are usually fed with, and how large its first weights are.
``--mean``, ``--std``, ``--scale``, ``--bgr`` and the ways to fit override each of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ftdist.answers.told_inside import literal
from ftdist.network.about import GREY, Fit
from ftdist.network.graph import Network
from ftdist.network.ports import PLAIN_PIXELS, Pixels
from ftdist.network.source import Hints
from ftdist.network.task import Task

_RAW = Pixels((0.0,), (1.0,))
_RAW_BGR = Pixels((0.0,), (1.0,), True)
_SIGNED = Pixels((127.5,), (127.5,))
_IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_CENTRES = Pixels((104.01, 113.985, 119.85), (73.695, 69.87, 70.89), True)
_HALVES = Pixels((127.5,), (255.0,))
_CAFFE = Pixels((104.0, 117.0, 123.0), (1.0,), True)

YOLO_GREY = 114
"""The padding of YOLO's later kin."""

_LARGE, _SMALL = 4.0, 0.1
"""Numbers above, or factors below, are meant for pixels of 0 to 255."""

_MOST_OF_PIXELS = 2.5
"""Networks for pixels of 0 to 255 make less of photos in their first layer, all others more."""

_YOLO = ("rows", "columns", "selected", "bin_maps", *(f"yolo{n}_maps" for n in "3457"),
         "yolo2_map", "tiny_yolo2_map")  # fmt: skip
"""Layouts whose networks are fed with 0..1, letterboxed."""


class Preparation(NamedTuple):
    """How pictures enter, and why that is assumed."""

    pixels: Pixels
    fit: Fit
    fill: int
    because: str


_KNOWN: tuple[tuple[str, Pixels, Fit | None], ...] = (
    (r"ultraface|\brfb\b|version-(slim|rfb)", Pixels((127.0,), (128.0,)), "stretch"),
    (r"mtcnn|[por]net\b", Pixels((127.5,), (128.0,)), "stretch"),
    (r"faceboxes|retina_?face", _CAFFE, "stretch"),
    (r"blaze_?face|bodypix|posenet|palm", _SIGNED, None),
    (r"selfie|face_?landmark|mediapipe", PLAIN_PIXELS, None),
    (r"yunet|face_detection_yunet", _RAW_BGR, "corner"),
    (r"centerface", _RAW, "stretch"),
    (r"pico_?det", _IMAGENET, "stretch"),
    (r"pp_?-?yoloe", PLAIN_PIXELS, "stretch"),
    (r"scrfd|insightface|arcface|glint360k|w600k", Pixels((127.5,), (128.0,)), None),
    (r"nanodet", Pixels((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), True), "stretch"),
    (r"_adas_|-adas-|openvino|person_?(re)?_?id|\breid\b|-retail-|_retail_",
     _RAW_BGR, "stretch"),
    (r"sinet|extremec3", Pixels(
        (102.890434, 111.25247, 126.91212), (16048.0, 16019.5, 16920.7), True), "stretch"),
    (r"(pp-?_?ocr|paddle).*det|det.*pp-?_?ocr", replace(_IMAGENET, blue_first=True), "stretch"),
    (r"pp-?_?ocr|paddle", replace(_SIGNED, blue_first=True), "stretch"),
    (r"zero_?-?dce", PLAIN_PIXELS, None),
    (r"modnet", _SIGNED, "stretch"),
    (r"depth_?anything|midas|zoe_?depth|fast_?depth|metric3d", _IMAGENET, "stretch"),
    (r"(?<![a-z])dpt(?![a-z])", _SIGNED, "stretch"),
    (r"(?<![a-z])is-?net|rmbg-?_?v?1|imgly", _HALVES, "stretch"),
    (r"u2-?net|birefnet|basnet|rmbg|briaai", _IMAGENET, "stretch"),
    (r"open_?nsfw", _CAFFE, "crop"),
    (r"mnist|ferplus|emotion", _RAW, "stretch"),
    (r"(?<![a-z])hed(?![a-z])|holistically", _CAFFE, "stretch"),
    (r"bvlc|caffe|age_?gender|(age|gender)_googlenet", _CAFFE, None),
    (r"openpose|human-pose-estimation", replace(_RAW_BGR, mean=(128.0,), deviation=(256.0,)), None),
    (r"efficientnet-?_?lite", Pixels((127.0,), (128.0,)), None),
    (r"fast_?neural|candy|mosaic|rain_?princess|udnie|pointilism", _RAW, None),
    (r"anime_?gan|cartoon|cyclegan|pix2pix", _SIGNED, None),
    (r"yolo_?-?x(?![a-z0-9])|yolox", _RAW_BGR, "corner"),
    (r"yolo|rt-?detr|d-?fine", PLAIN_PIXELS, "letterbox"),
)  # fmt: skip
"""Words that stand in files and what these networks' authors feed them with."""


def prepared(
    network: Network, task: Task, hints: Hints, response: Callable[[], float] = lambda: 0.0
) -> Preparation:
    """The best guess, whole: how pixels become values, how pictures are fitted, and the reason.

    `response` is what ``first_layer.response`` says of the network's weights; 0 for nothing.
    """
    fit = _usual_fit(network, task, hints)
    fill = _usual_fill(task, fit)
    said = _said(hints)
    if said is not None:
        return Preparation(said, fit, fill, "its metadata say so")
    if hints.takes_bytes:
        return Preparation(_RAW, fit, fill, "its input is of whole numbers")
    if task.layout == "text_map":
        pixels = _suiting(replace(_IMAGENET, blue_first=True), network)
        return Preparation(pixels, fit, fill, "usual where networks find text")
    words = hints.words.lower()
    for pattern, pixels, own_fit in _KNOWN:
        if found := re.search(pattern, words):
            if task.kind != "detect" and pattern.startswith("yolo"):
                continue
            if task.kind == "detect" and "paddle" in pattern:  # those read text, or find it
                continue
            if pattern.startswith("yolo") and (opened := _by_opening(task, hints)) is not None:
                return Preparation(opened[0], own_fit or fit, fill, opened[1])
            if task.kind != "text":
                fit = own_fit or fit
                fill = _usual_fill(task, fit)
            because = f"it is called '{found[0]}'"
            return Preparation(_suiting(pixels, network), fit, fill, because)
    opened = _by_opening(task, hints)
    if opened is not None:
        return Preparation(opened[0], fit, fill, opened[1])
    pixels, because = _usual_pixels(network, task, hints)
    if min(pixels.deviation) > _LARGE and 0 < response() < _MOST_OF_PIXELS:
        pixels = _CAFFE if task.kind in ("classify", "detect") else _RAW
        because = "its first weights are as small as those for pixels of 0 to 255"
    return Preparation(_suiting(pixels, network), fit, fill, because)


def _by_opening(task: Task, hints: Hints) -> tuple[Pixels, str] | None:
    """What the first operator is made for: whole pixels, or values of 0 to 1."""
    kind, number = hints.opening
    if 0 < number < _SMALL if kind == "Mul" else number > _LARGE:
        if task.layout in ("rows", "columns", "grid_rows"):
            return None  # the first of their layers slices
        return _RAW, f"its first operator, {kind}, takes raw pixels"
    if kind in ("Sub", "Add", "BatchNormalization") and 0.2 < number <= 1:
        return PLAIN_PIXELS, f"its first operator, {kind}, takes values of 0 to 1"
    return None


def _suiting(pixels: Pixels, network: Network) -> Pixels:
    """For an input of one channel numbers of three are brought together."""
    if network.input.channels == 3:
        return pixels
    mean = (sum(pixels.mean) / len(pixels.mean),)
    return Pixels(mean, (sum(pixels.deviation) / len(pixels.deviation),))


def _usual_fill(task: Task, fit: Fit) -> int:
    return YOLO_GREY if fit in ("letterbox", "corner") and task.kind != "text" else GREY


def _usual_fit(network: Network, task: Task, hints: Hints) -> Fit:
    if task.kind == "text":  # of any length: as it is, with nothing behind it
        return "corner" if hints.is_wide else "stretch"
    if task.kind == "image":
        return "stretch" if _measures(network, task) else "pad"
    if task.kind == "classify" and network.input.channels == 3:
        return "crop"
    if task.layout in ("grid_rows", "distances", "yunet"):
        return "corner"
    if task.layout in (*_YOLO, "rows_plain", "heads", "selected_cells") or _is_yolo_pair(task):
        return "letterbox"
    return "stretch"


def _measures(network: Network, task: Task) -> bool:
    """Whether what is made has one number for each pixel of a coloured photo: a distance, say."""
    height, width, channels = network.input
    made = {network.layers[each].name: network.shape(each).elements for each in network.outputs}
    sizes = [made.get(each, 0) for each in task.outputs]
    return channels == 3 and 0 < max(sizes, default=0) <= height * width


def _is_yolo_pair(task: Task) -> bool:
    """YOLO-NAS and its kin: pairs of COCO's classes, without one for the background."""
    return task.layout == "pairs" and task.classes == 80


def _usual_pixels(network: Network, task: Task, hints: Hints) -> tuple[Pixels, str]:
    if task.layout == "ab":
        return Pixels((0.0,), (2.55,)), "usual where networks colour a lightness of 0 to 100"
    if task.layout == "flow":
        return _RAW, "usual where networks tell how pixels move"
    interleaved = not network.inputs[0].layout.planar
    if task.layout == "grid_rows":
        return _RAW_BGR, "its boxes are laid out as YOLOX's"
    if task.layout == "yunet":
        return _RAW_BGR, "its boxes are laid out as YuNet's"
    if task.layout == "distances":
        return Pixels((127.5,), (128.0,)), "its boxes are laid out as SCRFD's"
    if task.layout == "bins":
        pixels = Pixels((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), True)
        return pixels, "its boxes are laid out as NanoDet's"
    if task.layout == "bin_lists":
        return _IMAGENET, "its boxes are laid out as PicoDet's"
    if task.layout == "selected_cells":
        return _CENTRES, "its boxes are chosen as CenterNet's"
    if task.layout == "centres_exp":
        return _RAW, "its maps are laid out as CenterFace's"
    if task.kind == "text":
        return _SIGNED, "usual where networks read text"
    if task.layout in _YOLO or _is_yolo_pair(task):
        return PLAIN_PIXELS, "its boxes are laid out as YOLO's"
    if task.layout == "pairs":
        return _of_pairs(network)
    if task.kind == "image" and _measures(network, task):
        return _IMAGENET, "ImageNet's, usual where a photo is measured"
    if task.kind == "image":
        return _of_pictures(hints)
    if network.input.channels != 3:
        return PLAIN_PIXELS, "nothing says otherwise"
    if interleaved:
        return _SIGNED, "usual for networks from TensorFlow"
    if task.kind == "segment" and _is_of_isnet(network):
        return _HALVES, "its outputs are as many as IS-Net's"
    if task.kind in ("classify", "segment") or task.layout in ("peaks", "simcc", "queries"):
        what = task.kind if task.kind in ("classify", "segment") else "find such things"
        return _IMAGENET, f"ImageNet's, usual where networks {what}"
    return PLAIN_PIXELS, "nothing says otherwise"


def _is_of_isnet(network: Network) -> bool:
    """Six masks as large as the input, and six of the maps that they were made of."""
    channels = [network.shape(each).channels for each in network.outputs]
    return len(channels) == 12 and channels.count(1) == 6


def _of_pairs(network: Network) -> tuple[Pixels, str]:
    """Without priors inside it is one of the families whose number of priors is known."""
    sizes = [network.shape(each).elements for each in network.outputs]
    cells = sum(
        -(-network.input.height // stride) * -(-network.input.width // stride)
        for stride in (8, 16, 32)
    )
    if 2 * 4 * cells in sizes and 2 * 2 * cells in sizes:
        return _CAFFE, "its boxes are as many as RetinaFace's"
    if any(each in sizes for each in (896 * 16, 896 * 18, 512 * 16)):
        return _SIGNED, "its boxes are as many as BlazeFace's"
    return Pixels((127.0,), (128.0,)), "usual for SSD detectors"


def _of_pictures(hints: Hints) -> tuple[Pixels, str]:
    """Style transfer ends in a convolution, as its values are pixels; generators end in tanh."""
    if "Tanh" in hints.endings:
        return _SIGNED, "its outputs are of -1 to 1"
    if "InstanceNormalization" in hints.operators and "Sigmoid" not in hints.endings:
        return _RAW, "usual where styles are transferred"
    return PLAIN_PIXELS, "usual where pictures come out"


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
