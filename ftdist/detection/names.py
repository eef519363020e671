"""What the classes are called.

A model carries numbers, not words. Names come from a file with one a line, or by the count of
classes from the two data sets on which detectors are mostly trained, or are plain "class 0", ....
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftdist.errors import InputError

_VOC = (
    "aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining table, dog, horse, "
    "motorbike, person, potted plant, sheep, sofa, train, tv monitor"
)
VOC = tuple(_VOC.split(", "))
"""The 20 classes of Pascal VOC, in its order."""

_COCO = (
    "person, bicycle, car, motorbike, aeroplane, bus, train, truck, boat, traffic light, "
    "fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, "
    "bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, "
    "sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, "
    "bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, "
    "carrot, hot dog, pizza, donut, cake, chair, sofa, potted plant, bed, dining table, toilet, "
    "tv monitor, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)
COCO = tuple(_COCO.split(", "))
"""The 80 classes of COCO, in Darknet's order."""

_LARGEST_FILE_BYTES = 1 << 20


def class_names(classes: int, given: Sequence[str] | None = None) -> tuple[str, ...]:
    """One name a class: the given ones, else COCO's for 80, VOC's for 20, else "class 0", ....

    InputError when the given names are of another number.
    """
    if given is not None:
        if len(given) != classes:
            raise InputError(f"{len(given)} names do not suit a model of {classes} classes")
        return tuple(given)
    known = {len(VOC): VOC, len(COCO): COCO}.get(classes)
    return known or tuple(f"class {label}" for label in range(classes))


def read_names(path: str | Path) -> tuple[str, ...]:
    """The names in a UTF-8 file with one a line; an empty line within is a class without a name."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot read the class names: {error.strerror}") from error
    if len(content) > _LARGEST_FILE_BYTES:
        raise InputError(f"{path}: too large for a file of class names")
    try:
        lines = content.decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file of class names, one a line") from None
    if not lines:
        raise InputError(f"{path}: no class names in it")
    return tuple(line.strip() or f"class {label}" for label, line in enumerate(lines))
