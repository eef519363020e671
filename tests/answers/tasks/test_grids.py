"""Boxes that networks say cell by cell, or beside priors: known ones are written and read back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ftdist.answers.tasks.centres import centred
from ftdist.answers.tasks.grids import grid
from ftdist.answers.tasks.listed import listed
from ftdist.answers.tasks.points import points
from ftdist.answers.tasks.recognise import recognise
from ftdist.errors import InputError
from ftdist.network.task import Task

HEIGHT, WIDTH = 128, 192
BOX = (0.25, 0.125, 0.5, 0.75)
PIXELS = np.array(BOX) * [WIDTH, HEIGHT, WIDTH, HEIGHT]
CENTRE = (PIXELS[:2] + PIXELS[2:]) / 2
SIDES = PIXELS[2:] - PIXELS[:2]
SCORE = 0.8


def logit(score):
    return np.log(score / (1 - score))


def places(stride):
    return (HEIGHT // stride) * (WIDTH // stride)


def cell_of(stride):
    """The cell in which the box's centre lies: its number, column and row."""
    column, row = (CENTRE // stride).astype(int)
    return row * (WIDTH // stride) + column, column, row


def one_found(outputs, layout, *, words="", label=0, score=SCORE) -> Task:
    shapes = {name: each.shape for name, each in outputs.items()}
    task = recognise((3, HEIGHT, WIDTH), shapes, words)
    assert (task.kind, task.layout) == ("detect", layout)
    (found,) = listed(task, outputs, (HEIGHT, WIDTH), 0.3)
    assert found.label == label and found.score == pytest.approx(score, abs=1e-4)
    assert found.box == pytest.approx(BOX, abs=1e-3)
    return task


def test_scrfd_counts_edges_in_strides_from_corners_of_cells() -> None:
    outputs: dict[str, NDArray[np.float32]] = {}
    for stride in (8, 16, 32):
        scores = np.zeros((2 * places(stride), 1), np.float32)
        edges = np.ones((2 * places(stride), 4), np.float32)
        if stride == 16:
            number, column, row = cell_of(stride)
            corner = np.array([column, row]) * stride
            scores[2 * number + 1] = SCORE
            edges[2 * number + 1, :2] = (corner - PIXELS[:2]) / stride
            edges[2 * number + 1, 2:] = (PIXELS[2:] - corner) / stride
        outputs |= {f"score_{stride}": scores, f"bbox_{stride}": edges}
        outputs[f"kps_{stride}"] = np.zeros((2 * places(stride), 10), np.float32)
    one_found(outputs, "distances")


def test_yunet_multiplies_two_scores() -> None:
    outputs: dict[str, NDArray[np.float32]] = {}
    for stride in (8, 16, 32):
        own = {
            "cls": np.zeros((1, places(stride), 1), np.float32),
            "obj": np.zeros((1, places(stride), 1), np.float32),
            "bbox": np.zeros((1, places(stride), 4), np.float32),
            "kps": np.zeros((1, places(stride), 10), np.float32),
        }
        if stride == 32:
            number, column, row = cell_of(stride)
            own["cls"][0, number], own["obj"][0, number] = SCORE, SCORE
            own["bbox"][0, number, :2] = CENTRE / stride - [column, row]
            own["bbox"][0, number, 2:] = np.log(SIDES / stride)
        outputs |= {f"{name}_{stride}": each for name, each in own.items()}
    one_found(outputs, "yunet")


def distribution(distance, bins):
    """Logits of a distribution with this mean, over two neighbouring whole numbers."""
    below = int(distance)
    logits = np.full(bins, -40.0)
    logits[below], logits[below + 1] = np.log(1 - distance % 1 + 1e-9), np.log(distance % 1 + 1e-9)
    return logits


def edge_bins(stride, middle, bins):
    number, column, row = cell_of(stride)
    centre = (np.array([column, row]) + middle) * stride
    edges = np.concatenate([centre - PIXELS[:2], PIXELS[2:] - centre]) / stride
    return number, np.concatenate([distribution(each, bins) for each in edges])


def test_picodet_says_distributions_in_lists_of_each_grid() -> None:
    scores, edges = {}, {}
    for stride in (8, 16, 32, 64):
        scores[f"score_{stride}"] = np.zeros((1, places(stride), 10), np.float32)
        edges[f"edges_{stride}"] = np.zeros((1, places(stride), 32), np.float32)
    number, values = edge_bins(32, 0.5, 8)
    scores["score_32"][0, number, 3] = SCORE
    edges["edges_32"][0, number] = values
    one_found(scores | edges, "bin_lists", label=3)


def test_nanodet_says_distributions_over_distances() -> None:
    strides = (8, 16, 32, 64)
    output = np.zeros((1, sum(map(places, strides)), 80 + 32), np.float32)
    number, bins = edge_bins(32, 0, 8)
    output[0, sum(map(places, strides[:2])) + number] = [*np.eye(80)[7] * SCORE, *bins]
    one_found({"output": output}, "bins", label=7)


def test_yolov8_maps_before_their_decoding() -> None:
    outputs: dict[str, NDArray[np.float32]] = {}
    for stride in (8, 16, 32):
        values = np.zeros((64 + 80, places(stride)), np.float32)
        values[64:] = -9
        if stride == 16:
            number, values_of_bins = edge_bins(stride, 0.5, 16)
            values[:64, number] = values_of_bins
            values[64 + 3, number] = logit(SCORE)
        shape = (1, 144, HEIGHT // stride, WIDTH // stride)
        outputs[f"map{stride}"] = values.reshape(shape)
    one_found(outputs, "bin_maps", label=3)


@pytest.mark.parametrize(
    ("layout", "words", "apart", "anchor", "squares"),
    [
        ("yolo3_maps", "yolov3", False, (59, 119), False),
        ("yolo4_maps", "yolov4", False, (72, 146), False),
        ("yolo4_maps", "yolov4", "inner", (72, 146), False),
        ("yolo5_maps", "", "last", (59, 119), True),
        ("yolo7_maps", "yolov7", "first", (72, 146), True),
    ],
)
def test_yolo_maps_before_their_decoding(layout, words, apart, anchor, squares) -> None:
    """The box is the third anchor's of the middle grid."""
    outputs: dict[str, NDArray[np.float32]] = {}
    for stride in (8, 16, 32):
        rows, columns = HEIGHT // stride, WIDTH // stride
        values = np.full((3, 25, rows, columns), -9, np.float32)
        if stride == 16:
            _, column, row = cell_of(stride)
            inside = CENTRE / stride - [column, row]
            if layout == "yolo4_maps":  # the middle map's centres reach a little farther
                inside = (inside - 0.5) / 1.1 + 0.5
            if squares:
                inside = (inside + 0.5) / 2
                sides = logit(np.sqrt(SIDES / anchor) / 2)
            else:
                sides = np.log(SIDES / anchor)
            own = [*logit(np.clip(inside, 1e-6, 1 - 1e-6)), *sides, 30, *[-9] * 20]
            own[5 + 11] = logit(SCORE)
            values[2, :, row, column] = own
        if apart == "inner":  # as from TensorFlow, where scores are probabilities
            values[:, 4:] = 1 / (1 + np.exp(-values[:, 4:]))
        shaped = values.reshape(1, 75, rows, columns)
        if apart == "inner":
            shaped = values.transpose(2, 3, 0, 1)[np.newaxis]
        if apart == "last":
            shaped = values.transpose(0, 2, 3, 1)[np.newaxis]
        outputs[f"map{stride}"] = np.ascontiguousarray(shaped)
    one_found(outputs, layout, words=words, label=11)


@pytest.mark.parametrize(
    ("layout", "words", "classes", "anchor", "last"),
    [
        ("tiny_yolo2_map", "", 20, (3.42, 4.41), False),
        ("tiny_yolo2_map", "tinyyolov2-8", 20, (3.42, 4.41), True),
        ("yolo2_map", "yolov2-voc", 20, (3.19275, 4.00944), False),
        ("yolo2_map", "tiny-yolov2", 80, (1.87446, 2.06253), False),
    ],
)
def test_yolov2_has_one_map_of_five_anchors(layout, words, classes, anchor, last) -> None:
    """The box is the second anchor's."""
    values = np.full((5, 5 + classes, HEIGHT // 32, WIDTH // 32), -9, np.float32)
    _, column, row = cell_of(32)
    own = np.full(5 + classes, -30.0)
    inside = np.clip(CENTRE / 32 - [column, row], 1e-6, 1 - 1e-6)
    own[:5] = *logit(inside), *np.log(SIDES / 32 / anchor), logit(SCORE)
    own[5 + 11] = 9
    values[1, :, row, column] = own
    shaped = values.reshape(1, -1, *values.shape[2:])
    one_found(
        {"grid": shaped.transpose(0, 2, 3, 1) if last else shaped}, layout, words=words, label=11
    )


def offset_to(prior_centre, prior_sides):
    return [
        *((CENTRE - prior_centre) / prior_sides / 0.1),
        *(np.log(SIDES / prior_sides) / 0.2),
    ]


def test_retinafaces_priors_are_known_by_heart() -> None:
    count = sum(2 * places(stride) for stride in (8, 16, 32))
    boxes = np.random.default_rng(0).normal(size=(1, count, 4)).astype(np.float32)
    scores = np.tile(np.array([0.99, 0.01], np.float32), (1, count, 1))
    number, column, row = cell_of(16)
    place = 2 * places(8) + 2 * number + 1  # the larger of the squares of a cell of stride 16
    boxes[0, place] = offset_to((np.array([column, row]) + 0.5) * 16, 128)
    scores[0, place] = 1 - SCORE, SCORE
    landmarks = np.zeros((1, count, 10), np.float32)
    one_found({"loc": boxes, "conf": scores, "landms": landmarks}, "pairs")


def test_faceboxes_small_priors_are_dense() -> None:
    cells = {stride: -(-HEIGHT // stride) * -(-WIDTH // stride) for stride in (32, 64, 128)}
    count = 21 * cells[32] + cells[64] + cells[128]
    boxes = np.random.default_rng(0).normal(size=(1, count, 4)).astype(np.float32)
    scores = np.tile(np.array([0.99, 0.01], np.float32), (1, count, 1))
    number, column, row = cell_of(32)
    quarter = np.array([column + 0.25, row + 0.75]) * 32  # the 2nd across, the 4th down, of 4 x 4
    boxes[0, 21 * number + 3 * 4 + 1] = offset_to(quarter, 32)
    scores[0, 21 * number + 3 * 4 + 1] = 1 - SCORE, SCORE
    one_found({"loc": boxes, "conf": scores}, "pairs")


@pytest.mark.parametrize("apart", [False, True])
def test_blazefaces_offsets_are_pixels_from_middles_of_cells(apart) -> None:
    fine, coarse = 2 * places(8), 6 * places(16)
    boxes = np.random.default_rng(0).normal(size=(1, fine + coarse, 16)).astype(np.float32)
    scores = np.full((1, fine + coarse, 1), -90, np.float32)
    number, column, row = cell_of(16)
    place = fine + 6 * number + 2
    boxes[0, place, :4] = [*(CENTRE - (np.array([column, row]) + 0.5) * 16), *SIDES]
    scores[0, place] = logit(SCORE)
    if apart:
        outputs = {
            "a": scores[:, :fine],
            "b": scores[:, fine:],
            "c": boxes[:, :fine],
            "d": boxes[:, fine:],
        }
    else:
        outputs = {"regressors": boxes, "classificators": scores}
    one_found(outputs, "pairs")


def test_queries_are_centres_in_fractions() -> None:
    boxes = np.tile(np.array([0.5, 0.5, 0.6, 0.7], np.float32), (1, 100, 1))
    scores = np.full((1, 100, 92), -20, np.float32)
    scores[..., 91] = 20  # no object
    boxes[0, 4] = [*(CENTRE / [WIDTH, HEIGHT]), *(SIDES / [WIDTH, HEIGHT])]
    scores[0, 4] = np.log(np.full(92, 1e-9))
    scores[0, 4, [17, 91]] = np.log([SCORE, 1 - SCORE])
    one_found({"boxes": boxes, "logits": scores}, "queries", label=17)


def test_boxes_with_scores_and_perhaps_classes() -> None:
    found = np.zeros((1, 100, 5), np.float32)
    found[0, 6] = [*PIXELS, SCORE]
    one_found({"boxes": found}, "scored")
    labels = np.zeros((1, 100), np.float32)
    labels[0, 6] = 2
    one_found({"dets": found, "labels": labels}, "scored", label=2)


def test_faces_of_yolov5_have_landmarks_before_their_class() -> None:
    output = np.zeros((1, 3 * sum(map(places, (8, 16, 32))), 16), np.float32)
    output[:, :, 2:4] = 1
    output[0, 17] = [*CENTRE, *SIDES, 0.9, *np.linspace(20, 120, 10), SCORE / 0.9]
    one_found({"output": output}, "rows", words="yolov5-face")


def test_centerface_has_logarithms_and_rows_first() -> None:
    rows, columns = HEIGHT // 4, WIDTH // 4
    heat, size, offset = (np.zeros((1, n, rows, columns), np.float32) for n in (1, 2, 2))
    _, column, row = cell_of(4)
    heat[0, 0, row, column] = SCORE
    size[0, :, row, column] = np.log(SIDES[::-1] / 4)
    offset[0, :, row, column] = (CENTRE / 4 - [column, row] - 0.5)[::-1]
    landmarks = np.zeros((1, 10, rows, columns), np.float32)
    outputs = {"537": heat, "538": size, "539": offset, "540": landmarks}
    shapes = {name: each.shape for name, each in outputs.items()}
    task = recognise((3, HEIGHT, WIDTH), shapes)
    assert task.layout == "centres_exp"
    (found,) = centred(task, outputs, 0.3, 9)
    assert found.score == pytest.approx(SCORE) and found.box == pytest.approx(BOX, abs=1e-4)


def test_key_points_of_heat_maps_and_of_distributions() -> None:
    wanted = np.array([[40, 60], [100, 20], [7, 9]], np.float32)  # x, y in pixels
    maps = np.zeros((1, 3, HEIGHT // 4, WIDTH // 4), np.float32)
    across, down = np.zeros((1, 3, 2 * WIDTH)), np.zeros((1, 3, 2 * HEIGHT))
    for number, (x, y) in enumerate(wanted.astype(int)):
        maps[0, number, y // 4, x // 4] = 1
        maps[0, number, y // 4, x // 4 + 1] = 0.5  # a quarter of a cell to the right
        across[0, number, 2 * x], down[0, number, 2 * y] = 1, 1
    peaks = points(Task("points", "peaks", outputs=("m",)), {"m": maps}, (HEIGHT, WIDTH))
    cells = (wanted // 4 + [0.75, 0.5]) * 4
    assert np.allclose(peaks * [WIDTH, HEIGHT], cells, atol=1e-3)
    task = Task("points", "simcc", outputs=("x", "y"))
    found = points(task, {"x": across, "y": down}, (HEIGHT, WIDTH))
    assert np.allclose(found * [WIDTH, HEIGHT], wanted, atol=1e-3)
    rows_first = np.concatenate([wanted[:, ::-1] / [HEIGHT, WIDTH], np.ones((3, 1))], axis=1)
    task = Task("points", "rows_first", outputs=("p",))
    found = points(task, {"p": rows_first[np.newaxis, np.newaxis]}, (HEIGHT, WIDTH))
    assert np.allclose(found * [WIDTH, HEIGHT], wanted, atol=1e-3)


def test_what_fits_no_grid_is_said() -> None:
    with pytest.raises(InputError, match="17 boxes fit no grid over an input of 192x128 pixels"):
        grid((HEIGHT, WIDTH), np.zeros((17, 1), np.float32))


def test_no_values_of_grids_make_it_fail() -> None:
    generator = np.random.default_rng(1)
    shapes = {s: (HEIGHT // s, WIDTH // s) for s in (8, 16, 32)}
    cases: dict[str, list[tuple[int, ...]]] = {
        "distances": [(places(s), n) for s in (8, 16, 32) for n in (1, 4)],
        "yunet": [(places(s), n) for s in (8, 16, 32) for n in (1, 1, 4)],
        "bins": [(1, sum(map(places, (8, 16, 32))), 36)],
        "bin_lists": [(1, places(s), n) for s in (8, 16, 32) for n in (4, 32)],
        "bin_maps": [(1, 68, *each) for each in shapes.values()],
        "yolo2_map": [(1, 45, *shapes[32])],
        "yolo3_maps": [(1, 27, *each) for each in shapes.values()],
        "yolo5_maps": [(1, 3, *each, 9) for each in shapes.values()],
        "queries": [(1, 100, 4), (1, 100, 4)],
        "scored": [(1, 100, 5), (1, 100)],
    }
    for layout, dims in cases.items():
        for scale in (0.0, 1.0, 1e3, 1e30):
            outputs = {}
            for number, shape in enumerate(dims):
                each = (generator.normal(size=shape) * scale).astype(np.float32)
                each.reshape(-1)[::5] = [np.nan, np.inf, -np.inf][int(scale) % 3]
                outputs[str(number)] = each
            task = Task("detect", layout, 4, tuple(outputs))  # type: ignore[arg-type]
            found = listed(task, outputs, (HEIGHT, WIDTH), 0.5)
            assert len(found) <= 500 and all(np.isfinite(each.box).all() for each in found)
