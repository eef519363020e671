"""Boxes around lines of text, out of a map of probabilities."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.onnxgraphs import Nodes, imported

from ftdist.answers.kinds import answering_bytes
from ftdist.answers.tasks.detecting import detect_listed
from ftdist.answers.tasks.of_network import task_of_outputs
from ftdist.answers.tasks.text_maps import lines_found
from ftdist.cli.main import main
from ftdist.errors import InputError
from ftdist.network.task import Task

SIZE = 64, 96
TASK = Task("detect", "text_map", 1, ("maps",))


def finds_bright(path: Path, size=SIZE, *, sigmoid: bool = True) -> Path:
    """Bright is text: a sigmoid of what the first channel is above its middle."""
    nodes = Nodes()
    weights = np.zeros((1, 3, 1, 1), np.float32)
    weights[0, 0] = 4
    made = nodes.add("Conv", nodes.input(1, 3, *size), nodes.constant(weights))
    nodes.output(nodes.add("Sigmoid", made) if sigmoid else made)
    return nodes.save(path)


def boxes(values, threshold: float = 0.3, most: int = 99) -> list[list[float]]:
    """In pixels."""
    found = lines_found(TASK, {"maps": values}, values.shape[-2:], threshold, most)
    height, width = values.shape[-2:]
    return [list(np.multiply(each.box, (width, height, width, height))) for each in found]


def three_lines():
    values = np.full((1, 1, *SIZE), 0.05, np.float32)
    values[0, 0, 40:46, 50:80] = 0.9
    values[0, 0, 8:14, 10:40] = 0.8
    values[0, 0, 24:30, 10:40] = 0.7
    values[0, 0, 50:58, 10:40] = 0.5  # on average not sure enough
    values[0, 0, 60:62, 10:40] = 0.9  # too thin
    return values


def test_lines_are_found_from_top_to_bottom_and_enlarged() -> None:
    found = detect_listed(TASK, {"maps": three_lines()}, SIZE)
    assert [each.score for each in found] == pytest.approx([0.8, 0.7, 0.9])
    more = 30 * 6 * 1.5 / 72
    assert boxes(three_lines())[0] == pytest.approx([10 - more, 8 - more, 40 + more, 14 + more])


@pytest.mark.parametrize(("threshold", "count"), [(0.2, 4), (0.3, 3), (0.5, 3), (0.75, 2), (1, 0)])
def test_the_threshold_asks_for_more_or_for_less(threshold, count) -> None:
    assert len(boxes(three_lines(), threshold)) == count


def test_of_more_lines_than_may_be_the_best_are_kept() -> None:
    found = lines_found(TASK, {"maps": three_lines()}, SIZE, 0.3, 1)
    assert [each.score for each in found] == pytest.approx([0.9])


def test_pixels_that_touch_by_a_corner_are_one_line() -> None:
    values = np.zeros(SIZE, np.float32)
    values[4:8, 4:8] = values[8:12, 8:12] = values[4:8, 12:16] = 1
    ((left, top, right, bottom),) = boxes(values)
    assert (left + right, top + bottom) == pytest.approx((4 + 16, 4 + 12))


@pytest.mark.parametrize("seed", range(4))
def test_parts_are_those_of_a_flood(seed) -> None:
    generator = np.random.default_rng(seed)
    values = (generator.random((32, 32)) < 0.35).astype(np.float32)
    rest, count = {(int(y), int(x)) for y, x in np.argwhere(values)}, 0
    while rest:
        open_, part = [rest.pop()], []
        while open_:
            y, x = open_.pop()
            part.append((y, x))
            near = {(y + down, x + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & rest
            rest -= near
            open_ += near
        count += bool((np.ptp(np.array(part), axis=0) >= 2).all())
    assert len(boxes(values)) == count


def test_values_that_make_no_sense_are_no_text() -> None:
    values = np.full(SIZE, np.nan, np.float32)
    assert boxes(values) == []
    values[:] = np.inf
    assert boxes(values) == [[0, 0, 96, 64]]


@pytest.mark.parametrize(
    "words",
    [
        "ch_PP-OCRv4_det_infer",
        "text_detection_en_ppocrv3",
        "DBNet",
        "det.onnx ppocr",
        "ocr-detector",
    ],
)
def test_names_tell_that_a_map_is_of_text(tmp_path: Path, words: str) -> None:
    network = imported(finds_bright(tmp_path / "a.onnx")).network
    assert task_of_outputs(network, words, ()).layout == "text_map"
    plain = imported(finds_bright(tmp_path / "a.onnx", sigmoid=False)).network
    assert task_of_outputs(plain, words, ()).kind == "segment"


@pytest.mark.parametrize("words", ["", "u2net", "context_detail", "portrait matting", "detached"])
def test_other_masks_stay_masks(tmp_path: Path, words: str) -> None:
    network = imported(finds_bright(tmp_path / "a.onnx")).network
    assert task_of_outputs(network, words, ()).kind == "segment"
    assert task_of_outputs(network, words, (), "detect").layout == "text_map"


def test_paddles_own_names_of_inputs_and_outputs_tell_it(tmp_path: Path) -> None:
    nodes = Nodes()
    made = nodes.add("Conv", nodes.input(1, 3, *SIZE, name="x"), nodes.random(1, 3, 1, 1))
    nodes.add("Sigmoid", made)
    nodes.nodes[-1].output[0] = "sigmoid_0.tmp_0"
    nodes.output("sigmoid_0.tmp_0")
    network = imported(nodes.save(tmp_path / "model.onnx")).network
    assert task_of_outputs(network, "model", ()).layout == "text_map"
    assert task_of_outputs(network, "human segmentation", ()).kind == "segment"


def test_no_map_is_no_text(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("Conv", nodes.input(1, 3, *SIZE), nodes.random(4, 3, 1, 1)))
    network = imported(nodes.save(tmp_path / "a.onnx")).network
    with pytest.raises(InputError, match="--task detect: none of the outputs"):
        task_of_outputs(network, "", (), "detect")


def page(path: Path) -> str:
    """A dark photo with three bright lines, twice as large as the input."""
    pixels = np.zeros((128, 192, 3), np.uint8)
    for top in (20, 50, 90):
        pixels[top : top + 12, 20:120] = 255
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.mark.parametrize("size", [SIZE, ("height", "width")], ids=["fixed", "open"])
def test_lines_are_drawn_and_listed_on_the_photo(tmp_path: Path, size) -> None:
    model, photo = finds_bright(tmp_path / "ocr_det.onnx", size), page(tmp_path / "a.png")
    out, listed = tmp_path / "b.png", tmp_path / "c.json"
    for target in (out, listed):
        assert main(["run", str(model), photo, "-o", str(target), "--mem", "4G"]) == 0
    (record,) = json.loads(listed.read_text())
    objects = record["detections"]
    assert [each["label"] for each in objects] == ["text"] * 3
    tops = [each["box"]["y"] for each in objects]
    assert all(wanted - 12 < top < wanted for top, wanted in zip(tops, (20, 50, 90), strict=True))
    assert (np.asarray(Image.open(out)) != np.asarray(Image.open(photo))).any()


@pytest.mark.parametrize("kind", ["board", "noise", "combs", "squares"])
def test_memory_keeps_to_the_account(tmp_path: Path, kind: str) -> None:
    size = 320, 320
    network = imported(finds_bright(tmp_path / "a.onnx", size)).network
    task = task_of_outputs(network, "ocr det", ())
    rows, columns = np.indices(size)
    above = {
        "board": (rows + columns) % 2 == 0,
        "noise": np.random.default_rng(0).random(size) < 0.4,
        "combs": (columns % 2 == 0) | (rows % 8 == 0),
        "squares": (rows % 4 < 3) & (columns % 4 < 3),
    }[kind]
    outputs = {task.outputs[0]: above.astype(np.float32)}
    tracemalloc.start()
    detect_listed(task, outputs, size, 0.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= answering_bytes(network, task)
