"""What the heads of a Darknet .cfg file become: whatever turns maps into boxes or probabilities.

What suppression a file asks for counts as AlexeyAB's Darknet has it: ``greedynms`` takes the
centres' distance into account too (to the power 0.6), ``diounms`` to the power `beta_nms`, and all
else compares plain overlaps.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftdist.errors import InputError
from ftdist.network.builder import NetworkBuilder
from ftdist.network.darknet.cfg import Section, closest, shown
from ftdist.network.darknet.layers import Built, previous
from ftdist.network.darknet.operators import softmax
from ftdist.network.encoding import decoded
from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.heads import (
    PLAIN,
    GaussianYoloHead,
    GridHead,
    Point,
    RegionHead,
    Suppression,
    TreeHead,
    YoloHead,
)
from ftdist.network.operators.base import Identity

_GREEDY_DISTANCE = 0.6
_DIOU_DISTANCE = 0.6
_DEFAULT_ANCHOR = 0.5

_POINTS: dict[str, Point] = {
    "center": "centre",
    "left_top": "left_top",
    "right_bottom": "right_bottom",
}

_LARGEST_TREE_BYTES = 4 << 20


def _anchors(section: Section, masked: tuple[int, ...] = ()) -> tuple[tuple[float, float], ...]:
    """The first `num` (width, height) pairs, and what `masked` needs beyond; 0.5 what is missing.

    Where Darknet would look for a masked anchor beyond those that it has read, it is taken from the
    file: that is what the file's writer meant.
    """
    sizes = section.floats("anchors") if section.has("anchors") else ()
    given = len(sizes) // 2
    count = section.integer("num", max(1, given), minimum=1)
    if count > LARGEST_SIDE:
        raise section.error(f"{count} anchors are more than a map has channels", "num")
    if len(sizes) % 2 and not section.has("num"):
        raise section.error("must be pairs of numbers: width, height, ...", "anchors")
    if count < (needed := max(masked, default=0) + 1) <= given:
        section.remark(f"{count} is too few for the mask: {needed} of the given count", "num")
        count = needed
    if not sizes:
        section.remark("anchors are missing; each is 0.5 by 0.5, as in Darknet")
    elif len(sizes) < 2 * count:
        few = f"{len(sizes)} numbers are given for {count} anchors"
        section.remark(f"{few}; the others are 0.5, as in Darknet", "anchors")
    sizes = (*sizes, *(_DEFAULT_ANCHOR,) * (2 * count - len(sizes)))[: 2 * count]
    if min(sizes) <= 0:
        raise section.error("must be pairs of positive numbers: width, height, ...", "anchors")
    return tuple(zip(sizes[::2], sizes[1::2], strict=True))


def _masked_anchors(section: Section) -> tuple[tuple[tuple[float, float], ...], tuple[int, ...]]:
    """All anchors, and which of them the head has: those that `mask` names, else all."""
    mask = section.integers("mask") if section.has("mask") else None
    anchors = _anchors(section, mask or ())
    for index in mask or ():
        if not 0 <= index < len(anchors):
            raise section.error(f"anchor {index} is not among the {len(anchors)} given", "mask")
    return anchors, tuple(range(len(anchors))) if mask is None else mask


def _classes(section: Section, default: int = 20) -> int:
    return section.integer("classes", default, minimum=1)


def _suppression(section: Section) -> Suppression:
    kind = section.word("nms_kind", "default")
    if kind == "greedynms":
        return Suppression(_GREEDY_DISTANCE)
    if kind != "diounms":
        return PLAIN
    distance = section.number("beta_nms", _DIOU_DISTANCE)
    if distance <= 0:
        raise section.error("only positive powers are supported", "beta_nms")
    return Suppression(distance)


def _region(section: Section, network: NetworkBuilder) -> Built:
    parents: tuple[int, ...] = ()
    if section.has("tree"):
        found = _tree(section)
        if found is None:
            return Identity(), (previous(network),)
        parents = found
    operation = RegionHead(
        anchors=_anchors(section),
        classes=_classes(section),
        softmax=section.flag("softmax"),
        parents=parents,
    )
    return operation, (previous(network),)


def _tree(section: Section) -> tuple[int, ...] | None:
    """The parents of a tree of classes, plus one; None, with a remark, where its file is missing.

    The file is looked for as Darknet would from the folder of the .cfg, from the folder above, and
    beside the .cfg.
    """
    named, folder = Path(section.string("tree")), Path(section.file).parent
    for path in (folder / named, folder.parent / named, folder / named.name):
        if path.is_file():
            return _parents(path)
    section.remark(
        f"{shown(str(named))} is not there, so nothing is decoded: the output stays raw", "tree"
    )
    return None


def _parents(path: Path) -> tuple[int, ...]:
    try:
        with path.open("rb") as file:
            text = decoded(file.read(_LARGEST_TREE_BYTES))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    parents: list[int] = []
    for number, line in enumerate((text or "").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            parent = int(words[1]) + 1 if len(words) > 1 else 0
        except ValueError:
            parent = -1
        if not 0 <= parent <= len(parents):
            raise InputError(
                f"{path}:{number}: is not a line of a tree: NAME PARENT, parents first"
            )
        parents.append(parent)
    return tuple(parents)


def _yolo(section: Section, network: NetworkBuilder) -> Built:
    anchors, mask = _masked_anchors(section)
    operation = YoloHead(
        anchors=anchors,
        mask=mask,
        classes=_classes(section),
        scale_xy=section.number("scale_x_y", 1.0),
        new_coords=section.flag("new_coords"),
        suppression=_suppression(section),
    )
    return operation, (previous(network),)


def _gaussian_yolo(section: Section, network: NetworkBuilder) -> Built:
    anchors, mask = _masked_anchors(section)
    point = section.word("yolo_point", "center")
    if point not in _POINTS:
        message = f"{shown(point)} is not a point; {closest(point, _POINTS)}"
        raise section.error(message, "yolo_point")
    operation = GaussianYoloHead(
        anchors=anchors,
        mask=mask,
        classes=_classes(section),
        scale_xy=section.number("scale_x_y", 1.0),
        point=_POINTS[point],
        suppression=_suppression(section),
    )
    return operation, (previous(network),)


def _detection(section: Section, network: NetworkBuilder) -> Built:
    operation = GridHead(
        side=section.integer("side", 7, minimum=1),
        boxes=section.integer("num", 1, minimum=1),
        classes=_classes(section, 1),
        softmax=section.flag("softmax"),
        squared=section.flag("sqrt"),
    )
    return operation, (previous(network),)


def _softmax(section: Section, network: NetworkBuilder) -> Built:
    """One over all values, or over siblings in a tree of classes."""
    if not section.has("tree"):
        return softmax(section, network)
    parents = _tree(section)
    return Identity() if parents is None else TreeHead(parents), (previous(network),)


BUILDERS: dict[str, Callable[[Section, NetworkBuilder], Built]] = {
    "region": _region,
    "yolo": _yolo,
    "Gaussian_yolo": _gaussian_yolo,
    "detection": _detection,
    "softmax": _softmax,
}
"""What each kind of head becomes."""
