"""Detectors that list cells find by bands what they find in the whole picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from cli.bands.test_bands_option import write_ppm
from onnx import TensorProto, helper, numpy_helper

import ftdist
from ftdist.answers.kinds import task_of
from ftdist.answers.rows.cells import CellObjects, cell_maps
from ftdist.answers.tasks.detecting import detect_listed
from ftdist.geometry import Region
from ftdist.runtime.plans.public import plan

HEIGHT, WIDTH = 96, 160
STRIDES = (8, 16, 32)
KINDS = {"yolo3_maps": 255, "bin_maps": 144, "grid_rows": 85, "bins": 112}


def write_cells(path: Path, kind: str, *, shares: bool) -> None:
    """A convolution for each grid; its values, or with `shares` their sigmoids."""
    generator = np.random.default_rng(0)
    channels, listed = KINDS[kind], kind in ("grid_rows", "bins")
    nodes, weights, names = [], [], []
    for stride in STRIDES:
        kernel = generator.normal(0, 1.5 / stride, (channels, 3, stride, stride))
        kernel /= 200 if kind == "grid_rows" else 1  # YOLOX sees 0 to 255
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"w{stride}"))
        own = generator.normal(-1, 1, channels).astype(np.float32)
        weights.append(numpy_helper.from_array(own, f"b{stride}"))
        inputs, steps = ["x", f"w{stride}", f"b{stride}"], [stride, stride]
        nodes.append(helper.make_node("Conv", inputs, [f"c{stride}"], strides=steps))
        kept = "Sigmoid" if shares else "Identity"
        nodes.append(helper.make_node(kept, [f"c{stride}"], [f"y{stride}"]))
        if listed:
            weights.append(numpy_helper.from_array(np.array([1, channels, -1]), f"s{stride}"))
            nodes.append(helper.make_node("Reshape", [f"y{stride}", f"s{stride}"], [f"r{stride}"]))
        names.append(f"{'r' if listed else 'y'}{stride}")
    if listed:
        nodes.append(helper.make_node("Concat", names, ["all"], axis=2))
        nodes.append(helper.make_node("Transpose", ["all"], ["output"], perm=[0, 2, 1]))
        names = ["output"]
    size: list[int | str] = [1, 3, "h", "w"]
    value = helper.make_tensor_value_info
    ports = [value("x", TensorProto.FLOAT, size)]
    ports += [value(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph(nodes, "cells", ports[:1], ports[1:], weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), path)


@pytest.mark.parametrize(
    ("kind", "shares"),
    [("yolo3_maps", False), ("yolo3_maps", True), ("bin_maps", False), ("bin_maps", True),
     ("grid_rows", False), ("bins", False), ("bins", True)],
)  # fmt: skip
def test_bands_find_what_the_whole_picture_has(tmp_path: Path, kind: str, shares: bool) -> None:
    write_cells(tmp_path / "cells.onnx", kind, shares=shares)
    size = HEIGHT, WIDTH
    model = ftdist.import_model(tmp_path / "cells.onnx", tmp_path / "cells.ftd", size=size)
    assert task_of(model.network, model.about).layout == kind
    write_ppm(tmp_path / "photo.ppm", *size)
    photo = tmp_path / "photo.ppm"
    ranked = _whole(model, photo, 0.1)
    threshold = ranked[min(20, len(ranked) // 2)].score
    expected = _whole(model, photo, threshold)
    large = ftdist.run_large(
        model, photo, threads=1, threshold=threshold, exact_direct=True, overlap=0.45
    )
    assert 3 < len(expected) <= 20
    assert large.objects == expected


def _whole(model: ftdist.Model, photo: Path, threshold: float) -> list[ftdist.Found]:
    with ftdist.Session(model, plan(model, exact_direct=True)) as session:
        return ftdist.detect(session, photo, threshold=threshold)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_scores_that_turn_out_to_be_logits_are_looked_at_again(tmp_path: Path, rows: int) -> None:
    """The upper half looks like probabilities."""
    write_cells(tmp_path / "cells.onnx", "yolo3_maps", shares=False)
    model = ftdist.import_model(tmp_path / "cells.onnx", tmp_path / "cells.ftd", size=(96, 160))
    network = model.network
    task = task_of(network, model.about)
    generator = np.random.default_rng(0)
    sources = cell_maps(network, task)
    maps = {each: generator.random(network.shape(each)).astype(np.float32) for each in sources}
    for values in maps.values():
        values[len(values) // 2 :] = generator.normal(-2, 2, values[len(values) // 2 :].shape)
    outputs = {
        network.layers[each].name: maps[network.source(each)].transpose(2, 0, 1)[None]
        for each in network.outputs
    }
    expected = detect_listed(task, outputs, (96, 160), 0.9)
    objects = CellObjects(network, task, 0.9, 0.45)
    for _ in range(2):
        for top in range(0, 3, rows):
            regions, bands = {}, {}
            for source, values in maps.items():
                step = len(values) // 3
                top_row, bottom = top * step, min(top + rows, 3) * step
                regions[source] = Region(top_row, bottom, 0, values.shape[1])
                bands[source] = values[top_row:bottom]
            objects.take(regions, bands)
        if not objects.misread:
            break
        objects = CellObjects(network, task, 0.9, 0.45, logits=True)
    assert objects.all() == expected and expected


def test_lists_of_another_kind_are_refused(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells.onnx", "grid_rows", shares=False)
    model = ftdist.import_model(tmp_path / "cells.onnx", tmp_path / "cells.ftd", size=(96, 160))
    task = task_of(model.network, model.about)
    with pytest.raises(ftdist.InputError, match="lists of boxes, which are not seen by rows"):
        cell_maps(model.network, type(task)("detect", "rows", 80, task.outputs))
