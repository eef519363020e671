"""Networks that make pictures: what a person gets, within what was predicted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from support.command import COUNT_ERROR_BYTES, measured_ftdist

from ftdist.runtime.budget.memory import MIB

HEIGHT, WIDTH = 240, 320


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that darkens by a half, and a photo and an array of its size."""
    folder = tmp_path_factory.mktemp("made")
    weights = np.zeros((3, 3, 3, 3), np.float32)
    weights[[0, 1, 2], [0, 1, 2], 1, 1] = 0.5
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
        for name in "xy"
    ]
    graph = helper.make_graph(
        [node], "half", ports[:1], ports[1:], [numpy_helper.from_array(weights, "w")]
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), folder / "half.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    np.save(folder / "array.npy", pixels.transpose(2, 0, 1)[np.newaxis] / np.float32(255))
    return folder


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("given", ["photo.png", "array.npy"])
def test_a_picture_that_a_network_made_takes_no_more_than_was_predicted(
    files: Path, given: str, ending: str
) -> None:
    """The second run, for which no plan is searched: drawing is then what holds most."""
    command = ("run", "half.onnx", given, "-o", f"{given}.{ending}", "--json", "report.json")
    for _ in range(2):
        outcome = measured_ftdist(*command, "--mem", "64M", folder=files)
        assert outcome.status == 0, outcome
    predicted = json.loads((files / "report.json").read_text())["predicted"]["peak_bytes"]
    assert outcome.peak_bytes <= predicted + COUNT_ERROR_BYTES
    assert predicted <= 1.05 * outcome.peak_bytes + 2 * MIB
    with Image.open(files / f"{given}.{ending}") as made, Image.open(files / "photo.png") as photo:
        difference = np.asarray(made, np.float32) - np.asarray(photo, np.float32) / 2
    assert np.abs(difference).max() <= (1 if ending == "png" else 60)
