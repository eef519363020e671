"""What was seen, as data for other programs: values in, text out.

    json   a list of pictures, each with its file, its size in pixels and its detections, or classes
    csv    one detection (or class) a line, below a line that names the columns
    coco   images, categories and annotations as COCO's own files have them
    yolo   of one picture: class, centre, width and height in fractions of the picture, a line each

Boxes are (x, y, width, height) in pixels of the picture as it was given; x and y are the left and
top edge. In COCO's files numbers begin at 1: a category's is the class number plus one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.answers.seen import (
    Classified,
    Found,
    Likely,
    Pointed,
    Result,
    Seen,
    Segmented,
    Share,
    name_of,
)
from ftdist.network.task import Kind

FORMATS = ("json", "csv", "coco", "yolo")

_PIXEL_DIGITS = 3
_SCORE_DIGITS = 6
_FRACTION_DIGITS = 8
"""A thousandth of a pixel in a picture of 100,000; detectors' own answers are coarser by far."""

_BOX = ("x", "y", "width", "height")
_FIRST_ID = 1

_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "detect": ("label", "class", "score", *_BOX),
    "classify": ("label", "class", "probability"),
    "segment": ("label", "class", "share"),
    "points": ("point", "x", "y"),
}
"""Columns of a table, beside the file."""


def as_value(result: Result) -> dict[str, Any]:
    """One picture's result as JSON holds it."""
    if isinstance(result, Classified):
        classes = [
            {
                "label": each.label,
                "class": each.number,
                "probability": round(each.probability, _SCORE_DIGITS),
            }
            for each in result.classes
        ]
        return {"file": result.file, "classes": classes}
    size = {"width": result.width, "height": result.height}
    if isinstance(result, Segmented):
        shares = [
            {"label": e.label, "class": e.number, "share": round(e.share, _SCORE_DIGITS)}
            for e in result.classes
        ]
        return {"file": result.file, **size, "shares": shares}
    if isinstance(result, Pointed):
        points = [[round(x, _PIXEL_DIGITS), round(y, _PIXEL_DIGITS)] for x, y in result.points]
        return {"file": result.file, **size, "points": points}
    detections = [
        {
            "label": each.label,
            "class": each.number,
            "score": round(each.score, _SCORE_DIGITS),
            "box": dict(zip(_BOX, _box(each), strict=True)),
        }
        for each in result.objects
    ]
    return {"file": result.file, **size, "detections": detections}


def from_value(value: Mapping[str, Any]) -> Result:
    """The result that ``as_value`` made the value of."""
    if "classes" in value:
        return Classified(
            value["file"],
            tuple(Likely(e["label"], e["class"], e["probability"]) for e in value["classes"]),
        )
    size = value["file"], value["width"], value["height"]
    if "shares" in value:
        return Segmented(
            *size, tuple(Share(e["label"], e["class"], e["share"]) for e in value["shares"])
        )
    if "points" in value:
        return Pointed(*size, tuple((x, y) for x, y in value["points"]))
    objects = (
        Found(each["label"], each["class"], each["score"], *(each["box"][key] for key in _BOX))
        for each in value["detections"]
    )
    return Seen(*size, tuple(objects))


def as_json(results: Sequence[Result]) -> str:
    """All pictures' results."""
    return json.dumps([as_value(each) for each in results], indent=2) + "\n"


def as_csv(results: Sequence[Result], kind: Kind = "detect") -> str:
    """One detection a line, or whatever else results of the kind hold."""
    import csv  # as io, only for those who want it
    import io

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", *_COLUMNS.get(kind, _COLUMNS["detect"])))
    for result in results:
        for row in _rows(result):
            table.writerow((result.file, *row))
    return text.getvalue()


def as_coco(results: Sequence[Seen], names: Sequence[str]) -> str:
    """One file for all pictures, those without an object too; `names` are the model's classes."""
    known = dict(enumerate(names))
    known |= {each.number: each.label for result in results for each in result.objects}
    annotations: list[dict[str, Any]] = []
    for image, result in enumerate(results, _FIRST_ID):
        for each in result.objects:
            annotations.append(
                {
                    "id": len(annotations) + _FIRST_ID,
                    "image_id": image,
                    "category_id": each.number + _FIRST_ID,
                    "bbox": _box(each),
                    "area": round(each.width * each.height, _PIXEL_DIGITS),
                    "iscrowd": 0,
                    "score": round(each.score, _SCORE_DIGITS),
                }
            )
    value: Mapping[str, Any] = {
        "images": [
            {"id": image, "file_name": each.file, "width": each.width, "height": each.height}
            for image, each in enumerate(results, _FIRST_ID)
        ],
        "categories": [
            {"id": number + _FIRST_ID, "name": name_of(number, names)} for number in sorted(known)
        ],
        "annotations": annotations,
    }
    return json.dumps(value, indent=2) + "\n"


def as_yolo(result: Seen, *, scores: bool = False) -> str:
    """One picture's objects, as labels for training are written; with `scores` one more column."""
    lines = []
    for each in result.objects:
        fractions = (
            (each.x + each.width / 2) / result.width,
            (each.y + each.height / 2) / result.height,
            each.width / result.width,
            each.height / result.height,
        )
        words = [str(each.number), *(f"{value:.{_FRACTION_DIGITS}f}" for value in fractions)]
        if scores:
            words.append(f"{each.score:.{_SCORE_DIGITS}f}")
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


def as_text(
    results: Sequence[Result],
    file_format: str,
    names: Sequence[str],
    *,
    scores: bool = False,
    kind: Kind = "detect",
) -> str:
    """The results in one of FORMATS; in yolo's, one picture after another."""
    if file_format == "json":
        return as_json(results)
    if file_format == "csv":
        return as_csv(results, kind)
    found = [each for each in results if isinstance(each, Seen)]
    if file_format == "coco":
        return as_coco(found, names)
    return "".join(as_yolo(each, scores=scores) for each in found)


def _rows(result: Result) -> list[tuple[Any, ...]]:
    if isinstance(result, Classified):
        return [
            (each.label, each.number, round(each.probability, _SCORE_DIGITS))
            for each in result.classes
        ]
    if isinstance(result, Segmented):
        return [
            (each.label, each.number, round(each.share, _SCORE_DIGITS)) for each in result.classes
        ]
    if isinstance(result, Pointed):
        return [(n, *as_value(result)["points"][n]) for n in range(len(result.points))]
    return [
        (each.label, each.number, round(each.score, _SCORE_DIGITS), *_box(each))
        for each in result.objects
    ]


def _box(found: Found) -> list[float]:
    return [round(each, _PIXEL_DIGITS) for each in (found.x, found.y, found.width, found.height)]
