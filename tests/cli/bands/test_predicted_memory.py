"""What a run by bands is said to hold is what it holds, and little more, by kind of file.

Each figure is the system's own account of a fresh process. A part that is counted beside others
which are never there together, or one that is not counted, fails here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from cli.bands.test_bands_option import write_network
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.command import COUNT_ERROR_BYTES, ftdist_command, measured_ftdist
from support.tiffs import DEFLATE, Kind, write_tiff

from ftdist.geometry import Shape
from ftdist.pictures.rows.opening import create_rows
from ftdist.runtime.budget.memory import MIB, parse_size

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

HEIGHT, WIDTH = 120, 6000
LEAST, MUCH = "29M", "96M"

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    write_network(folder / "grey.onnx", 1)
    write_network(folder / "colours.onnx", 3)
    return folder


def _by_pillow(**more: Any) -> Callable[[Path, Pixels], None]:
    return lambda path, pixels: images.fromarray(pixels).save(path, **more)


def _deep(path: Path, pixels: Pixels) -> None:
    sink = create_rows(path, Shape(*pixels.shape), np.dtype(np.uint16))
    sink.write(pixels.astype(np.uint16) * 257)
    sink.finish()


def _tiles(path: Path, pixels: Pixels) -> None:
    write_tiff(path, pixels, Kind(compression=DEFLATE, block=(128, 128), predictor=2))


def _fractions(path: Path, pixels: Pixels) -> None:
    numbers = (pixels / 255).transpose(2, 0, 1)
    np.save(path, np.asfortranarray(numbers))


def _floats(path: Path, pixels: Pixels) -> None:
    write_tiff(path, pixels.astype("f4"), Kind(compression=DEFLATE, predictor=3, block=16))


CASES: dict[str, tuple[str, Callable[[Path, Pixels], None], str, str]] = {
    "baseline": ("a.jpg", _by_pillow(), "colours", "jpg"),
    "progressive": ("b.jpg", _by_pillow(progressive=True), "colours", "png"),
    "colours of a photo": ("c.jpg", _by_pillow(subsampling=0), "grey", "jpg"),
    "png": ("d.png", _by_pillow(compress_level=1), "colours", "png"),
    "16 bits": ("e.png", _deep, "colours", "png"),
    "tiles": ("f.tif", _tiles, "colours", "tif"),
    "fractions": ("g.tif", _floats, "colours", "tif"),
    "plain": ("h.ppm", _by_pillow(), "colours", "ppm"),
    "array": ("i.npy", _fractions, "colours", "npy"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_holds_what_is_predicted_and_not_much_less(folder: Path, name: str) -> None:
    given, write, network, ending = CASES[name]
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    write(folder / given, pixels)
    line = f"run {network}.onnx {given} -o out.{ending} --size {HEIGHT}x{WIDTH} --bands always"
    command = [*line.split(), "--threads", "1", "--json", "report.json"]
    for mem in (_least(folder, command), "56M"):
        outcome = measured_ftdist(*command, "--mem", mem, folder=folder)
        assert outcome.status == 0, outcome
        assert outcome.peak_bytes <= parse_size(mem)
        report = json.loads((folder / "report.json").read_text())
        predicted, parts = report["predicted"]["peak_bytes"], report["predicted"]["parts"]
        assert outcome.peak_bytes <= predicted + COUNT_ERROR_BYTES, parts
        assert predicted <= 1.05 * outcome.peak_bytes + MIB, (outcome.peak_bytes, parts)


def _least(folder: Path, command: list[str]) -> str:
    """The smallest budget that a refusal names, once the network is imported."""
    imported = ftdist_command(*command, "--mem", MUCH, folder=folder)
    assert imported.status == 0, imported
    refused = ftdist_command(*command, "--mem", LEAST, folder=folder)
    assert refused.status == 3, refused
    match = re.search(r"(?:needs|give it|try) ([0-9]+[KM])\b", refused.err)
    assert match, refused
    return match[1]


def test_the_smallest_budget_is_enough_for_all_passes(folder: Path) -> None:
    """The first pass, which makes the gate, reads 64 rows for one, and the last one reads one."""
    _write_high_gate(folder / "gate.onnx")
    _deep(folder / "deep.ppm", np.zeros((130, 8000, 3), np.uint8))
    command = "run gate.onnx deep.ppm -o gated.ppm --size picture --bands always --threads 1"
    mem = _least(folder, command.split())
    outcome = measured_ftdist(*command.split(), "--mem", mem, folder=folder)
    assert outcome.status == 0 and "pass 2" in outcome.out, outcome
    assert outcome.peak_bytes <= parse_size(mem)


def _write_high_gate(path: Path) -> None:
    generator = np.random.default_rng(0)
    shapes = {"u": (4, 3, 9, 9), "v": (4, 4, 9, 9), "w": (3, 4, 1, 1), "t": (3, 3, 1, 1)}
    weights = [
        numpy_helper.from_array(generator.random(shape, np.float32) / np.prod(shape[1:]), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "u"], ["a"], strides=[8, 8], pads=[4] * 4),
        helper.make_node("Conv", ["a", "v"], ["b"], strides=[8, 8], pads=[4] * 4),
        helper.make_node("GlobalAveragePool", ["b"], ["mean"]),
        helper.make_node("Conv", ["mean", "w"], ["gate"]),
        helper.make_node("Conv", ["x", "t"], ["c"]),
        helper.make_node("Mul", ["c", "gate"], ["y"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in "xy"
    ]
    graph = helper.make_graph(nodes, "gate", ports[:1], ports[1:], weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), path)
