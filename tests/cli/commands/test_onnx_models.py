"""ONNX files on the command line: imported by name, or by `run` itself into the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import Outcome, ftdist_command
from support.onnxgraphs import Nodes, expected

from ftdist.cli.main import main


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ftdist" / "models"


def written(folder: Path, *, height: int | str = 16) -> Path:
    nodes = Nodes()
    made = nodes.add("Conv", nodes.input(1, 3, height, 16), nodes.random(4, 3, 3, 3))
    nodes.output(nodes.add("Relu", made))
    return nodes.save(folder / "small.onnx")


def test_run_imports_by_itself_and_says_so_once(tmp_path: Path, cache: Path) -> None:
    """In processes of their own, since the budget is for all that a process holds."""
    path, given, out = written(tmp_path), tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(given, np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32))

    def run() -> Outcome:
        arguments = ("run", path, given, "-o", out, "--mem", "256M")
        outcome = ftdist_command(*arguments, folder=tmp_path)
        assert outcome.status == 0, outcome
        return outcome

    said = run().err
    (kept,) = cache.iterdir()
    assert f"ftdist: imported {path} as {kept}" in said
    (wanted,) = expected(path, {"x": np.load(given)}).values()
    np.testing.assert_allclose(np.load(out), wanted, atol=1e-5)
    assert "imported" not in run().err
    kept.write_bytes(b"FTDIST, but damaged")
    assert "imported" in run().err


def test_open_sizes_have_a_default_and_can_be_said(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, height="rows")
    assert main(["plan", str(path)]) == 0
    assert "leaves its size open, 320x16 is taken; --size" in capsys.readouterr().err
    (kept,) = cache.iterdir()
    assert main(["plan", str(path), "--size", "24x16"]) == 0
    assert "input      24x16x3" in capsys.readouterr().out
    assert main(["plan", str(kept), "--size", "24x16"]) == 2
    assert "its size was settled at import" in capsys.readouterr().err


def test_import_takes_a_size_and_the_name_of_an_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, made = written(tmp_path, height="rows"), tmp_path / "small.ftd"
    arguments = ["import", str(path), "-o", str(made), "--size", "24x16"]
    assert main([*arguments, "--until", "node0"]) == 0
    assert "1 layer, input 24x16x3" in capsys.readouterr().out
    assert main([*arguments, "--weights", "w.weights"]) == 2
    assert "an ONNX file has weights of its own" in capsys.readouterr().err


def test_outputs_that_a_picture_does_not_show_are_not_computed(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = Nodes()
    x = nodes.add("Conv", nodes.input(1, 3, 64, 64), nodes.random(8, 3, 3, 3), pads=[1] * 4)
    mask = nodes.add("Sigmoid", nodes.add("Conv", x, nodes.random(1, 8, 1, 1)))
    nodes.output(mask, nodes.add("Conv", x, nodes.random(64, 8, 3, 3), strides=[2, 2]))
    path, photo = nodes.save(tmp_path / "mask.onnx"), tmp_path / "photo.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(photo)

    def layers(out: str) -> int:
        assert main(["run", str(path), str(photo), "-o", str(tmp_path / out)]) == 0
        return int(capsys.readouterr().out.split(" layer")[0].split()[-1])

    assert layers("out.png") < layers("out.npz")
    assert len(np.load(tmp_path / "out.npz")) == 2
