"""Models of other frameworks, which users bring by mistake: what they are, and what to do.

A file is told by how it begins, else by the end of its name.
"""

from __future__ import annotations

from pathlib import Path

from ftdist.network.encoding import disguise

_TENSORFLOW = "make an .onnx of it with tf2onnx (python -m tf2onnx.convert {} FILE)"
_TFLITE = f"a TensorFlow Lite model; {_TENSORFLOW.format('--tflite')}"
_GRAPH = f"a TensorFlow graph; {_TENSORFLOW.format('--saved-model or --graphdef')}"
_KERAS = f"a Keras model; {_TENSORFLOW.format('--keras')}"
_TORCH = "a PyTorch file; export it to .onnx from PyTorch, or by ftdist.from_torch"
_PADDLE = "a Paddle model; make an .onnx of it with paddle2onnx"
_WEIGHTS = "weights without a network; export the network to .onnx"
_OTHER = "take the .onnx that it was made of"

_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"TFL3", _TFLITE),
    (4, b"ORTM", f"an onnxruntime model (.ort); {_OTHER}"),
    (0, b"\x89HDF", _KERAS),
    (0, b"GGUF", _WEIGHTS),
    (0, b"RKNN", f"an RKNN model; {_OTHER}"),
    (0, b"ftrt", f"a TensorRT engine; {_OTHER}"),
    (0, b"7767517\n", f"an ncnn model; {_OTHER}"),
    (0, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P", _TORCH),
    (8, b'{"', _WEIGHTS),
    (257, b"ustar", "a tar archive; unpack it"),
)
"""Where a file has which bytes."""

_ENDS: dict[str, str] = {
    **dict.fromkeys((".tflite", ".lite"), _TFLITE),
    ".pb": _GRAPH,
    **dict.fromkeys((".h5", ".keras", ".hdf5"), _KERAS),
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".torchscript"), _TORCH),
    **dict.fromkeys((".pdmodel", ".pdiparams"), _PADDLE),
    **dict.fromkeys((".safetensors", ".gguf"), _WEIGHTS),
    **dict.fromkeys((".caffemodel", ".prototxt"), f"a Caffe model; {_OTHER}"),
    **dict.fromkeys((".mlmodel", ".mlpackage"), f"a Core ML model; {_OTHER}"),
    **dict.fromkeys((".engine", ".trt", ".plan"), f"a TensorRT engine; {_OTHER}"),
    ".xml": f"an OpenVINO model; {_OTHER}",
    ".param": f"an ncnn model; {_OTHER}",
    ".mnn": f"an MNN model; {_OTHER}",
    ".rknn": f"an RKNN model; {_OTHER}",
    ".ort": f"an onnxruntime model; {_OTHER}",
}

_START_BYTES = 512
_NEWEST_FORMAT = 30
_PRODUCER = 0x12


def foreign(path: Path, start: bytes | None = None) -> str | None:
    """What a file is that is no model of ours, and what to do; None where nothing shows.

    `start` are its first 512 bytes, read where they are not given.
    """
    if start is None:
        try:
            with path.open("rb") as file:
                start = file.read(_START_BYTES)
        except OSError:
            return None
    for at, mark, kind in _MARKS:
        if start[at : at + len(mark)] == mark:
            return kind
    known = _ENDS.get(path.suffix.lower())
    if known is not None:
        return known
    if path.suffix.lower() != ".onnx" and _begins_as_onnx(start):
        return "an ONNX file, as it seems; give it a name that ends in .onnx"
    return disguise(start)


def _begins_as_onnx(start: bytes) -> bool:
    """With the version of its format, and then its producer."""
    if len(start) < 3 or start[0] != 8:
        return False
    return 2 < start[1] < _NEWEST_FORMAT and start[2] == _PRODUCER
