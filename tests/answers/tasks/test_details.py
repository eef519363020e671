"""What detectors say beside boxes: masks, key points, turned boxes; told, read, and drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ftdist.answers.decode import Detection
from ftdist.answers.drawing.draw import draw
from ftdist.answers.export import as_text, as_value, from_value, json_pieces
from ftdist.answers.kinds import answering_bytes
from ftdist.answers.measures import enclosed
from ftdist.answers.seen import seen
from ftdist.answers.suppress import suppress_turned
from ftdist.answers.tasks.detecting import detect_listed
from ftdist.answers.tasks.outlines import MOST_CORNERS, area, outlines
from ftdist.answers.tasks.recognise import recognise
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.operators.tensors import Rearrange
from ftdist.network.operators.views import Factor, View
from ftdist.network.ports import Input, Layout
from ftdist.network.task import Task
from ftdist.pictures.fitting import Box, Letterbox

HEIGHT, WIDTH = 128, 192
COUNT = sum((HEIGHT // stride) * (WIDTH // stride) for stride in (8, 16, 32))
CLASSES = ("cat", "dog")
BOX = (96.0, 64.0, 80.0, 40.0)
"""Centre and size of what is found, in pixels."""


def columns(more: list[float], place: int = 17, score: float = 0.9) -> np.ndarray:
    """A list of YOLOv8 of nothing but one dog, with values behind its scores."""
    table = np.zeros((1, 4 + len(CLASSES) + len(more), COUNT), np.float32)
    table[0, :, place] = [*BOX, 0.1, score, *more]
    return table


def maps() -> np.ndarray:
    """Four maps: ones, and three of noise that the tests do not take."""
    noise = np.random.default_rng(0).standard_normal((1, 4, HEIGHT // 4, WIDTH // 4))
    noise[0, 0] = 1
    return noise.astype(np.float32)


def told(outputs: dict[str, np.ndarray], words: str = "") -> Task:
    shapes = {name: each.shape for name, each in outputs.items()}
    return recognise((3, HEIGHT, WIDTH), shapes, words, CLASSES)


def one(outputs: dict[str, np.ndarray], task: Task) -> Detection:
    (found,) = detect_listed(task, outputs, (HEIGHT, WIDTH))
    assert found.label == 1 and found.score == pytest.approx(0.9)
    return found


def test_a_mask_of_ones_is_its_box() -> None:
    outputs = {"boxes": columns([1, 0, 0, 0]), "maps": maps()}
    task = told(outputs)
    assert (task.detail, task.outputs) == ("masks", ("boxes", "maps"))
    (line,) = one(outputs, task).outlines
    corners = np.array(line).reshape(-1, 2) * (WIDTH, HEIGHT)
    assert corners.min(axis=0) == pytest.approx([56, 44])
    assert corners.max(axis=0) == pytest.approx([136, 84])
    assert area(corners) == pytest.approx(80 * 40, rel=0.01)


def test_masks_behind_a_suppression_are_the_same() -> None:
    left = np.zeros((1, 300, 6 + 4), np.float32)
    left[0, 5] = [56, 44, 136, 84, 0.9, 1, 1, 0, 0, 0]
    outputs = {"boxes": left, "maps": maps()}
    task = told(outputs)
    assert (task.layout, task.detail) == ("selected", "masks")
    before = {"boxes": columns([1, 0, 0, 0]), "maps": maps()}
    (line,), (wanted,) = (one(each, told(each)).outlines for each in (outputs, before))
    np.testing.assert_allclose(line, wanted, rtol=1e-5)


def test_a_mask_of_nothing_has_no_outline() -> None:
    outputs = {"boxes": columns([-1, 0, 0, 0]), "maps": maps()}
    assert one(outputs, told(outputs)).outlines == ()


@pytest.mark.parametrize(("values", "visible"), [(3, 0.75), (2, 1.0)])
def test_key_points_are_in_fractions(values: int, visible: float) -> None:
    points = [[48, 32, 0.75], [96, 96, 0.75], [144, 64, 0.75]]
    more = [each for point in points for each in point[:values]]
    outputs = {"output0": columns(more)}
    task = told(outputs, f"task pose kpt_shape [3, {values}]")
    assert (task.detail, task.values, task.classes) == ("points", values, 2)
    expected = [(0.25, 0.25, visible), (0.5, 0.75, visible), (0.75, 0.5, visible)]
    np.testing.assert_allclose(one(outputs, task).points, expected, rtol=1e-6)


def test_a_turned_box_has_corners_and_a_box_around_them() -> None:
    outputs = {"output0": columns([math.pi / 2])}
    task = told(outputs, "task obb")
    assert task.detail == "turned"
    found = one(outputs, task)
    assert found.box == pytest.approx((76 / WIDTH, 24 / HEIGHT, 116 / WIDTH, 104 / HEIGHT))
    corners = np.array(found.outlines[0]).reshape(-1, 2) * (WIDTH, HEIGHT)
    np.testing.assert_allclose(corners, [(116, 24), (116, 104), (76, 104), (76, 24)], atol=1e-4)


def test_a_turned_box_behind_a_suppression() -> None:
    left = np.zeros((1, 300, 7), np.float32)
    left[0, 5] = [*BOX, 0.9, 1, 0.0]
    outputs = {"output0": left}
    task = told(outputs, "task obb kpt_shape none")
    assert (task.layout, task.detail) == ("selected", "turned")
    assert one(outputs, task).box == pytest.approx((56 / 192, 44 / 128, 136 / 192, 84 / 128))


def test_crossing_boxes_are_two_and_nearly_equal_ones_are_one() -> None:
    found = [Detection(0, score, Box(0, 0, 1, 1)) for score in (0.9, 0.8, 0.7)]
    boxes = [[50, 50, 80, 10, 0.1], [50, 50, 80, 10, 1.6], [51, 50, 80, 10, 0.1]]
    assert suppress_turned(found, np.array(boxes, np.float32), 0.45) == found[:2]


def test_a_ring_has_two_outlines_whose_areas_are_known() -> None:
    y, x = np.mgrid[:40, :60] + 0.5
    away = np.hypot(x - 30, y - 20).astype(np.float32)
    outer, inner = (np.array(e).reshape(-1, 2) for e in outlines(np.minimum(12 - away, away - 5)))
    assert area(outer) == pytest.approx(math.pi * 144, rel=0.01)
    assert area(inner) == pytest.approx(-math.pi * 25, rel=0.02)


@pytest.mark.parametrize("seed", range(20))
def test_outlines_enclose_what_is_above_zero(seed: int) -> None:
    """Each position's middle is within an odd number of lines just where its value is above 0."""
    generator = np.random.default_rng(seed)
    blocks = np.where(generator.random((5, 6)) < 0.5, 9, -9).repeat(2, axis=0).repeat(2, axis=1)
    values = (generator.standard_normal(blocks.shape) + blocks).astype(np.float32)
    lines = [np.array(each, np.float64).reshape(-1, 2) for each in outlines(values)]
    within = np.zeros(values.shape, bool)
    for row, column in np.ndindex(values.shape):
        within[row, column] = sum(_within(e, column + 0.5, row + 0.5) for e in lines) % 2
    np.testing.assert_array_equal(within, values > 0)


def _within(line: np.ndarray, x: float, y: float) -> bool:
    x1, y1 = line.T
    x2, y2 = np.roll(line, -1, axis=0).T
    passes = (y1 > y) != (y2 > y)
    with np.errstate(all="ignore"):
        return bool((passes & (x < x1 + (y - y1) / (y2 - y1) * (x2 - x1))).sum() % 2)


def test_noise_has_no_more_corners_than_are_kept() -> None:
    noise = np.random.default_rng(0).standard_normal((160, 160)).astype(np.float32)
    assert sum(len(each) // 2 for each in outlines(noise)) <= MOST_CORNERS


def found_on_a_photo() -> tuple[Detection, Letterbox]:
    outputs = {"boxes": columns([1, 0, 0, 0]), "maps": maps()}
    return one(outputs, told(outputs)), Letterbox.fit(96, 64, Shape(HEIGHT, WIDTH, 3))


def test_files_hold_outlines_and_points() -> None:
    found, box = found_on_a_photo()
    masked = seen("a.jpg", [found], CLASSES, box)
    posed = seen("a.jpg", [Detection(1, 0.9, found.box, points=((0.5, 0.25, 0.75),))], CLASSES, box)
    for each in (masked, posed):
        assert from_value(json.loads(json.dumps(as_value(each)))) == from_value(as_value(each))
    assert as_value(posed)["detections"][0]["points"] == [[48.0, 16.0, 0.75]]
    (line,) = as_value(masked)["detections"][0]["outlines"]
    assert enclosed(line) == pytest.approx(40 * 20, rel=0.02)
    (mine,) = json.loads(as_text([masked], "coco", CLASSES))["annotations"]
    assert mine["segmentation"] == [line] and mine["area"] == pytest.approx(800, rel=0.02)
    (mine,) = json.loads(as_text([posed], "coco", CLASSES))["annotations"]
    assert mine["keypoints"] == [48.0, 16.0, 2] and mine["num_keypoints"] == 1
    words = as_text([masked], "yolo", CLASSES).split()
    assert words[0] == "1" and len(words) == 1 + len(line)
    words = as_text([posed], "yolo", CLASSES).split()
    assert [float(each) for each in words[5:]] == [0.5, 0.25, 0.75]


def test_json_is_written_object_by_object() -> None:
    found, box = found_on_a_photo()
    many = seen("a.jpg", [found] * 50, CLASSES, box)
    results = [many, seen("b.jpg", [], CLASSES, box), many]
    pieces = list(json_pieces(lambda: results))
    assert "".join(pieces) == json.dumps([as_value(each) for each in results], indent=2) + "\n"
    assert max(map(len, pieces)) < len("".join(pieces)) / 90


@pytest.mark.parametrize("what", ["mask", "points", "turned"])
def test_shapes_are_drawn_where_they_are(what: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    found, box = found_on_a_photo()
    if what == "points":
        found = Detection(1, 0.9, found.box, points=((0.5, 0.5, 1.0), (0.5, 0.6, 0.1)))
    elif what == "turned":
        outputs = {"output0": columns([0.0])}
        found = one(outputs, told(outputs, "task obb"))
    image.new("RGB", (96, 64), (100, 100, 100)).save(tmp_path / "a.png")
    draw(tmp_path / "a.png", [found], CLASSES, tmp_path / "b.png", box)
    drawn = np.asarray(image.open(tmp_path / "b.png")).astype(int)
    inside, beside = drawn[38, 48], drawn[60, 90]
    assert (beside == 100).all()
    assert (inside == 100).all() == (what in ("turned", "points"))
    if what == "points":
        assert tuple(drawn[32, 48]) == (0, 255, 64)
    if what == "turned":
        assert (drawn[22, 48] != 100).any()  # its upper line


def test_of_a_list_with_details_only_boxes_and_scores_are_copied() -> None:
    """What is said of an object beside its box is read where it was found."""
    builder = NetworkBuilder("pose", [Input("x", Shape(16, 16, 3))])
    layer = builder.add(Rearrange(View((Factor(1),), (Factor(8400),), (Factor(56),))), [-1])
    layout = Layout(dims=(1, 56, 8400))
    network = builder.finish({layer: layout})
    (name,) = (network.layers[each].name for each in network.outputs)
    plain = Task("detect", "columns", 52, (name,))
    posed = Task("detect", "columns", 1, (name,), "points", 3)
    saved = answering_bytes(network, plain) - answering_bytes(network, posed)
    assert saved > 2 * 51 * 8400 * 4  # of five copies, less what key points take
