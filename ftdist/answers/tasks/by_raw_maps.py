"""Detectors told by the maps of their grids before the decoding; ``grids`` decodes them."""

from __future__ import annotations

import re

from ftdist.answers.tasks.seen_outputs import BINS, CLASS_COUNTS, STRIDES, Dims, Seen
from ftdist.network.task import Layout, Task

_V2_STRIDE, _V2_ANCHORS = 32, 5


def raw_maps(seen: Seen) -> Task | None:
    """Maps of YOLO's heads before their decoding: anchors * (5 + classes) values a cell.

    YOLOv2 has one map, of five anchors.
    """
    if len(seen.shapes) == 1:
        return _single_map(seen)
    planes = {name: _planes(dims, seen) for name, dims in seen.shapes.items()}
    known = {name: each for name, each in planes.items() if each is not None}
    if len(known) != len(planes) or not 2 <= len(known) <= 4:
        return None
    channels = {each[0] for each in known.values()}
    strides = [each[1] for each in known.values()]
    classes = next(iter(channels)) // 3 - 5
    if len(channels) > 1 or len(set(strides)) < len(strides) or classes < 1:
        return None
    if next(iter(channels)) % 3 or not (classes in CLASS_COUNTS or classes == seen.labels):
        return None
    ordered = tuple(sorted(known, key=lambda name: known[name][1]))
    apart = any(len(dims) == 4 for dims in seen.shapes.values())
    newer = re.search(r"yolo_?-?v?[457]", seen.words, re.IGNORECASE)
    number = newer[0][-1] if newer else ("5" if apart else "3")
    layout: Layout = f"yolo{number}_maps"  # type: ignore[assignment]
    return Task("detect", layout, classes, ordered)


def _single_map(seen: Seen) -> Task | None:
    """YOLOv2's; that of VOC's classes is mostly the tiny one, which has anchors of its own."""
    ((name, dims),) = seen.shapes.items()
    found = _planes(dims, seen) if len(dims) == 3 else None
    if found is None or found[1] != _V2_STRIDE or found[0] % _V2_ANCHORS:
        return None
    classes = found[0] // _V2_ANCHORS - 5
    spoken = re.search(r"yolo", seen.words, re.IGNORECASE)
    if not (classes in (20, 80) or (spoken and classes > 0 and classes == seen.labels)):
        return None
    large = spoken and not re.search(r"tiny", seen.words, re.IGNORECASE)
    layout: Layout = "yolo2_map" if classes == 80 or large else "tiny_yolo2_map"
    return Task("detect", layout, classes, (name,))


def _planes(dims: Dims, seen: Seen) -> tuple[int, int] | None:
    """Values of a cell and the stride of a map, with or without its three anchors apart."""
    _, height, width = seen.source
    if len(dims) == 4 and dims[0] == 3 and dims[3] > 5:
        dims = (3 * dims[3], dims[1], dims[2])
    elif len(dims) == 4 and dims[2] == 3:
        dims = (3 * dims[3], dims[0], dims[1])
    if len(dims) != 3:
        return None
    for values, rows, columns in (dims, (dims[2], dims[0], dims[1])):
        for stride in STRIDES:
            if (rows, columns) == (height // stride, width // stride):
                return values, stride
    return None


def bin_maps(seen: Seen) -> Task | None:
    """Maps of YOLOv8's heads before their decoding: 64 bins and the classes a cell."""
    planes = {name: _planes(dims, seen) for name, dims in seen.shapes.items()}
    known = {name: each for name, each in planes.items() if each is not None}
    strides = sorted(each[1] for each in known.values())
    if len(known) != len(planes) or strides != list(STRIDES[: len(strides)]) or len(strides) != 3:
        return None
    channels = {each[0] for each in known.values()}
    classes = next(iter(channels)) - BINS[1]
    if len(channels) > 1 or not (classes in CLASS_COUNTS or 0 < classes == seen.labels):
        return None
    ordered = tuple(sorted(known, key=lambda name: known[name][1]))
    return Task("detect", "bin_maps", classes, ordered)
