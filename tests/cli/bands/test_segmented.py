"""A segmentation by bands writes what a whole run writes: colours, numbers and shares."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from cli.bands.test_bands_option import write_ppm
from onnx import TensorProto, helper, numpy_helper
from support.command import COUNT_ERROR_BYTES, ftdist_command, measured_ftdist

CLASSES = 5


def write_segmentation(path: Path, classes: int, last: str | None = None) -> None:
    """A small map of scores, a quarter as large as its picture, and another output beside it."""
    generator = np.random.default_rng(0)
    first = generator.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32)
    second = generator.normal(0, 1, (classes, 8, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Conv", ["a", "w"], ["b"], pads=[0, 0, 1, 1], strides=[2, 2]),
        helper.make_node(last or "Identity", ["b"], ["seg"]),
        helper.make_node("Relu", ["a"], ["aux"]),
    ]
    ports = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [1, channels, "h" + name, "w" + name]
        )
        for name, channels in (("x", 3), ("seg", classes), ("aux", 8))
    ]
    weights = [numpy_helper.from_array(first, "v"), numpy_helper.from_array(second, "w")]
    graph = helper.make_graph(nodes, "segmentation", ports[:1], ports[1:], weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmented")
    write_segmentation(folder / "scores.onnx", CLASSES)
    write_segmentation(folder / "mask.onnx", 1)
    write_segmentation(folder / "share.onnx", 1, "Sigmoid")
    write_ppm(folder / "photo.ppm", 330, 250)
    return folder


@pytest.mark.parametrize("network", ["scores", "mask", "share"])
@pytest.mark.parametrize("ways", [("ppm",), ("png", "--labels-picture")])
def test_bands_write_what_a_whole_run_writes(
    folder: Path, network: str, ways: tuple[str, ...]
) -> None:
    ending, *more = ways
    found = []
    for bands in ("always", "never"):
        command = ("run", f"{network}.onnx", "photo.ppm", "-o", f"{bands}.{ending}", *more)
        command = (*command, "--bands", bands, "--size", "picture", "--exact-direct")
        outcome = ftdist_command(*command, folder=folder)
        assert outcome.status == 0, outcome
        shares = [line for line in outcome.out.splitlines() if line.startswith("share")]
        found.append(((folder / f"{bands}.{ending}").read_bytes(), shares))
    assert found[0] == found[1] and len(found[0][1]) > 1


def test_numbers_are_an_array_and_shares_are_data(folder: Path) -> None:
    run = ("run", "scores.onnx", "photo.ppm", "--size", "picture", "--exact-direct")
    for bands in ("always", "never"):
        numbers = ("-o", f"{bands}.npy", "--labels-picture", "--bands", bands)
        assert ftdist_command(*run, *numbers, folder=folder).status == 0
        data = ("-o", f"{bands}.json", "--bands", bands)
        assert ftdist_command(*run, *data, folder=folder).status == 0
    found, expected = (np.load(folder / f"{bands}.npy") for bands in ("always", "never"))
    assert found.shape == (330, 250) and found.dtype == np.uint8
    assert np.array_equal(found, expected) and set(np.unique(found)) == set(range(CLASSES))
    assert (folder / "always.json").read_bytes() == (folder / "never.json").read_bytes()


def test_a_large_picture_is_within_what_was_predicted(folder: Path) -> None:
    write_ppm(folder / "large.ppm", 3000, 2000)
    command = ("run", "scores.onnx", "large.ppm", "-o", "large.tif", "--size", "picture")
    for _ in range(2):  # the first imports the network
        outcome = measured_ftdist(*command, "--mem", "50M", "--json", "report.json", folder=folder)
        assert outcome.status == 0, outcome
    report = json.loads((folder / "report.json").read_text())
    assert report["plan"]["bands"]["count"] > 1
    assert outcome.peak_bytes <= report["predicted"]["peak_bytes"] + COUNT_ERROR_BYTES
