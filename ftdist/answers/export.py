"""What was seen, as data for other programs: values in, text out.

    json   a list of pictures, each with its file, its size in pixels and its detections, or classes
    csv    one detection (or class) a line, below a line that names the columns
    coco   images, categories and annotations as COCO's own files have them
    yolo   of one picture: class, centre, width and height in fractions of the picture, a line each
    text   the writing on a picture, a line each

Boxes are (x, y, width, height) in pixels of the picture as it was given; x and y are the left and
top edge. In COCO's files numbers begin at 1: a category's is the class number plus one.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftdist.answers.measures import (
    PIXEL_DIGITS,
    SCORE_DIGITS,
    area_of,
    box_of,
    coco_details,
    outlines_of,
)
from ftdist.answers.seen import (
    Classified,
    Found,
    Likely,
    OfOutput,
    Pointed,
    Result,
    Seen,
    Segmented,
    Share,
    Written,
    name_of,
    of_parts,
)
from ftdist.answers.yolo import as_yolo
from ftdist.network.task import Kind

FORMATS = ("json", "csv", "coco", "yolo")

_BOX = ("x", "y", "width", "height")
_FIRST_ID = 1
_INDENT = "  "

_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "detect": ("label", "class", "score", *_BOX),
    "classify": ("label", "class", "probability"),
    "segment": ("label", "class", "share"),
    "points": ("point", "x", "y"),
    "text": ("text", "score"),
}


def as_value(result: Result) -> dict[str, Any]:
    """One picture's result as JSON holds it."""
    if isinstance(result, Classified):
        if result.parts:
            return {"file": result.file, "outputs": [_part(each) for each in result.parts]}
        return {"file": result.file, "classes": [_likely(each) for each in result.classes]}
    if isinstance(result, Written):
        said = (
            {"characters": list(result.numbers)} if result.text is None else {"text": result.text}
        )
        return {"file": result.file, **said, "score": round(result.score, SCORE_DIGITS)}
    size = {"width": result.width, "height": result.height}
    if isinstance(result, Segmented):
        shares = [
            {"label": e.label, "class": e.number, "share": round(e.share, SCORE_DIGITS)}
            for e in result.classes
        ]
        return {"file": result.file, **size, "shares": shares}
    if isinstance(result, Pointed):
        points = [[round(x, PIXEL_DIGITS), round(y, PIXEL_DIGITS)] for x, y in result.points]
        return {"file": result.file, **size, "points": points}
    return {"file": result.file, **size, "detections": [_object(e) for e in result.objects]}


def _likely(each: Likely) -> dict[str, Any]:
    probability = round(each.probability, SCORE_DIGITS)
    return {"label": each.label, "class": each.number, "probability": probability}


def _part(part: OfOutput) -> dict[str, Any]:
    """One of several outputs as JSON holds it."""
    if part.value is not None:
        return {"output": part.name, "value": round(part.value, SCORE_DIGITS)}
    return {"output": part.name, "classes": [_likely(each) for each in part.classes]}


def _object(found: Found) -> dict[str, Any]:
    """An object as JSON holds it; key points and outlines only where there are some."""
    value: dict[str, Any] = {
        "label": found.label,
        "class": found.number,
        "score": round(found.score, SCORE_DIGITS),
        "box": dict(zip(_BOX, box_of(found), strict=True)),
    }
    if found.points:
        value["points"] = [[round(each, PIXEL_DIGITS) for each in p] for p in found.points]
    if found.outlines:
        value["outlines"] = outlines_of(found)
    return value


def from_value(value: Mapping[str, Any]) -> Result:
    """The result that ``as_value`` made the value of."""
    if "outputs" in value:
        parts = tuple(
            OfOutput(each["output"], _classes(each.get("classes", ())), each.get("value"))
            for each in value["outputs"]
        )
        return of_parts(value["file"], parts)
    if "classes" in value:
        return Classified(value["file"], _classes(value["classes"]))
    if "text" in value or "characters" in value:
        numbers = tuple(value.get("characters", ()))
        return Written(value["file"], value.get("text"), numbers, value["score"])
    size = value["file"], value["width"], value["height"]
    if "shares" in value:
        return Segmented(
            *size, tuple(Share(e["label"], e["class"], e["share"]) for e in value["shares"])
        )
    if "points" in value:
        return Pointed(*size, tuple((x, y) for x, y in value["points"]))
    return Seen(*size, tuple(_found(each) for each in value["detections"]))


def _classes(values: Iterable[Mapping[str, Any]]) -> tuple[Likely, ...]:
    return tuple(Likely(e["label"], e["class"], e["probability"]) for e in values)


def _found(value: Mapping[str, Any]) -> Found:
    points = tuple((x, y, visible) for x, y, visible in value.get("points", ()))
    outlines = tuple(array("f", each) for each in value.get("outlines", ()))
    x, y, width, height = (value["box"][key] for key in _BOX)
    said = value["label"], value["class"], value["score"]
    return Found(*said, x, y, width, height, points, outlines)


Results = Callable[[], Iterable[Result]]
"""Gives all results, each time that it is called, one after the other."""


def json_pieces(results: Results) -> Iterator[str]:
    """All pictures' results, a piece of text after the other: an object, where there are some."""
    line, between = "\n" + _INDENT, ""
    yield "["
    for each in results():
        yield between + line
        if isinstance(each, Seen):
            head = as_value(replace(each, objects=()))
            text = json.dumps(head, indent=len(_INDENT)).replace("\n", line)
            yield text.removesuffix("]" + line + "}")
            yield from _members(map(_object, each.objects), 3)
            yield "]" + line + "}"
        else:
            yield json.dumps(as_value(each), indent=len(_INDENT)).replace("\n", line)
        between = ","
    yield "\n]\n" if between else "]\n"


def csv_pieces(results: Results, kind: Kind = "detect") -> Iterator[str]:
    """One detection a line, or whatever else results of the kind hold."""
    import csv  # as io, only for those who want it
    import io

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", *columns(kind)))
    for result in results():
        for row in rows_of(result):
            table.writerow((result.file, *row))
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def coco_pieces(results: Results, names: Sequence[str]) -> Iterator[str]:
    """One file for all pictures, those without an object too; `names` are the model's classes.

    Results that are no objects are left out. They are asked for three times.
    """

    def objects() -> Iterator[tuple[int, Seen]]:
        return enumerate((each for each in results() if isinstance(each, Seen)), _FIRST_ID)

    known = dict(enumerate(names))
    known |= {each.number: each.label for _, result in objects() for each in result.objects}
    images = (
        {"id": image, "file_name": each.file, "width": each.width, "height": each.height}
        for image, each in objects()
    )
    categories = (
        {"id": number + _FIRST_ID, "name": name_of(number, names)} for number in sorted(known)
    )
    yield '{\n  "images": ['
    yield from _members(images, 2)
    yield '],\n  "categories": ['
    yield from _members(categories, 2)
    yield '],\n  "annotations": ['
    yield from _members(_annotations(objects()), 2)
    yield "]\n}\n"


def _annotations(objects: Iterable[tuple[int, Seen]]) -> Iterator[dict[str, Any]]:
    number = _FIRST_ID
    for image, result in objects:
        for each in result.objects:
            yield {
                "id": number,
                "image_id": image,
                "category_id": each.number + _FIRST_ID,
                "bbox": box_of(each),
                "area": round(area_of(each), PIXEL_DIGITS),
                "iscrowd": 0,
                "score": round(each.score, SCORE_DIGITS),
                **coco_details(each),
            }
            number += 1


def _members(values: Iterable[Any], depth: int) -> Iterator[str]:
    """What stands between the brackets of a list, so deep in an indented text."""
    line, between = "\n" + _INDENT * depth, ""
    for value in values:
        yield between + line + json.dumps(value, indent=len(_INDENT)).replace("\n", line)
        between = ","
    if between:
        yield "\n" + _INDENT * (depth - 1)


def pieces(
    results: Results,
    file_format: str,
    names: Sequence[str],
    *,
    scores: bool = False,
    kind: Kind = "detect",
) -> Iterator[str]:
    """The results in one of FORMATS, never whole in memory; in yolo's a picture after another."""
    if file_format == "json":
        return json_pieces(results)
    if file_format == "csv":
        return csv_pieces(results, kind)
    if file_format == "coco":
        return coco_pieces(results, names)
    if file_format == "text":
        return (writing(each) + "\n" for each in results() if isinstance(each, Written))
    return (as_yolo(each, scores=scores) for each in results() if isinstance(each, Seen))


def as_text(
    results: Sequence[Result],
    file_format: str,
    names: Sequence[str],
    *,
    scores: bool = False,
    kind: Kind = "detect",
) -> str:
    """The same as one text."""
    return "".join(pieces(lambda: results, file_format, names, scores=scores, kind=kind))


def writing(result: Written) -> str:
    """What is written on a picture; numbers of classes where that is all that is known."""
    return " ".join(map(str, result.numbers)) if result.text is None else result.text


def columns(kind: Kind) -> tuple[str, ...]:
    """Of a table of results of that kind, beside the file."""
    return _COLUMNS.get(kind, _COLUMNS["detect"])


def rows_of(result: Result) -> list[tuple[Any, ...]]:
    """A result's rows in such a table."""
    if isinstance(result, Classified):
        parts = [(f"{part.name}: ", part.classes) for part in result.parts]
        return [
            (before + each.label, each.number, round(each.probability, SCORE_DIGITS))
            for before, classes in parts or [("", result.classes)]
            for each in classes
        ]
    if isinstance(result, Segmented):
        return [
            (each.label, each.number, round(each.share, SCORE_DIGITS)) for each in result.classes
        ]
    if isinstance(result, Written):
        return [(writing(result), round(result.score, SCORE_DIGITS))]
    if isinstance(result, Pointed):
        return [(n, *as_value(result)["points"][n]) for n in range(len(result.points))]
    return [
        (each.label, each.number, round(each.score, SCORE_DIGITS), *box_of(each))
        for each in result.objects
    ]
