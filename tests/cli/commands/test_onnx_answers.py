"""What a person gets of an ONNX file and a photo: by small networks, and by trained ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image
from support.onnxgraphs import Nodes

from ftdist.cli.main import main
from ftdist.network.modelfile import load

SHARED = Path(__file__).resolve().parents[3].parent / "shared"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    pixels = np.full((24, 40, 3), (200, 40, 90), np.uint8)
    pixels[:, 20:] = (20, 160, 60)
    Image.fromarray(pixels).save("photo.png")
    return tmp_path


def _saved(name: str, nodes: Nodes, **metadata: str) -> str:
    import onnx

    model: Any = nodes.model()
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, name)
    return name


def _convolved(nodes: Nodes, source: str, weights: Any) -> Any:
    return nodes.add("Conv", source, nodes.constant(np.array(weights, np.float32)))


def test_an_image_network_of_one_channel_keeps_the_photos_colours() -> None:
    nodes = Nodes()
    made = _convolved(nodes, nodes.input(1, 1, "rows", "columns"), np.ones((4, 1, 1, 1)))
    nodes.output(nodes.add("DepthToSpace", made, blocksize=2))
    path = _saved("twice.onnx", nodes)
    assert main(["run", path, "photo.png", "-o", "out.png"]) == 0
    found, photo = np.asarray(Image.open("out.png")), np.asarray(Image.open("photo.png"))
    assert found.shape == (48, 80, 3)
    assert np.abs(found[::2, ::2].astype(int) - photo)[:, 1:18].max() <= 3


def test_a_segmentation_is_colours_numbers_and_shares(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = Nodes()
    weights = np.zeros((2, 3, 1, 1))
    weights[0, 0], weights[1, 1] = 1, 1  # class 0 where red is more, else class 1
    nodes.output(_convolved(nodes, nodes.input(1, 3, 24, 40), weights))
    path = _saved("seg.onnx", nodes)
    wanted = ["--mean", "0", "--scale", "1/255"]
    assert main(["run", path, "photo.png", "-o", "tinted.png", *wanted]) == 0
    out = capsys.readouterr().out
    assert "share      class 0 50.0%" in out and "picture    RGB 0..1, stretched" in out
    tinted, photo = np.asarray(Image.open("tinted.png")), np.asarray(Image.open("photo.png"))
    assert (tinted[:, :20] == photo[:, :20]).all() and (tinted[:, 20:] != photo[:, 20:]).any()
    assert main(["run", path, "photo.png", "-o", "numbers.png", "--labels-picture", *wanted]) == 0
    numbers = np.asarray(Image.open("numbers.png"))
    assert (numbers[:, :20] == 0).all() and (numbers[:, 20:] == 1).all()
    assert main(["run", path, "photo.png", "-o", "out.json", "--task", "segment"]) == 0
    assert json.loads(Path("out.json").read_text())[0]["shares"][0]["share"] >= 0.5


def test_names_in_the_file_are_those_of_its_classes(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = Nodes()
    seen = _convolved(nodes, nodes.input(1, 3, 24, 40), np.eye(3)[:, :, None, None])
    nodes.output(nodes.add("GlobalAveragePool", seen))
    names = "{0: 'red', 1: 'green', 2: 'blue'}"
    path = _saved("kinds.onnx", nodes, names=names, stride="32", description="Ultralytics")
    assert main(["import", path, "-o", "kinds.ftd"]) == 0
    model = load("kinds.ftd")
    assert model.labels == ("red", "green", "blue") and model.about.names == "inside"
    assert model.about.task is not None and model.about.task.kind == "classify"
    assert main(["run", "kinds.ftd", "photo.png"]) == 0
    assert "class      red" in capsys.readouterr().out


def test_what_is_said_at_import_is_kept_and_can_be_said_at_the_run() -> None:
    nodes = Nodes()
    nodes.output(_convolved(nodes, nodes.input(1, 3, 24, 40), np.eye(3)[:, :, None, None]))
    path = _saved("same.onnx", nodes)
    said = ["--mean", "10,20,30", "--std", "2", "--bgr"]
    assert main(["import", path, "-o", "said.ftd", *said]) == 0
    assert main(["import", path, "-o", "plain.ftd"]) == 0
    assert main(["run", "said.ftd", "photo.png", "-o", "a.npy"]) == 0
    assert main(["run", "plain.ftd", "photo.png", "-o", "b.npy", *said]) == 0
    photo = np.asarray(Image.open("photo.png")).astype(np.float32)
    wanted = ((photo[:, :, ::-1] - [10, 20, 30]) / 2).transpose(2, 0, 1)
    np.testing.assert_allclose(np.load("a.npy").reshape(3, 24, 40), wanted, atol=1e-4)
    assert (np.load("a.npy") == np.load("b.npy")).all()


def test_logits_are_told_as_probabilities_with_labels_from_beside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nodes = Nodes()
    weights = np.zeros((6, 3, 1, 1))
    weights[2, 0], weights[4, 1] = 9, 3
    seen = _convolved(nodes, nodes.input(1, 3, 24, 40), weights)
    nodes.output(nodes.add("Flatten", nodes.add("GlobalAveragePool", seen)))
    path = _saved("kinds.onnx", nodes)
    how = ["--mean", "0", "--scale", "1/255"]
    assert main(["run", path, "photo.png", "-o", "named.png", *how]) == 0
    assert "names      are not known, only numbers; --names FILE" in capsys.readouterr().out
    Path("labels.txt").write_text("a\nb\nred\nc\ngreen\nd\n")
    assert main(["run", path, "photo.png", "-o", "named.png", *how]) == 0
    told = capsys.readouterr()
    assert "the class names are taken from labels.txt" in told.err
    logits = np.array([0, 0, 9 * 110, 0, 3 * 100, 0]) / 255  # the photo's means are 110 and 100
    powers = np.exp(logits) / np.exp(logits).sum()
    lines = [line.split()[1:] for line in told.out.splitlines() if line.startswith("class ")]
    assert lines[:2] == [["red", f"{powers[2]:.3f}"], ["green", f"{powers[4]:.3f}"]]
    assert len(lines) == 5 and Path("named.png").exists()
    Path("own.txt").write_text("p\nq\nr\ns\nt\nu\n")
    assert main(["run", path, "photo.png", "--labels", "own.txt", *how]) == 0
    assert "class      r " in capsys.readouterr().out


def test_an_input_of_bytes_gets_the_pixels_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = Nodes()
    pixels = nodes.input(1, 24, 40, 3, kind=TensorProto.UINT8)
    wide = nodes.add("Cast", pixels, to=TensorProto.FLOAT)
    moved = nodes.add("Transpose", wide, perm=[0, 3, 1, 2])
    nodes.output(_convolved(nodes, moved, np.eye(3)[:, :, None, None]))
    path = _saved("bytes.onnx", nodes)
    assert main(["run", path, "photo.png", "-o", "a.npy"]) == 0
    assert "RGB 0..255, " in (told := capsys.readouterr().out)
    assert "assumed (its input is of whole numbers)" in told
    photo = np.asarray(Image.open("photo.png"))
    np.testing.assert_allclose(
        np.load("a.npy").reshape(3, 24, 40), photo.transpose(2, 0, 1), atol=1e-4
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="the trained networks are not here")
@pytest.mark.parametrize("name", ["blazeface_front", "faceboxes_v2", "ultraface-RFB-640"])
def test_a_face_is_found_by_detectors_whose_priors_are_known(name: str) -> None:
    """On matplotlib's portrait, 512x600: what each of them should agree on."""
    data = pytest.importorskip("matplotlib.cbook")
    photo = str(data.get_sample_data("grace_hopper.jpg", asfileobj=False))
    model = str(SHARED / f"models/{name}.onnx")
    assert main(["run", model, photo, "-o", "found.json"]) == 0
    (found,) = json.loads(Path("found.json").read_text())[0]["detections"]
    assert found["score"] > 0.85 and found["label"] in ("face", "class 0")
    x, y, width, height = found["box"].values()
    assert (x + width / 2, y + height / 2) == pytest.approx((265, 235), abs=16)
    assert (width, height) == pytest.approx((178, 218), abs=20)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the trained networks are not here")
def test_the_person_is_found_by_a_trained_yolox(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(SHARED / "models/light_person_detector.onnx")
    assert main(["run", model, str(SHARED / "photos/person.jpg"), "-o", "found.json"]) == 0
    (found,) = json.loads(Path("found.json").read_text())[0]["detections"]
    assert found["score"] == pytest.approx(0.84, abs=0.02)
    box = list(found["box"].values())
    assert box == pytest.approx([184, 98, 278 - 184, 374 - 98], abs=4)
    capsys.readouterr()
    assert main(["run", model, str(SHARED / "photos/dog.jpg"), "--thresh", "0.2"]) == 0
    assert "found  " not in capsys.readouterr().out


@pytest.mark.skipif(not SHARED.is_dir(), reason="the trained networks are not here")
def test_raw_maps_are_decoded_by_the_cfg_beside(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(SHARED / "models/yolo-fastest-1.1-xl.onnx")
    assert main(["run", model, str(SHARED / "photos/dog.jpg")]) == 0
    told = capsys.readouterr()
    assert "decoded as" in told.err
    for name in ("dog", "bicycle", "car"):
        assert f"found      {name} 0." in told.out
