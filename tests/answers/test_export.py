"""What was seen, written as data and read back by each format's own rules."""

from __future__ import annotations

import csv
import io
import json
from array import array
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ftdist.answers.classify import Judgement
from ftdist.answers.decode import Detection
from ftdist.answers.export import as_text, as_value, from_value
from ftdist.answers.seen import Classified, Found, Likely, Seen, classified, seen
from ftdist.answers.yolo import as_yolo
from ftdist.geometry import Shape
from ftdist.pictures.fitted import Letterbox
from ftdist.pictures.fitting import Box

_TEXT = some.text(max_size=12)
"""Labels and files may hold anything: quotes, commas, line ends, any script."""


@some.composite
def _seen(draw: some.DrawFn) -> Seen:
    width, height = draw(some.integers(1, 30_000)), draw(some.integers(1, 30_000))
    objects = []
    for _ in range(draw(some.integers(0, 4))):
        left, right = sorted(draw(some.tuples(*[some.floats(0, width)] * 2)))
        top, bottom = sorted(draw(some.tuples(*[some.floats(0, height)] * 2)))
        number, score = draw(some.integers(0, 2)), draw(some.floats(0, 1))
        box = left, top, right - left, bottom - top
        objects.append(Found(NAMES[number], number, score, *box))
    return Seen(draw(_TEXT), width, height, tuple(objects))


NAMES = ("a person", 'q"uo,te', "鳥\n")
_RESULTS = some.lists(_seen(), max_size=3)
_EXAMPLES = settings(max_examples=60, derandomize=True)


def _near(values: list[float], found: Found) -> bool:
    return np.allclose(values, [found.x, found.y, found.width, found.height], rtol=0, atol=6e-4)


@_EXAMPLES
@given(_RESULTS, some.lists(some.floats(0, 30_000, width=32), min_size=12, max_size=12))
def test_a_record_becomes_the_same_data_as_what_it_is_of(
    results: list[Seen], numbers: list[float]
) -> None:
    """A batch and a job write data of records, a run of what was seen."""
    outlines = array("f", numbers[:6]), array("f", numbers[6:])
    points = tuple((x, y, 0.4996 + part) for x, y, part in ((*numbers[:2], 0), (*numbers[2:4], 1)))
    details: tuple[dict[str, Any], ...] = ({}, {"outlines": outlines}, {"points": points})
    for more in details:
        of_run = [
            replace(result, objects=tuple(replace(each, **more) for each in result.objects))
            for result in results
        ]
        of_records = [from_value(json.loads(json.dumps(as_value(each)))) for each in of_run]
        for file_format in ("json", "csv", "coco"):
            wanted = as_text(of_run, file_format, NAMES)
            assert as_text(of_records, file_format, NAMES) == wanted


@_EXAMPLES
@given(_RESULTS)
def test_json_holds_everything(results: list[Seen]) -> None:
    read = json.loads(as_text(results, "json", NAMES))
    assert len(read) == len(results)
    assert [as_value(from_value(value)) for value in read] == read
    for value, result in zip(read, results, strict=True):
        size = result.file, result.width, result.height
        assert (value["file"], value["width"], value["height"]) == size
        for each, found in zip(value["detections"], result.objects, strict=True):
            assert (each["label"], each["class"]) == (found.label, found.number)
            assert each["score"] == pytest.approx(found.score, abs=1e-6)
            assert _near([each["box"][k] for k in ("x", "y", "width", "height")], found)


@_EXAMPLES
@given(_RESULTS)
def test_csv_is_one_detection_a_row_below_the_columns(results: list[Seen]) -> None:
    head, *rows = csv.reader(io.StringIO(as_text(results, "csv", NAMES), newline=""))
    assert head == ["file", "label", "class", "score", "x", "y", "width", "height"]
    expected = [(result.file, each) for result in results for each in result.objects]
    for row, (file, found) in zip(rows, expected, strict=True):
        assert row[:3] == [file, found.label, str(found.number)]
        assert float(row[3]) == pytest.approx(found.score, abs=1e-6)
        assert _near([float(each) for each in row[4:]], found)


@_EXAMPLES
@given(_RESULTS)
def test_coco_is_what_its_own_reader_expects(results: list[Seen]) -> None:
    """As pycocotools indexes a file: unique numbers from 1, every reference resolved."""
    value = json.loads(as_text(results, "coco", NAMES))
    images = {each["id"]: each for each in value["images"]}
    categories = {each["id"]: each["name"] for each in value["categories"]}
    assert categories == {1: NAMES[0], 2: NAMES[1], 3: NAMES[2]}
    assert [each["file_name"] for each in value["images"]] == [each.file for each in results]
    assert sorted(images) == list(range(1, len(results) + 1))
    annotations = value["annotations"]
    assert [each["id"] for each in annotations] == list(range(1, len(annotations) + 1))
    expected = [(image, e) for image, r in enumerate(results, 1) for e in r.objects]
    for each, (image, found) in zip(annotations, expected, strict=True):
        assert each["image_id"] == image and image in images
        assert categories[each["category_id"]] == found.label
        assert _near(each["bbox"], found)
        assert each["area"] == pytest.approx(each["bbox"][2] * each["bbox"][3], abs=1e-3)
        assert each["iscrowd"] == 0


@_EXAMPLES
@given(_seen(), some.booleans())
def test_yolo_goes_back_to_pixels(result: Seen, scores: bool) -> None:
    lines = as_yolo(result, scores=scores).splitlines()
    for line, found in zip(lines, result.objects, strict=True):
        number, x, y, width, height, *rest = line.split(" ")
        assert int(number) == found.number
        assert len(rest) == scores and all(
            float(e) == pytest.approx(found.score, abs=1e-6) for e in rest
        )
        across, down = float(width) * result.width, float(height) * result.height
        left, top = float(x) * result.width - across / 2, float(y) * result.height - down / 2
        assert _near([left, top, across, down], found)
        assert all(0 <= float(each) <= 1 for each in (x, y, width, height))


def test_a_classifiers_best_in_json_and_csv() -> None:
    judgements = [Judgement(1, 0.5), Judgement(3, 0.3), Judgement(0, 0.1)]
    result = classified("p.jpg", judgements, ("a", "b", "c"))
    best = (Likely("b", 1, 0.5), Likely("class 3", 3, 0.3), Likely("a", 0, 0.1))
    assert result == Classified("p.jpg", best)
    (value,) = json.loads(as_text([result], "json", ()))
    assert from_value(value) == result
    assert value["classes"][0] == {"label": "b", "class": 1, "probability": 0.5}
    lines = as_text([result], "csv", (), kind="classify").splitlines()
    assert lines[:2] == ["file,label,class,probability", "p.jpg,b,1,0.5"]


def test_boxes_are_in_pixels_of_the_picture_and_cut_at_its_edges() -> None:
    letterbox = Letterbox.fit(400, 200, Shape(100, 100, 3))  # rows 25 to 75 of the input
    detections = [
        Detection(1, 0.9, Box(0.5, 0.5, 1.2, 0.6)),
        Detection(7, 0.8, Box(0.1, 0.0, 0.3, 0.2)),  # in the padding alone
        Detection(0, 0.7, Box(0.0, 0.0, 0.25, 0.5)),
    ]
    result = seen("p.jpg", detections, ("a", "b"), letterbox)
    assert (result.file, result.width, result.height) == ("p.jpg", 400, 200)
    (first, second) = result.objects
    assert (first.label, first.number, first.score) == ("b", 1, 0.9)
    box = first.x, first.y, first.width, first.height
    assert box == pytest.approx((200, 100, 200, 40))
    box = second.x, second.y, second.width, second.height
    assert box == pytest.approx((0, 0, 100, 100))
    on_array = seen(
        "a.npy", detections[:1], (), Letterbox.fit(100, 100, Shape(100, 100, 3))
    ).objects[0]
    assert on_array.label == "class 1"
    box = on_array.x, on_array.y, on_array.width, on_array.height
    assert box == pytest.approx((50, 50, 50, 10))
