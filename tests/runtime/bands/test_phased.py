"""Layers that need whole maps: passes over the picture give the bits of the whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from runtime.bands.test_running import Held

from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.planning.bands.phases import phases
from ftdist.planning.bands.plan import BandPlan
from ftdist.planning.plan import untiled
from ftdist.runtime.bands.phased import PhasedRunner
from ftdist.runtime.bands.running import Band
from ftdist.runtime.local import Session
from ftdist.runtime.model_import import import_model

SIDES = (37, 29)
MOST_BYTES = 1 << 20


def gated(name: str, reads: str) -> list[Any]:
    """Squeeze-and-excite."""
    return [
        helper.make_node("GlobalAveragePool", [reads], [f"{name}.mean"]),
        helper.make_node("Conv", [f"{name}.mean", "one"], [f"{name}.one"]),
        helper.make_node("Sigmoid", [f"{name}.one"], [f"{name}.gate"]),
        helper.make_node("Mul", [reads, f"{name}.gate"], [name]),
    ]


def conv(name: str, reads: str, weights: str = "w", stride: int = 1) -> Any:
    return helper.make_node(
        "Conv", [reads, weights], [name], pads=[1, 1, 1, 1], strides=[stride, stride]
    )


def norm(name: str, reads: str) -> Any:
    return helper.make_node("InstanceNormalization", [reads, "scale", "shift"], [name])


GRAPHS = {
    "gate": [conv("a", "x", "v"), *gated("b", "a"), conv("y", "b")],
    "two gates": [conv("a", "x", "v", 2), *gated("b", "a"), conv("c", "b"), *gated("d", "c"),
                  helper.make_node("Add", ["b", "d"], ["y"])],
    "norm": [conv("a", "x", "v"), norm("b", "a"), helper.make_node("Relu", ["b"], ["c"]),
             conv("d", "c"), norm("y", "d")],
    "norm and gate": [conv("a", "x", "v"), norm("b", "a"), *gated("c", "b"),
                      helper.make_node("Add", ["c", "a"], ["y"])],
}  # fmt: skip


def imported(folder: Path, nodes: list[Any]) -> Model:
    generator = np.random.default_rng(0)
    arrays = {
        "v": generator.normal(0, 0.3, (8, 3, 3, 3)),
        "w": generator.normal(0, 0.2, (8, 8, 3, 3)),
        "one": generator.normal(0, 0.5, (8, 8, 1, 1)),
        "scale": generator.normal(1, 0.2, 8),
        "shift": generator.normal(0, 0.2, 8),
    }
    read = {name for node in nodes for name in node.input}
    tensors = [
        numpy_helper.from_array(array.astype(np.float32), name)
        for name, array in arrays.items()
        if name in read
    ]
    ports = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *SIDES]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, "h", "w"]),
    ]
    graph = helper.make_graph(nodes, "phased", ports[:1], ports[1:], tensors)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), folder / "phased.onnx")
    return import_model(folder / "phased.onnx", folder / "phased.ftd")


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("name", GRAPHS)
def test_passes_give_the_bits_of_the_whole_run(tmp_path: Path, name: str, rows: int) -> None:
    model = imported(tmp_path, GRAPHS[name])
    planes = np.random.default_rng(1).random((3, *SIDES), np.float32)
    with Session(model, untiled(model.network)) as session:
        (expected,) = session.run(planes).values()
    passes = phases(model.network, MOST_BYTES)
    assert len(passes) > 1
    plans = tuple(
        BandPlan(untiled(each.bands.network), min(rows, *_heights(each))) for each in passes
    )
    runner = PhasedRunner(model, passes, plans)
    found = np.empty(expected.shape, np.float32)
    seen: list[int] = []

    def take(band: Band) -> None:
        (made,) = band.maps.values()
        found[:, band.rows.start : band.rows.stop] = made.transpose(2, 0, 1)

    held = runner.small_maps(lambda _: Held(planes), lambda number, _: seen.append(number))
    with runner.last(held) as last:
        last.run(Held(planes), take)
    assert sorted(set(seen)) == list(range(len(passes) - 1))
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


def _heights(phase: Any) -> list[int]:
    network = phase.bands.network
    return [network.shape(each).height for each in network.outputs]


def test_what_needs_a_whole_wide_map_is_named(tmp_path: Path) -> None:
    model = imported(tmp_path, GRAPHS["gate"])
    with pytest.raises(InputError, match=r"layer .+ needs the whole of a map of 37x1x8"):
        phases(model.network, 16)
