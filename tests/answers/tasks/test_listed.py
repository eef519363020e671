"""Boxes out of lists: each layout is filled with known boxes and read back."""

from __future__ import annotations

import numpy as np
import pytest

from ftdist.answers.tasks.listed import listed, suppressed_inside
from ftdist.answers.tasks.recognise import recognise
from ftdist.errors import InputError
from ftdist.network.task import Layout, Task

HEIGHT, WIDTH = 128, 192
BOX = (0.25, 0.125, 0.5, 0.75)
LABEL, SCORE = 2, 0.8
CLASSES = 4


def centre_and_size(scale=(WIDTH, HEIGHT)):
    left, top, right, bottom = BOX
    x, y = scale
    return [(left + right) / 2 * x, (top + bottom) / 2 * y, (right - left) * x, (bottom - top) * y]


def one_found(task, outputs, threshold=0.3) -> None:
    (found,) = listed(task, outputs, (HEIGHT, WIDTH), threshold)
    assert found.label == LABEL and found.score == pytest.approx(SCORE, abs=1e-5)
    assert found.box == pytest.approx(BOX, abs=1e-5)


def cells(*strides):
    return sum((HEIGHT // stride) * (WIDTH // stride) for stride in strides)


def rows(count, values, row):
    table = np.zeros((1, count, values), np.float32)
    table[:, :, 2:4] = 1
    table[0, 17, : len(row)] = row
    return table


@pytest.mark.parametrize("scale", [(WIDTH, HEIGHT), (1, 1)], ids=["pixels", "fractions"])
def test_rows_with_objectness(scale) -> None:
    scores = [0.1, 0.1, SCORE / 0.9, 0.2]
    output = rows(3 * cells(8, 16, 32), 5 + CLASSES, [*centre_and_size(scale), 0.9, *scores])
    task = recognise((3, HEIGHT, WIDTH), {"output": output.shape})
    assert task.layout == "rows"
    one_found(task, {"output": output})


def test_columns() -> None:
    output = rows(cells(8, 16, 32), 4 + CLASSES, [*centre_and_size(), 0, 0, SCORE, 0.1])
    output = np.ascontiguousarray(output.transpose(0, 2, 1))
    task = recognise((3, HEIGHT, WIDTH), {"output": output.shape})
    assert task.layout == "columns" and task.classes == CLASSES
    one_found(task, {"output": output})


def test_masks_beside_the_classes_are_no_classes() -> None:
    output = rows(
        cells(8, 16, 32), 4 + CLASSES + 3, [*centre_and_size(), 0, 0, SCORE, 0.1, 9, 9, 9]
    )
    output = np.ascontiguousarray(output.transpose(0, 2, 1))
    task = recognise((3, HEIGHT, WIDTH), {"output": output.shape}, labels=["a", "b", "c", "d"])
    one_found(task, {"output": output})


def test_logits_are_put_through_a_sigmoid() -> None:
    logit = float(np.log(SCORE / (1 - SCORE)))
    output = rows(300, 4 + 80, [*centre_and_size((1, 1)), -9, -9, logit])
    output[..., 4:][output[..., 4:] == 0] = -9
    task = recognise((3, HEIGHT, WIDTH), {"output": output.shape})
    assert task.layout == "rows_plain"
    one_found(task, {"output": output})


def test_a_grid_that_is_not_decoded() -> None:
    """YOLOX: box 17 of the finest grid is row 0, column 17 of 24, stride 8."""
    count = cells(8, 16, 32)
    output = np.full((1, count, 5 + CLASSES), -0.5, np.float32)
    output[:, :, 4:] = 0
    x, y, width, height = centre_and_size()
    cell = np.array([x / 8 - 17, y / 8 - 0, np.log(width / 8), np.log(height / 8)])
    output[0, 17] = [*cell, 0.9, 0, 0, SCORE / 0.9, 0]
    task = recognise((3, HEIGHT, WIDTH), {"output": output.shape})
    assert task.layout == "grid_rows"
    one_found(task, {"output": output})


def test_a_grid_that_is_decoded() -> None:
    output = rows(cells(8, 16, 32), 5 + CLASSES, [*centre_and_size(), 0.9, 0, 0, SCORE / 0.9, 0])
    task = recognise((3, HEIGHT, WIDTH), {"output": output.shape})
    one_found(task, {"output": output})


def pair(boxes):
    scores = np.zeros((1, 50, CLASSES + 1), np.float32)
    scores[:, :, 0] = 1
    scores[0, 9] = [1 - SCORE, 0, 0, SCORE, 0]
    return {"boxes": np.asarray(boxes, np.float32)[np.newaxis], "scores": scores}


def test_pairs_of_corners_or_of_centres() -> None:
    """The first of scores that add up to one is the background."""
    task = Task("detect", "pairs", CLASSES + 1, ("boxes", "scores"))
    corners = np.tile(np.array([[0.1, 0.1, 0.2, 0.2]]), (50, 1))
    corners[9] = BOX
    one_found(task, pair(corners))
    centres = np.tile(np.array([[0.5, 0.6, 0.1, 0.2]]), (50, 1))
    centres[9] = centre_and_size((1, 1))
    one_found(task, pair(centres))


def test_scores_may_lie_across() -> None:
    count = cells(8, 16, 32)
    boxes = np.tile(np.array([[1, 1, 9, 9]], np.float32), (count, 1))
    boxes[9] = np.array(BOX) * np.array([WIDTH, HEIGHT] * 2)
    scores = np.zeros((1, CLASSES, count), np.float32)
    scores[0, LABEL, 9] = SCORE
    outputs = {"scores": scores, "boxes": boxes[np.newaxis]}
    task = recognise((3, HEIGHT, WIDTH), {name: each.shape for name, each in outputs.items()})
    assert (task.layout, task.classes, task.outputs) == ("pairs", CLASSES, ("boxes", "scores"))
    one_found(task, outputs)


def test_class_and_score_may_stand_first() -> None:
    """PaddleDetection's order; the boxes are in pixels, and there may be none."""
    output = np.zeros((20, 6), np.float32)
    output[:, 2:] = [1, 2, 30, 40]
    output[3] = [LABEL, SCORE, *np.array(BOX) * np.array([WIDTH, HEIGHT] * 2)]
    task = Task("detect", "selected", CLASSES, ("output",))
    one_found(task, {"output": output})
    assert not listed(task, {"output": output[:0]}, (HEIGHT, WIDTH), 0.3)


@pytest.mark.parametrize("stride", [4, 1], ids=["cells", "pixels"])
def test_the_best_peaks_are_in_cells_or_in_pixels(stride) -> None:
    """Peaks lie all over the picture, as many as were asked for."""
    output = np.zeros((1, 100, 6), np.float32)
    centres = np.random.default_rng(0).uniform((0, 0), (WIDTH, HEIGHT), (100, 2)) / stride
    output[0, :, :2], output[0, :, 2:4] = centres - 1, centres + 1
    output[0, 3] = [*np.array(BOX) * np.array([WIDTH, HEIGHT] * 2) / stride, SCORE, LABEL]
    task = Task("detect", "selected_cells", CLASSES, ("output",))
    assert suppressed_inside(task)
    one_found(task, {"output": output})


def test_offsets_to_priors_are_no_boxes() -> None:
    offsets = np.random.default_rng(0).normal(size=(50, 4))
    with pytest.raises(InputError, match="priors that are not in its file"):
        listed(Task("detect", "pairs", 5, ("boxes", "scores")), pair(offsets), (9, 9), 0.3)


@pytest.mark.parametrize(
    "row",
    [
        [*BOX, SCORE, LABEL],
        [0, *BOX, LABEL, SCORE],
        [0, BOX[1], BOX[0], BOX[3], BOX[2], SCORE, LABEL],
    ],
    ids=["score, class", "batch, box, class, score", "EfficientDet's: top first, score, class"],
)
def test_what_a_suppression_inside_left(row) -> None:
    output = np.zeros((1, 20, len(row)), np.float32)
    output[0, 3] = row
    task = Task("detect", "selected", 0, ("output",))
    assert suppressed_inside(task)
    one_found(task, {"output": output})


def test_as_many_as_it_says() -> None:
    task = Task("detect", "counted", 0, ("boxes", "scores", "classes", "num"))
    boxes = np.zeros((1, 10, 4), np.float32)
    boxes[0, :2] = np.array(BOX) * [WIDTH, HEIGHT, WIDTH, HEIGHT]
    scores, classes = np.full((1, 10), SCORE, np.float32), np.full((1, 10), LABEL, np.int64)
    outputs = {"boxes": boxes, "scores": scores, "classes": classes, "num": np.array([[1]])}
    one_found(task, outputs)


def test_what_was_chosen_may_be_told_by_numbers_of_boxes() -> None:
    """Keras' YOLOv3: boxes in pixels, top first; rows of another batch are none."""
    count = 12
    boxes = np.tile(np.array([1, 2, 30, 40], np.float32), (count, 1))
    left, top, right, bottom = np.array(BOX) * [WIDTH, HEIGHT, WIDTH, HEIGHT]
    boxes[7] = top, left, bottom, right
    scores = np.full((CLASSES, count), 0.9, np.float32)
    scores[LABEL, 7] = SCORE
    rows = np.array([[0, LABEL, 7], [-1, 0, 0], [0, CLASSES, 0], [0, 0, count]])
    outputs = {"scores": scores[np.newaxis], "rows": rows, "boxes": boxes[np.newaxis]}
    task = recognise((3, HEIGHT, WIDTH), {name: each.shape for name, each in outputs.items()})
    assert (task.layout, task.classes) == ("chosen", CLASSES)
    assert task.outputs == ("boxes", "scores", "rows") and suppressed_inside(task)
    one_found(task, outputs)


@pytest.mark.parametrize("swapped", [False, True])
def test_lists_are_as_long_as_what_was_found(swapped: bool) -> None:
    """One box is a list of one; of two lists without names that say it, scores are no numbers."""
    boxes = (np.array([BOX]) * [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)
    lists = {"a": np.array([SCORE], np.float32), "b": np.array([LABEL], np.float32)}
    task = Task("detect", "counted", 0, ("boxes", "b", "a") if swapped else ("boxes", "a", "b"))
    one_found(task, {"boxes": boxes, **lists})
    nothing = {name: array[:0] for name, array in {"boxes": boxes, **lists}.items()}
    assert listed(task, nothing, (HEIGHT, WIDTH), 0.1) == []


def test_no_values_make_it_fail() -> None:
    """Broken weights give anything: what is not finite is nowhere, and the rest is bounded."""
    generator = np.random.default_rng(1)
    count = cells(8, 16, 32)
    shapes: list[tuple[Layout, tuple[int, ...]]] = [
        ("rows", (1, 3 * count, 9)),
        ("grid_rows", (1, count, 9)),
        ("columns", (1, 8, count)),
        ("rows_plain", (1, 300, 8)),
        ("selected", (1, 300, 6)),
        ("selected", (300, 7)),
    ]
    for layout, shape in shapes:
        for scale in (0.0, 1.0, 1e3, 1e30):
            output = (generator.normal(size=shape) * scale).astype(np.float32)
            output.reshape(-1)[::5] = [np.nan, np.inf, -np.inf][int(scale) % 3]
            found = listed(Task("detect", layout, 4, ("o",)), {"o": output}, (HEIGHT, WIDTH), 0.5)
            assert len(found) <= 500 and all(np.isfinite(each.box).all() for each in found)
