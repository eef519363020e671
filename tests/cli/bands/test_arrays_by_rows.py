"""Arrays by name are not written by rows: such a run is whole, and nothing else is made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.onnxgraphs import Nodes

from ftdist.cli.main import main


def test_a_segmentations_arrays_by_name_are_no_picture_of_classes(tmp_path: Path, capsys) -> None:
    nodes = Nodes()
    scores = nodes.add("Conv", nodes.input(1, 3, 32, 32), nodes.random(5, 3, 1, 1))
    nodes.output(nodes.add("Softmax", scores, axis=1))
    path = nodes.save(tmp_path / "seg.onnx")
    np.save(tmp_path / "in.npy", np.ones((3, 32, 32), np.float32))
    words = ["run", str(path), str(tmp_path / "in.npy"), "--mem", "4G"]
    words += ["-o", str(tmp_path / "out.npz")]
    assert main([*words, "--bands", "always"]) == 2
    assert "arrays are written as rows to a .npy file" in capsys.readouterr().err
    assert main(words) == 0
    with np.load(tmp_path / "out.npz") as found:
        assert [each.shape[-3:] for each in found.values()] == [(5, 32, 32)]
