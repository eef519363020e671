"""Every kind of head against Darknet's formulas, written out by hand for one position at a time.

Sources: yolo_layer.c (get_yolo_box, new_coords), gaussian_yolo_layer.c, region_layer.c and tree.c,
detection_layer.c, and box.c (box_diou, box_diounms).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from ftdist.answers.classify import classify
from ftdist.answers.decode import Detection, decode
from ftdist.answers.detectors import detect
from ftdist.answers.kinds import (
    MOST_CANDIDATES,
    answering_bytes,
    class_count,
    most_candidates,
    task_of,
)
from ftdist.answers.suppress import suppress
from ftdist.geometry import Shape
from ftdist.network.about import NOTHING_SAID
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.heads import (
    GaussianYoloHead,
    GridHead,
    Head,
    RegionHead,
    Suppression,
    TreeHead,
    YoloHead,
)
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.network.serialise import from_json, to_json
from ftdist.pictures.fitting import Box

SOURCE = Shape(64, 96, 3)
SIZES = ((10.0, 14.0), (23.0, 27.0), (37.0, 58.0))
TREE = (0, 0, 1, 1, 1, 3, 3)
"""Two things; the first is of three kinds, of which the first has two kinds itself."""


def network_of(head: Head, channels: int, stride: int = 16) -> Network:
    builder = NetworkBuilder("head", SOURCE)
    convolution = Convolution(channels, Sliding.square(stride, stride))
    builder.add(head, [builder.add(convolution, [INPUT])])
    return builder.finish()


def grid_of(head: GridHead) -> Network:
    builder = NetworkBuilder("grid", SOURCE)
    values = head.side**2 * (5 * head.boxes + head.classes)
    window = Sliding.square(1, 1)
    whole = Sliding(type(window.vertical)(SOURCE.height), type(window.horizontal)(SOURCE.width))
    builder.add(head, [builder.add(Convolution(values, whole), [INPUT])])
    return builder.finish()


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def box_of(x: float, y: float, width: float, height: float) -> Box:
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


Scored = Iterator[tuple[int, float, Box]]


def new_coords(head: YoloHead, own: Sequence[float], anchor: int, row: int, column: int) -> Scored:
    x, y, w, h, objectness, *classes = own
    width, height = head.anchors[head.mask[anchor]]
    box = box_of(
        (column + x * head.scale_xy - 0.5 * (head.scale_xy - 1)) / 6,
        (row + y * head.scale_xy - 0.5 * (head.scale_xy - 1)) / 4,
        w * w * 4 * width / SOURCE.width,
        h * h * 4 * height / SOURCE.height,
    )
    if objectness > 0:
        for label, score in enumerate(classes):
            yield label, objectness * score, box


def gaussian(
    head: GaussianYoloHead, own: Sequence[float], anchor: int, row: int, column: int
) -> Scored:
    x, ux, y, uy, w, uw, h, uh, objectness, *classes = own
    width, height = head.anchors[head.mask[anchor]]
    wide = math.exp(w) * width / SOURCE.width
    high = math.exp(h) * height / SOURCE.height
    centre_x = (column + sigmoid(x) * head.scale_xy - 0.5 * (head.scale_xy - 1)) / 6
    centre_y = (row + sigmoid(y) * head.scale_xy - 0.5 * (head.scale_xy - 1)) / 4
    by = {"centre": 0, "left_top": 1, "right_bottom": -1}[head.point]
    uncertain = sum(map(sigmoid, (ux, uy, uw, uh))) / 4
    box = box_of(centre_x + by * wide / 2, centre_y + by * high / 2, wide, high)
    for label, score in enumerate(classes):
        yield label, sigmoid(objectness) * sigmoid(score) * (1 - uncertain), box


def tree(head: RegionHead, own: Sequence[float], anchor: int, row: int, column: int) -> Scored:
    x, y, w, h, objectness, *logits = own
    width, height = head.anchors[anchor]
    box = box_of(
        (column + sigmoid(x)) / 6,
        (row + sigmoid(y)) / 4,
        math.exp(w) * width / 6,
        math.exp(h) * height / 4,
    )
    probable = [0.0] * len(logits)
    for siblings in ((0, 1), (2, 3, 4), (5, 6)):
        powers = [math.exp(logits[each]) for each in siblings]
        for each, power in zip(siblings, powers, strict=True):
            probable[each] = power / sum(powers)
    for each, parent in enumerate(TREE):
        if parent:
            probable[each] *= probable[parent - 1]
    label = best = max((0, 1), key=lambda each: probable[each])
    sure = probable[best]
    if sure > 0.5 and best == 0:
        best = max((2, 3, 4), key=lambda each: probable[each])
        if sure * probable[best] > 0.5:
            sure, label = sure * probable[best], best
            if best == 2:
                best = max((5, 6), key=lambda each: probable[each])
                label = best if sure * probable[best] > 0.5 else 2
    yield label, sigmoid(objectness), box


CASES: list[tuple[Head, int, Callable[..., Scored]]] = [
    (YoloHead(SIZES, (2, 0), 3, 2.0, new_coords=True), 8, new_coords),
    (YoloHead(SIZES, (1,), 3, 1.0, new_coords=True), 8, new_coords),
    *(
        (GaussianYoloHead(SIZES, (0, 2), 3, 1.1, point), 12, gaussian)
        for point in ("centre", "left_top", "right_bottom")
    ),
    (RegionHead(((1.5, 2.0), (4.0, 3.0)), 7, parents=TREE), 12, tree),
]


@pytest.mark.parametrize(("head", "values", "formula"), CASES)
def test_a_head_decodes_by_darknets_formula(
    head: Head, values: int, formula: Callable[..., Scored]
) -> None:
    anchors = len(getattr(head, "mask", ())) or len(head.anchors)  # type: ignore[union-attr]
    network = network_of(head, anchors * values)
    generator = np.random.default_rng(3)
    raw = generator.normal(0.4, 1.6, (anchors * values, 4, 6)).astype(np.float32)
    if formula is new_coords:
        raw = (np.abs(raw) / 4).astype(np.float32)
    expected = [
        Detection(label, score, box)
        for anchor in range(anchors)
        for row in range(4)
        for column in range(6)
        for label, score, box in formula(
            head,
            raw[anchor * values : (anchor + 1) * values, row, column].astype(float).tolist(),
            anchor,
            row,
            column,
        )
        if score > 0.1
    ]
    found = decode(network, {network.layers[-1].name: raw}, 0.1)
    same(found, expected)
    assert len({each.label for each in expected}) >= 3


def same(found: list[Detection], expected: list[Detection]) -> None:
    assert len(expected) > 10
    assert [each.label for each in found] == [each.label for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-5)
        assert one.box == pytest.approx(other.box, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("softmax", [False, True])
def test_a_grid_decodes_by_darknets_formula(squared: bool, softmax: bool) -> None:
    head = GridHead(side=3, boxes=2, classes=4, softmax=softmax, squared=squared)
    network = grid_of(head)
    generator = np.random.default_rng(5)
    raw = np.abs(generator.normal(0.6, 0.4, (9 * 14, 1, 1))).astype(np.float32)
    flat = raw.reshape(-1).astype(float)
    expected = []
    for box in range(2):
        for cell in range(9):
            classes = flat[cell * 4 : cell * 4 + 4]
            if softmax:
                classes = np.exp(classes) / np.exp(classes).sum()
            x, y, w, h = flat[9 * (4 + 2) + (cell * 2 + box) * 4 :][:4]
            power = 2 if squared else 1
            column, row = cell % 3, cell // 3
            where = box_of((x + column) / 3, (y + row) / 3, w**power, h**power)
            for label, score in enumerate(classes * flat[9 * 4 + cell * 2 + box]):
                if score > 0.1:
                    expected.append(Detection(label, float(score), where))
    same(decode(network, {network.layers[-1].name: raw}, 0.1), expected)


def test_boxes_of_a_grid_have_a_size() -> None:
    network = grid_of(GridHead(side=1, boxes=1, classes=1))
    raw = np.array([1, 1, 0.5, 0.5, -0.2, 0.3], np.float32).reshape(6, 1, 1)
    assert decode(network, {network.layers[-1].name: raw}, 0.1) == []
    raw[4] = np.nan
    assert decode(network, {network.layers[-1].name: raw}, 0.1) == []


@pytest.mark.parametrize(("head", "values", "formula"), CASES)
def test_heads_are_kept_in_a_model_file(head: Head, values: int, formula: object) -> None:
    anchors = len(getattr(head, "mask", ())) or len(head.anchors)  # type: ignore[union-attr]
    network = network_of(head, anchors * values)
    assert from_json(json.loads(json.dumps(to_json(network)))) == network
    task = task_of(network, NOTHING_SAID)
    assert class_count(task) == head.classes
    assert answering_bytes(network, task) > 0


def test_an_older_files_heads_are_what_they_were() -> None:
    network = network_of(YoloHead(SIZES, (2, 0), 3, 2.0), 16)
    value = json.loads(json.dumps(to_json(network)))
    for field in ("new_coords", "suppression"):
        value["layers"][1].pop(field, None)
    assert from_json(value) == network


def overlap(a: Box, b: Box, distance: float) -> float:
    """Darknet's box_iou, less pow(d / c, distance) as in box_diou and box_diounms."""
    wide = min(a.right, b.right) - max(a.left, b.left)
    high = min(a.bottom, b.bottom) - max(a.top, b.top)
    common = wide * high if wide > 0 and high > 0 else 0.0
    areas = sum((each.right - each.left) * (each.bottom - each.top) for each in (a, b))
    iou = common / (areas - common)
    if not distance:
        return iou
    c = (max(a.right, b.right) - min(a.left, b.left)) ** 2
    c += (max(a.bottom, b.bottom) - min(a.top, b.top)) ** 2
    d = ((a.left + a.right - b.left - b.right) / 2) ** 2
    d += ((a.top + a.bottom - b.top - b.bottom) / 2) ** 2
    return iou - (d / c) ** distance


@pytest.mark.parametrize("distance", [0.0, 0.6, 1.0])
def test_suppression_by_distance_is_darknets(distance: float) -> None:
    generator = np.random.default_rng(11)
    detections = []
    for score in sorted(generator.uniform(0.1, 1, 120), reverse=True):
        x, y = generator.uniform(0.3, 0.7, 2)
        detections.append(
            Detection(
                int(generator.integers(2)), score, box_of(x, y, *generator.uniform(0.2, 0.6, 2))
            )
        )
    kept: list[Detection] = []
    for each in detections:
        if all(
            each.label != other.label or overlap(other.box, each.box, distance) <= 0.45
            for other in kept
        ):
            kept.append(each)
    assert suppress(detections, 0.45, Suppression(distance)) == kept
    assert 5 < len(kept) < 110


def test_the_last_head_says_how_to_suppress() -> None:
    network = network_of(YoloHead(SIZES, (0,), 1, suppression=Suppression(0.6)), 6)
    plain = network_of(YoloHead(SIZES, (0,), 1), 6)
    raw = np.full((6, 4, 6), -9, np.float32)
    raw[:, 1, 2] = raw[:, 1, 3] = (0, 0, 1.57, -0.8, 9, 9)
    maps = {network.layers[-1].name: raw}
    assert len(detect(plain, maps)) == 1
    assert len(detect(network, maps)) == 2


def test_of_a_tree_a_classifier_names_leaves() -> None:
    """Darknet's hierarchy_predictions with only_leaves, then the five best."""
    builder = NetworkBuilder("tree", Shape(1, 1, 3))
    last = builder.add(Convolution(len(TREE), Sliding.square(1)), [INPUT])
    builder.add(TreeHead(TREE), [last])
    network = builder.finish()
    assert from_json(json.loads(json.dumps(to_json(network)))) == network
    logits = [1.0, 0.5, 2.0, 1.0, 0.0, 0.3, 0.1]
    powers = [math.exp(each) for each in logits]
    top = powers[0] / (powers[0] + powers[1])
    kinds = [top * each / sum(powers[2:5]) for each in powers[2:5]]
    expected = {
        1: powers[1] / (powers[0] + powers[1]),
        3: kinds[1],
        4: kinds[2],
        5: kinds[0] * powers[5] / (powers[5] + powers[6]),
        6: kinds[0] * powers[6] / (powers[5] + powers[6]),
    }
    raw = np.array(logits, np.float32).reshape(-1, 1, 1)
    found = classify(network, raw)
    assert [each.label for each in found] == sorted(expected, key=lambda each: -expected[each])
    for each in found:
        assert each.score == pytest.approx(expected[each.label], rel=1e-5)


def test_a_large_input_may_hold_more_objects() -> None:
    """A coast of 24 megapixels has 1,500 of them, each seen at a few places."""
    assert most_candidates(416, 416) == MOST_CANDIDATES
    assert most_candidates(4000, 6016) > 4 * 1500


def test_no_more_than_a_bounded_number_of_objects_is_kept_the_best() -> None:
    """What is told of each takes memory, whatever the thresholds."""
    network = grid_of(GridHead(side=32, boxes=3, classes=1))
    count = 3 * 32 * 32
    scores = np.linspace(0.5, 1, count, dtype=np.float32)
    boxes = np.tile(np.array([0.5, 0.5, 0.1, 0.1], np.float32), count)
    raw = np.concatenate([np.ones(count // 3, np.float32), scores, boxes]).reshape(-1, 1, 1)
    outputs = {network.layers[-1].name: raw}
    assert len(decode(network, outputs, 0.1)) == 2 * MOST_CANDIDATES
    found = detect(network, outputs, 0.1, 1.0)
    assert len(found) == MOST_CANDIDATES
    assert found[0].score == pytest.approx(1.0)
