"""Recurrent layers as onnxruntime has them, and the same bits whatever the plan is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, arrays_for, assert_agree, computed, imported
from support.randomplans import random_plan

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.reducing import Recurrent
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, VALUES = 9, 6


def recurrent(
    kind: str,
    path: Path,
    size: int = 5,
    direction: str = "forward",
    *,
    bias: bool = True,
    state: bool = False,
    more: dict[str, Any] | None = None,
) -> Path:
    """A convolution, whose columns are the steps, and all outputs of the layer."""
    n = Nodes()
    x = n.add("Conv", n.input(1, 3, 8, STEPS), n.random(VALUES, 3, 8, 1))
    sequence = n.add("Transpose", n.add("Squeeze", x, ints(n, 2)), perm=[2, 0, 1])
    layout = (more or {}).get("layout", 0)
    if layout:
        sequence = n.add("Transpose", sequence, perm=[1, 0, 2])
    ways, gates = 1 + (direction == "bidirectional"), GATES[kind] * size
    weights = [n.random(ways, gates, VALUES), n.random(ways, gates, size)]
    weights.append(n.random(ways, 2 * gates) if bias else "")
    first = [n.random(*((1, ways, size) if layout else (ways, 1, size)))] if state else []
    first = first * (2 if kind == "LSTM" else 1)
    own = [sequence, *weights, *(["", *first] if state else [])]
    count = 3 if kind == "LSTM" else 2
    found = n.add(kind, *own, outputs=count, hidden_size=size, direction=direction, **(more or {}))
    n.output(*found)
    return n.save(path / "graph.onnx")


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("size", [1, 5, 16, 37])
def test_outputs_and_last_states_agree(
    kind: str, direction: str, size: int, tmp_path: Path
) -> None:
    path = recurrent(kind, tmp_path, size, direction, state=size != 5, bias=size != 16)
    assert_agree(path, imported(path))


def test_gates_that_reset_after_their_product_agree(tmp_path: Path) -> None:
    path = recurrent("GRU", tmp_path, 13, more={"linear_before_reset": 1})
    assert_agree(path, imported(path))


def test_relu_cells_agree(tmp_path: Path) -> None:
    path = recurrent("RNN", tmp_path, more={"activations": ["Relu"]})
    assert_agree(path, imported(path))


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("LSTM", {"clip": 1.0}, "clip or input_forget"),
        ("GRU", {"activations": ["Tanh", "Tanh"]}, "activations: tanh, tanh"),
        ("RNN", {"direction": "sideways"}, "direction: sideways"),
    ],
)
def test_what_few_networks_have_is_refused(
    kind: str, more: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    more = dict(more)
    path = recurrent(kind, tmp_path, direction=more.pop("direction", "forward"), more=more)
    with pytest.raises(InputError, match=reason):
        imported(path)


@pytest.mark.parametrize("size", [(2, 20, VALUES + 1), (1, 20, VALUES), (2, 16, VALUES)])
def test_weights_suit_the_steps(size: tuple[int, ...], tmp_path: Path) -> None:
    n = Nodes()
    steps = n.add("Squeeze", n.add("Relu", n.input(1, VALUES, 1, STEPS)), ints(n, 2))
    sequence = n.add("Transpose", steps, perm=[2, 0, 1])
    weights = n.random(*size), n.random(2, 20, 5)
    n.output(n.add("LSTM", sequence, *weights, hidden_size=5, direction="bidirectional"))
    with pytest.raises(InputError, match=r"do not suit|makes no sense"):
        imported(n.save(tmp_path / "graph.onnx"))


def test_a_sequence_is_turned_round(tmp_path: Path) -> None:
    n = Nodes()
    x = n.add("Squeeze", n.input(1, 3, 8, STEPS), ints(n, 0))
    turned = n.add("ReverseSequence", x, ints(n, *[8] * 3), time_axis=1, batch_axis=0)
    n.output(n.add("Relu", turned))
    path = n.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize("kind", GATES)
def test_no_plan_changes_a_bit(kind: str, tmp_path: Path) -> None:
    model = imported(recurrent(kind, tmp_path, 20, "bidirectional"))
    arrays = arrays_for(model)
    once = computed(model, arrays)
    for seed in range(4):
        plan = random_plan(model.network, seed, threads=seed % 2 + 1)
        for name, array in computed(model, arrays, plan).items():
            np.testing.assert_array_equal(array.view(np.uint32), once[name].view(np.uint32))


@pytest.mark.parametrize(
    ("cell", "state", "reason"),
    [
        (Recurrent("lstm", 3), Shape(2, 1, 3), "do not suit its cells"),
        (Recurrent("gru", 4), Shape(1, 1, 4), "do not suit its cells"),
        (Recurrent("tanh", 0), Shape(2, 1, 0), "0 gate values; 1 to 8192 are possible"),
        (Recurrent("gru", 4000), Shape(2, 1, 4000), "12000 gate values; 1 to 8192"),
    ],
)
def test_cells_need_maps_that_suit_them(cell: Recurrent, state: Shape, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        cell.output_shape((Shape(2, 5, 12), state))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("after", [0, 1])
def test_the_reference_agrees(kind: str, after: int, tmp_path: Path) -> None:
    more = {"linear_before_reset": after} if kind == "GRU" else {}
    model = imported(recurrent(kind, tmp_path, 18, "bidirectional", state=True, more=more))
    arrays = arrays_for(model)
    native = computed(model, arrays)
    with Session(model, untiled(model.network), "reference") as session:
        for name, array in session.run(arrays).items():
            np.testing.assert_allclose(array, native[name], atol=1e-5)
