"""Files of opsets 1 to 6, and operators on trial then, mean what they say in newer words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from support.onnxgraphs import Nodes, arrays_for, computed, expected, imported

from ftdist.errors import InputError

Build = Callable[[Nodes, str], str]


def numbers(n: Nodes, *values: float) -> str:
    return n.constant(np.array(values, np.float32))


def doubled(n: Nodes, x: str) -> str:
    return str(n.add("Add", x, x))


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def one(kind: str, *constants: Any, **how: Any) -> Build:
    def build(n: Nodes, x: str) -> str:
        return str(n.add(kind, x, *(n.constant(np.array(each)) for each in constants), **how))

    return build


def along(kind: str, *shape: int, **how: Any) -> Build:
    """With the same second value in both opsets: its shape says where it lies in the newer one."""

    def build(n: Nodes, x: str) -> str:
        values = np.linspace(0.5, 2, int(np.prod(shape)), dtype=np.float32)
        return str(n.add(kind, x, n.constant(values.reshape(shape)), **how))

    return build


def gated(n: Nodes, x: str) -> str:
    """Factors that the network computes, (1, channels), lie along the first dims."""
    means = n.add("GlobalAveragePool", x)
    if n.opset < 7:
        flat = n.add("Reshape", means, shape=[1, 4])
        return str(n.add("Mul", x, flat, broadcast=1, axis=0))
    return str(n.add("Mul", x, means))


def normalised(n: Nodes, x: str) -> str:
    old: dict[str, Any] = {"is_test": 1, "consumed_inputs": [0, 0, 0, 1, 1]} if n.opset < 7 else {}
    moments = [n.constant(np.array(each, np.float32)) for each in _MOMENTS]
    return str(n.add("BatchNormalization", x, *moments, epsilon=1e-3, **old))


def normalised_everywhere(n: Nodes, x: str) -> str:
    """Each value by moments of its own: a factor and a sum."""
    rng = np.random.default_rng(1)
    scale, bias, mean = (rng.random((4, 6, 8), np.float32) for _ in range(3))
    variance = rng.random((4, 6, 8), np.float32) + 0.5
    if n.opset < 7:
        moments = [n.constant(each) for each in (scale, bias, mean, variance)]
        return str(n.add("BatchNormalization", x, *moments, spatial=0, is_test=1))
    factor = scale / np.sqrt(variance + 1e-5)
    scaled = n.add("Mul", x, n.constant(factor))
    return str(n.add("Add", scaled, n.constant(bias - mean * factor)))


_MOMENTS = ((1, 2, 3, 4), (0, 1, 0, 1), (0.1, 0.2, 0.3, 0.4), (1, 2, 1, 2))
_MARGINS = np.array([0, 0, 1, 2, 0, 0, 3, 0])

OLD: dict[str, tuple[Build, Build]] = {
    "sum along the channels": (
        along("Add", 4, broadcast=1, axis=1),
        along("Add", 4, 1, 1),
    ),
    "factor along the rows": (
        along("Mul", 6, broadcast=1, axis=2),
        along("Mul", 6, 1),
    ),
    "an axis from the end": (
        along("Div", 6, broadcast=1, axis=-2),
        along("Div", 6, 1),
    ),
    "last dims without an axis": (along("Sub", 6, 8, broadcast=1), along("Sub", 6, 8)),
    "factors that are computed": (gated, gated),
    "slopes of channels": (along("PRelu", 4), along("PRelu", 4, 1, 1)),
    "norm": (normalised, normalised),
    "norm of each value": (normalised_everywhere, normalised_everywhere),
    "shape as an attribute": (one("Reshape", shape=[0, -1]), one("Reshape", np.array([0, -1]))),
    "joined along the channels": (
        lambda n, x: str(n.add("Concat", x, n.add("Relu", x, consumed_inputs=[0]))),
        lambda n, x: str(n.add("Concat", x, n.add("Relu", x), axis=1)),
    ),
    "types by their names": (
        lambda n, x: str(n.add("Cast", n.add("Cast", doubled(n, x), to="INT32"), to="FLOAT")),
        lambda n, x: str(n.add("Floor", doubled(n, x))),
    ),
    "margins": (
        one("Pad", paddings=_MARGINS.tolist(), value=0.5),
        one("Pad", _MARGINS, np.float32(0.5)),
    ),
    "scales as attributes": (
        one("Upsample", height_scale=2.0, width_scale=3.0, mode="nearest"),
        one("Resize", np.zeros(0, np.float32), np.array([1, 1, 2, 3], np.float32),
            coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    ),
    "repeated along an axis": (
        one("Tile", np.float32(3), np.float32(2)),
        one("Tile", np.array([1, 1, 3, 1])),
    ),
    "constants of selu": (one("Selu"), one("Selu", alpha=1.6732, gamma=1.0507)),
    "dropped in training only": (one("Dropout", is_test=1, ratio=0.5), one("Identity")),
    "scaled picture": (
        one("ImageScaler", scale=0.5, bias=[1.0, 2.0, 3.0, 4.0]),
        lambda n, x: str(n.add("Add", n.add("Mul", x, numbers(n, 0.5)),
                               n.constant(np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1)))),
    ),
    "affine": (
        one("Affine", alpha=2.0, beta=1.0),
        lambda n, x: str(n.add("Add", n.add("Mul", x, numbers(n, 2)), numbers(n, 1))),
    ),
    "scale": (one("Scale", scale=3.0), lambda n, x: str(n.add("Mul", x, numbers(n, 3)))),
    "scaled tanh": (
        one("ScaledTanh", alpha=1.7, beta=0.6),
        lambda n, x: str(n.add(
            "Mul", n.add("Tanh", n.add("Mul", x, numbers(n, 0.6))), numbers(n, 1.7))),
    ),
    "softplus with parameters": (
        one("ParametricSoftplus", alpha=1.7, beta=0.6),
        lambda n, x: str(n.add(
            "Mul", n.add("Softplus", n.add("Mul", x, numbers(n, 0.6))), numbers(n, 1.7))),
    ),
    "cut borders": (
        one("Crop", border=[1, 2, 3, 0]),
        lambda n, x: str(n.add("Slice", x, ints(n, 2, 1), ints(n, 6, 5), ints(n, 2, 3))),
    ),
    "cut to a size": (
        one("Crop", border=[1, 2, 0, 0], scale=[3, 4]),
        lambda n, x: str(n.add("Slice", x, ints(n, 2, 1), ints(n, 5, 5), ints(n, 2, 3))),
    ),
}  # fmt: skip


def saved(build: Build, path: Path, opset: int) -> Path:
    nodes = Nodes(opset=opset)
    nodes.output(build(nodes, nodes.input(1, 4, 6, 8)))
    return nodes.save(path)


@pytest.mark.parametrize("what", OLD)
def test_what_old_files_say_is_what_newer_ones_say(what: str, tmp_path: Path) -> None:
    old, new = OLD[what]
    model = imported(saved(old, tmp_path / "old.onnx", 1))
    arrays = arrays_for(model)
    (found,) = computed(model, arrays).values()
    (wanted,) = expected(saved(new, tmp_path / "new.onnx", 17), arrays).values()
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_damaged_attributes_of_old_nodes_are_told_in_a_line(tmp_path: Path) -> None:
    """What makes no sense of an old node is left to what translates it."""
    for kind, how in (
        ("Cast", {"to": "NOTHING"}),
        ("Crop", {"border": [1, 2]}),
        ("ImageScaler", {"bias": "a"}),
        ("Pad", {"paddings": "a"}),
        ("Cast", {"to": helper.make_graph([], "none", [], [])}),
    ):
        with pytest.raises(InputError, match=kind):
            imported(saved(one(kind, **how), tmp_path / "old.onnx", 1))
