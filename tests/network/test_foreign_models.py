"""Models of other frameworks are called by their names, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftdist.errors import InputError
from ftdist.network.modelfile import load
from ftdist.network.onnx.reading.file import read_graph
from ftdist.runtime.model_import import import_model

TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + bytes(99)
ONNX = b"\x08\x08\x12\x07pytorch" + bytes(9)

FILES = {
    "by its beginning": ("model.bin", b"\x1c\0\0\0TFL3" + bytes(99), "TensorFlow Lite.*tf2onnx"),
    "by its name": ("model.tflite", bytes(99), "TensorFlow Lite.*tf2onnx"),
    "by an end in capitals": ("model.PB", b"\x0a\x44" + bytes(99), "TensorFlow graph"),
    "PyTorch's archive": ("best.pt", b"PK\x03\x04" + bytes(99), "PyTorch file; export"),
    "PyTorch's older form": ("best", TORCH, "PyTorch file; export"),
    "Caffe's text": ("net.prototxt", b"name: 'X'", "Caffe model"),
    "ncnn": ("net.txt", b"7767517\n75 83\n", "ncnn model"),
    "OpenVINO": ("net.xml", b"<?xml version='1.0'?><net/>", "OpenVINO model"),
    "an archive": ("model.zip", b"PK\x03\x04" + bytes(99), "zip archive"),
    "ONNX by another name": ("model", ONNX, "an ONNX file.*ends in .onnx"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_foreign_model_is_named_with_what_to_do(what: str, tmp_path: Path) -> None:
    name, content, told = FILES[what]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=told) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: is ") and "\n" not in str(refused.value)
    with pytest.raises(InputError, match=told):
        import_model(path, tmp_path / "model.ftd")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\x1c\0\0\0TFL3" + bytes(99), "TensorFlow Lite"), (TORCH, "PyTorch file")],
)
def test_what_is_called_an_onnx_file_and_is_none(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_graph(path)


@pytest.mark.parametrize("content", [b"", b"\x08", b"\x08\x08", bytes(20)])
def test_what_nothing_shows_of_is_no_model_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a model file; make one with 'ftdist import'"):
        load(path)
