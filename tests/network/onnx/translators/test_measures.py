"""PaddleDetection's inputs beside the picture: what says how large it is, and how it was scaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from support.onnxgraphs import Nodes, computed, expected, imported

from ftdist.network.onnx.importer import read_onnx


def detector(path: Path, *, open_size: bool = False, others: int = 0) -> Path:
    """What reads all three: a map, over the factors, less the size."""
    nodes = Nodes()
    shape = nodes.input("n", 2, name="im_shape")
    sides: tuple[int | str, ...] = ("h", "w") if open_size else (8, 12)
    picture = nodes.input("n", 3, *sides, name="image")
    factor = nodes.input(1, 2, name="scale_factor")
    made = nodes.add("Conv", picture, nodes.random(2, 3, 3, 3), pads=[1] * 4)
    for kind, each in (("Div", factor), ("Sub", shape)):
        flat = nodes.add("Reshape", each, nodes.constant(np.array([1, 2, 1, 1])))
        made = nodes.add(kind, made, flat)
    for at in range(others):
        made = nodes.add("Mul", made, nodes.input(1, name=f"other{at}"))
    nodes.output(made)
    return nodes.save(path)


@pytest.mark.parametrize("size", [None, (10, 14)])
def test_they_are_as_of_a_picture_that_is_not_scaled(
    size: tuple[int, int] | None, tmp_path: Path
) -> None:
    path = detector(tmp_path / "detector.onnx", open_size=size is not None)
    height, width = size or (8, 12)
    picture = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    sides = np.array([[height, width]], np.float32)
    whole = {"image": picture, "im_shape": sides, "scale_factor": np.ones((1, 2), np.float32)}
    (wanted,) = expected(path, whole).values()
    model = imported(path, size=size)
    assert [each.name for each in model.network.inputs] == ["image"]
    (found,) = computed(model, {"image": picture}).values()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_it_is_said(tmp_path: Path) -> None:
    remarks = read_onnx(detector(tmp_path / "detector.onnx")).remarks
    assert any("im_shape and scale_factor taken as of" in each for each in remarks)


def test_with_other_inputs_they_are_inputs(tmp_path: Path) -> None:
    model = imported(detector(tmp_path / "detector.onnx", others=1))
    names = {each.name for each in model.network.inputs}
    assert names == {"im_shape", "image", "scale_factor", "other0"}


@pytest.mark.parametrize(
    ("name", "kind", "wanted"),
    [
        ("image_shape", TensorProto.FLOAT, (8, 12)),
        ("orig_target_sizes", TensorProto.INT64, (12, 8)),
    ],
)
@pytest.mark.parametrize("is_last", [False, True], ids=["channels first", "channels last"])
def test_sides_of_the_picture_have_other_names_too(
    name: str, kind: int, wanted: tuple[int, int], is_last: bool, tmp_path: Path
) -> None:
    """Of Keras' YOLOv3, and of RT-DETR, where the width comes first."""
    nodes = Nodes()
    picture = nodes.input("n", *((8, 12, 3) if is_last else (3, 8, 12)), name="image")
    sides = nodes.add("Cast", nodes.input("n", 2, name=name, kind=kind), to=TensorProto.FLOAT)
    mean = nodes.add("ReduceMean", picture, axes=[1, 2, 3], keepdims=1)
    flat = nodes.add("Reshape", mean, nodes.constant(np.array([1, 1])))
    nodes.output(nodes.add("Add", nodes.add("Sub", flat, flat), sides))
    model = imported(nodes.save(tmp_path / "detector.onnx"))
    shape = model.network.inputs[0].layout.of(model.network.inputs[0].shape)
    (found,) = computed(model, {"image": np.zeros(shape, np.float32)}).values()
    assert found.ravel().tolist() == list(wanted)
