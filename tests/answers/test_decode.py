"""Decoding against slow loops over the papers' formulas, hostile maps, and a trained network."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ftdist.answers.decode import Detection, above, decode
from ftdist.answers.detectors import detect
from ftdist.answers.kinds import MOST_CANDIDATES, class_count, task_of
from ftdist.answers.names import COCO, VOC, class_names, read_names
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.about import NOTHING_SAID
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.heads import RegionHead, YoloHead
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.pictures.fitted import load_picture
from ftdist.pictures.fitting import Box

Maps = dict[str, NDArray[Any]]
Head = RegionHead | YoloHead

REGION = RegionHead(anchors=((1.5, 2.0), (4.0, 3.0)), classes=3)
YOLO = YoloHead(anchors=((10, 14), (23, 27), (37, 58)), mask=(2, 0), classes=4, scale_xy=1.2)
SOURCE = Shape(96, 64, 3)


def network_of(*heads: tuple[Head, int], source: Shape = SOURCE) -> Network:
    """A network with the given heads, each over a map that many times smaller than the input."""
    builder = NetworkBuilder("heads", source)
    for head, stride in heads:
        count = len(head.mask if isinstance(head, YoloHead) else head.anchors)
        filters = count * (5 + head.classes)
        convolution = Convolution(filters, Sliding.square(stride, stride))
        builder.add(head, [builder.add(convolution, [INPUT])])
    return builder.finish()


def random_maps(network: Network, seed: int) -> Maps:
    random = np.random.default_rng(seed)
    layers = [network.layers[number] for number in network.outputs]
    return {
        layer.name: random.normal(
            0, 1.5, (layer.shape.channels, layer.shape.height, layer.shape.width)
        ).astype(np.float32)
        for layer in layers
    }


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def probabilities(head: Head, logits: list[float]) -> list[float]:
    if isinstance(head, RegionHead) and head.softmax:
        powers = [math.exp(each) for each in logits]
        return [each / sum(powers) for each in powers]
    return [sigmoid(each) for each in logits]


def by_loops(network: Network, maps: Maps, threshold: float) -> list[Detection]:
    """One position at a time, by the formulas of the papers and of Darknet."""
    found = []
    for number in network.outputs:
        layer = network.layers[number]
        head = layer.operation
        assert isinstance(head, RegionHead | YoloHead)
        height, width = layer.shape.height, layer.shape.width
        if isinstance(head, RegionHead):
            anchors, scale = [(w / width, h / height) for w, h in head.anchors], 1.0
        else:
            chosen = [head.anchors[index] for index in head.mask]
            anchors = [(w / network.input.width, h / network.input.height) for w, h in chosen]
            scale = head.scale_xy
        for index, anchor in enumerate(anchors):
            first = index * (5 + head.classes)
            for row in range(height):
                for column in range(width):
                    values = maps[layer.name][first : first + 5 + head.classes, row, column]
                    x, y, w, h, objectness, *logits = values.tolist()
                    middle_x = (sigmoid(x) * scale - (scale - 1) / 2 + column) / width
                    middle_y = (sigmoid(y) * scale - (scale - 1) / 2 + row) / height
                    wide, high = math.exp(w) * anchor[0], math.exp(h) * anchor[1]
                    left, top = middle_x - wide / 2, middle_y - high / 2
                    box = Box(left, top, left + wide, top + high)
                    for label, chance in enumerate(probabilities(head, logits)):
                        score = chance * sigmoid(objectness)
                        if score > threshold:
                            found.append(Detection(label, score, box))
    return found


@pytest.mark.parametrize(
    "network",
    [
        network_of((REGION, 32)),
        network_of((RegionHead(REGION.anchors, classes=3, softmax=False), 16)),
        network_of((YOLO, 32)),
        network_of((YOLO, 32), (YoloHead(YOLO.anchors, mask=(1,), classes=4), 16)),
    ],
    ids=["region", "region without softmax", "yolo", "two yolo heads"],
)
@pytest.mark.parametrize("threshold", [0.05, 0.4])
def test_equals_the_loops(network: Network, threshold: float) -> None:
    maps = random_maps(network, seed=7)
    expected = by_loops(network, maps, threshold)
    found = decode(network, maps, threshold)
    assert len(expected) >= 3
    assert [each.label for each in found] == [each.label for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-4)
        assert one.box == pytest.approx(other.box, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 1e-7, 0.3, 0.5, 0.999999, 1.0])
@pytest.mark.parametrize("new_coords", [False, True])
def test_no_anchor_is_passed_over_that_has_something(monkeypatch, threshold, new_coords) -> None:
    """Objectness lies at the threshold, or next to it; classes are certain."""
    head = YoloHead(YOLO.anchors, YOLO.mask, classes=4, new_coords=new_coords)
    network = network_of((head, 32))
    (layer,) = (network.layers[number] for number in network.outputs)
    (maps,) = random_maps(network, seed=3).values()
    at = threshold
    if not new_coords:
        at = math.log(threshold / (1 - threshold)) if 0 < threshold < 1 else 20 * threshold - 10
    chance, wide = np.random.default_rng(5), maps.reshape(2, 9, *maps.shape[1:])
    wide[:, 4] = at + chance.normal(0, 1e-6 * max(1, abs(at)), wide[:, 4].shape)
    wide[:, 5:] = 30
    found = decode(network, {layer.name: maps}, threshold)
    with monkeypatch.context() as patch:
        patch.setattr("ftdist.answers.decode._hopeful", lambda maps, *_: range(len(maps)))
        assert decode(network, {layer.name: maps}, threshold) == found
    assert found or threshold > 0.9


def one_object(*values: float) -> tuple[Network, Maps]:
    """A region head that sees nothing but one anchor's values in row 1, column 0."""
    network = network_of((RegionHead(((1.0, 2.0),), classes=len(values) - 5), 32))
    maps = random_maps(network, seed=1)
    for each in maps.values():
        each[4] = -20
        each[:, 1, 0] = values
    return network, maps


def test_a_worked_example() -> None:
    """Cell (row 1, column 0) of a 3x2 map: its middle is at x 1/4, y 1/2; anchor 1x2 cells."""
    network, maps = one_object(0, 0, 0, math.log(0.5), 20, 20, 0)
    (found,) = decode(network, maps, 0.5)
    assert found.label == 0
    assert found.score == pytest.approx(1)
    assert found.box == pytest.approx((0, 1 / 3, 1 / 2, 2 / 3))


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_detection(place: int, value: float) -> None:
    values = [0.0, 0, 0, 0, 20, 20, 0]
    assert len(decode(*one_object(*values), 0.5)) == 1
    values[place] = value
    assert decode(*one_object(*values), 0.5) == []


def test_what_is_no_number_hides_nothing_beside_it() -> None:
    network, maps = one_object(0, 0, 0, 0, 20, 20, 0)
    for each in maps.values():
        each[4, 0, 0] = math.nan
    assert len(decode(network, maps, 0.5)) == 1


def test_large_class_values_do_not_overflow() -> None:
    (found,) = decode(*one_object(0, 0, 0, 0, 20, 3000, 3002), 0.5)
    assert found.label == 1
    assert found.score == pytest.approx(1 / (1 + math.exp(-2)), rel=1e-5)


def test_a_size_that_overflows_is_no_detection() -> None:
    assert decode(*one_object(0, 0, 3e38, 0, 20, 20, 0), 0.5) == []
    assert decode(*one_object(0, 0, -3e38, 0, 20, 20, 0), 0.5) != []


@pytest.mark.filterwarnings("error")
def test_any_bits_decode_without_a_warning() -> None:
    """Maps of random bits hold every kind of NaN (signalling ones too), infinity and extreme."""
    network = network_of((REGION, 16), (YOLO, 8))
    random = np.random.default_rng(3)
    for _ in range(20):
        maps = {
            name: random.integers(0, 1 << 32, each.shape, dtype=np.uint32).view(np.float32)
            for name, each in random_maps(network, 0).items()
        }
        for each in detect(network, maps, threshold=0.01):
            assert math.isfinite(each.score)
            assert all(map(math.isfinite, each.box))


def test_a_map_full_of_objects_stays_bounded_and_keeps_the_best() -> None:
    head = YoloHead(((30, 30),), mask=(0,), classes=50)
    network = network_of((head, 8), source=Shape(256, 256, 3))
    ((name, values),) = random_maps(network, seed=5).items()
    values[4:] = 3 + np.random.default_rng(6).random(values[4:].shape)
    found = decode(network, {name: values}, 0.0)
    scores = np.sort(1 / (1 + np.exp(-values[4])) * (1 / (1 + np.exp(-values[5:]))), axis=None)
    assert len(found) == MOST_CANDIDATES
    assert min(each.score for each in found) == pytest.approx(scores[-MOST_CANDIDATES], rel=1e-4)


def test_detect_suppresses_doubles_and_orders_by_score() -> None:
    network = network_of((YOLO, 8))
    maps = random_maps(network, seed=2)
    found = detect(network, maps, threshold=0.2, overlap=0.3)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert 0 < len(found) < len(decode(network, maps, 0.2))
    assert found == detect(network, maps, threshold=0.2, overlap=0.3)


def test_what_is_a_detector() -> None:
    task = task_of(network_of((YOLO, 32)), NOTHING_SAID)
    assert task.kind == "detect" and class_count(task) == 4
    headless = network_of((YOLO, 32)).until(0)
    task = task_of(headless, NOTHING_SAID)
    assert task.kind == "arrays" and class_count(task) == 0
    assert detect(headless, {}) == []


def test_unsuitable_outputs_are_refused() -> None:
    network = network_of((YOLO, 32))
    ((name, values),) = random_maps(network, 0).items()
    with pytest.raises(InputError, match=f"lack the map .* {name}"):
        detect(network, {})
    with pytest.raises(InputError, match=f"map of {name} is"):
        detect(network, {name: values[np.newaxis]})
    with pytest.raises(InputError, match="threshold"):
        detect(network, {name: values}, threshold=30)


def test_names_by_count_file_or_number(tmp_path: Path) -> None:
    assert class_names(80) == COCO
    assert (len(set(COCO)), COCO[0], COCO[16], COCO[79]) == (80, "person", "dog", "toothbrush")
    assert class_names(20) == VOC
    assert (len(set(VOC)), VOC[0], VOC[11], VOC[19]) == (20, "aeroplane", "dog", "tv monitor")
    assert class_names(2) == ("class 0", "class 1")
    file = tmp_path / "mine.names"
    file.write_bytes(b"\xef\xbb\xbfcrane\r\n\r\nd\xc3\xbcne \n\n")
    assert read_names(file) == ("crane", "class 1", "düne")
    assert class_names(3, read_names(file)) == ("crane", "class 1", "düne")
    with pytest.raises(InputError, match="3 names for 80 classes"):
        class_names(80, read_names(file))


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe\x00", b"a\n" * (1 << 20)])
def test_unusable_files_of_names_are_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "mine.names"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match="names"):
        read_names(file)


def test_names_are_those_of_darknet(shared_models: Path) -> None:
    theirs = read_names(shared_models / "coco.names")
    assert [name.replace(" ", "") for name in COCO] == [name.replace(" ", "") for name in theirs]


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ("dog", {"dog": (133, 220, 312, 540), "bicycle": (122, 140, 567, 420)}),
        ("dog", {"car": (465, 75, 690, 170)}),
        ("person", {"person": (190, 98, 272, 372), "dog": (64, 262, 202, 358)}),
    ],
)
def test_a_trained_detector_sees_what_is_there(
    shared_models: Path, shared_photos: Path, photo: str, expected: dict[str, Any]
) -> None:
    """Yolo-Fastest 1.1 XL on Darknet's sample photos; objects' pixels measured by eye."""
    runtime = pytest.importorskip("onnxruntime")
    anchors = ((12, 18), (37, 49), (52, 132), (115, 73), (119, 199), (242, 238))
    heads = [YoloHead(anchors, mask, classes=80) for mask in ((3, 4, 5), (0, 1, 2))]
    network = network_of((heads[0], 32), (heads[1], 16), source=Shape(320, 320, 3))
    pixels, letterbox = load_picture(shared_photos / f"{photo}.jpg", network.input, "stretch")
    session = runtime.InferenceSession(str(shared_models / "yolo-fastest-1.1-xl.onnx"))
    batch = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)[np.newaxis]
    raw = [each[0] for each in session.run(None, {"data": batch})]
    names = [network.layers[number].name for number in network.outputs]
    found = detect(network, dict(zip(names, raw, strict=True)))
    for name, place in expected.items():
        (seen,) = [each for each in found if COCO[each.label] == name]
        assert seen.score > 0.7
        box = letterbox.to_picture(seen.box)
        common = (min(box[2], place[2]) - max(box[0], place[0])) * (
            min(box[3], place[3]) - max(box[1], place[1])
        )
        areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (box, place)]
        assert common / (sum(areas) - common) > 0.5, f"{name} at {box}"


def test_a_threshold_of_nothing_takes_no_memory() -> None:
    """All scores of all classes are above it; the best come out as if all had been sorted."""
    generator = np.random.default_rng(5)
    scores = generator.integers(1, 4000, (8400, 80)).astype(np.float32) / np.float32(4000)
    boxes = generator.random((4, 8400), dtype=np.float32)
    tracemalloc.start()
    try:
        found = above(boxes, scores, 0.0)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < scores.nbytes / 2
    flat = scores.reshape(-1)
    wanted = np.sort(np.argsort(-flat, kind="stable")[:MOST_CANDIDATES])
    assert [(each.row, each.label) for each in found] == [divmod(int(at), 80) for at in wanted]
