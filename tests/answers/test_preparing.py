"""What is guessed of how pictures enter a network, and what its files say of names."""

from __future__ import annotations

import pytest

from ftdist.answers.preparing import YOLO_GREY, prepared
from ftdist.answers.told_inside import known_size, names_inside, size_inside
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.operators.base import Activation, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.windows import Convolution
from ftdist.network.ports import Input, Layout, Pixels
from ftdist.network.source import Hints
from ftdist.network.task import ARRAYS, Task

RAW = Pixels((0.0,), (1.0,))
IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CAFFE = Pixels((104.0, 117.0, 123.0), (1.0,), True)
HALVES = Pixels((127.5,), (255.0,))
BLUE_FIRST = Pixels(IMAGENET.mean, IMAGENET.deviation, True)
HALF = {"mean": "[0.5]", "std": "[0.5]"}


def network(channels: int = 3, *, planar: bool = True):
    shape = Shape(16, 16, channels)
    builder = NetworkBuilder("net", [Input("x", shape, Layout(planar))])
    builder.add(Activate(Activation("relu")), [-1])
    return builder.finish()


@pytest.mark.parametrize(
    ("task", "hints", "pixels", "fit"),
    [
        (Task("detect", "columns", 80), Hints(), Pixels(), "letterbox"),
        (Task("detect", "grid_rows", 80), Hints(), Pixels((0.0,), (1.0,), True), "corner"),
        (Task("detect", "pairs", 2), Hints("RFB"), Pixels((127.0,), (128.0,)), "stretch"),
        (Task("image"), Hints(), Pixels(), "pad"),
        (Task("image"), Hints(opening=("Div", 255.0)), Pixels((0.0,), (1.0,)), "pad"),
        (Task("detect", "yolo2_map"), Hints("yolo", opening=("Mul", 1 / 255)), RAW, "letterbox"),
        (Task("detect", "yolo2_map"), Hints("yolo"), Pixels(), "letterbox"),
        (Task("image"), Hints("zero_dce", endings=frozenset({"Add", "Tanh"})), Pixels(), "pad"),
        (Task("image"), Hints(opening=("Mul", 2.0)), Pixels(), "pad"),
        (ARRAYS, Hints(metadata=HALF), Pixels((127.5,), (127.5,)), "stretch"),
        (Task("image"), Hints(endings=frozenset({"Tanh"})), Pixels((127.5,), (127.5,)), "pad"),
        (
            Task("image"),
            Hints(operators=frozenset({"InstanceNormalization"})),
            Pixels((0.0,), (1.0,)),
            "pad",
        ),
        (Task("classify"), Hints(opening=("Sub", 0.485)), Pixels(), "crop"),
        (Task("classify"), Hints(opening=("Sub", 127.5)), RAW, "crop"),
        (Task("classify"), Hints(opening=("BatchNormalization", 0.45)), Pixels(), "crop"),
        (Task("classify"), Hints(opening=("BatchNormalization", 120.0)), RAW, "crop"),
        (Task("classify"), Hints(opening=("BatchNormalization", 0.01)), IMAGENET, "crop"),
        (Task("segment"), Hints(takes_bytes=True), RAW, "stretch"),
        (Task("detect", "pairs", 80), Hints(), Pixels(), "letterbox"),
        (Task("detect", "distances", 1), Hints(), Pixels((127.5,), (128.0,)), "corner"),
        (Task("detect", "yunet", 1), Hints(), Pixels((0.0,), (1.0,), True), "corner"),
        (Task("detect", "bin_lists", 10), Hints(words="paddle"), IMAGENET, "stretch"),
        (Task("detect", "rows", 80), Hints("yolov6n"), Pixels(), "letterbox"),
        (Task("detect", "grid_rows", 80), Hints("yolov6n"), Pixels(), "letterbox"),
        (Task("points", "peaks"), Hints(), IMAGENET, "stretch"),
        (Task("classify"), Hints("onnx-caffe2"), CAFFE, "crop"),
        (Task("classify"), Hints("open_nsfw"), CAFFE, "crop"),
        (Task("segment"), Hints("isnet-general-use"), HALVES, "stretch"),
        (Task("segment"), Hints("u2netp"), IMAGENET, "stretch"),
        (Task("segment"), Hints("ch_PP-OCRv4_det_infer"), BLUE_FIRST, "stretch"),
    ],
)  # fmt: skip
def test_pictures_enter_as_others_feed_such_networks(task, hints, pixels, fit) -> None:
    found = prepared(network(), task, hints)
    assert (found.pixels, found.fit) == (pixels, fit)
    assert found.because
    assert (found.fill == YOLO_GREY) == (fit in ("letterbox", "corner"))


def test_classifiers_see_imagenets_mean_and_those_of_tensorflow_one_around_zero() -> None:
    task = Task("classify", classes=1000)
    found = prepared(network(), task, Hints())
    assert found.pixels.mean == (123.675, 116.28, 103.53) and found.fit == "crop"
    assert prepared(network(planar=False), task, Hints()).pixels == Pixels((127.5,), (127.5,))
    assert prepared(network(1), task, Hints("mnist")).pixels == Pixels((0.0,), (1.0,))


def test_masks_beside_what_they_were_made_of_are_of_isnet() -> None:
    builder = NetworkBuilder("net", [Input("x", Shape(16, 16, 3))])
    masks = [builder.add(Convolution(1, Sliding.square(1)), [-1]) for _ in range(6)]
    features = [builder.add(Convolution(64, Sliding.square(1)), [-1]) for _ in range(6)]
    made = builder.finish({each: Layout() for each in (*masks, *features)})
    found = prepared(made, Task("segment", classes=1), Hints())
    assert found.pixels == HALVES and "IS-Net" in found.because


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'cat', 1: 'dog'}", ("cat", "dog")),
        ("['cat', 'dog']", ("cat", "dog")),
        ("{'1': 'dog', '0': 'cat'}", ("cat", "dog")),
        ("cat\ndog", ("cat", "dog")),
        ("{0: 'cat', 2: 'dog'}", ()),
        ("{0: 'cat', 1: 7}", ()),
        ("__import__('os').getcwd()", ()),
        ("[" * 5000, ()),
        ("['x'] " + " " * (1 << 17), ()),
        ("", ()),
    ],
)
def test_names_in_metadata_are_data_and_nothing_else(text, names) -> None:
    assert names_inside(Hints(metadata={"names": text})) == names


@pytest.mark.parametrize(
    ("text", "size"),
    [("[640, 480]", (640, 480)), ("320", (320, 320)), ("[0, 9]", None), ("[1.5, 2]", None),
     ("[1, 2, 3]", None), ("[99999, 9]", None), ("", None), ("True", None)],
)  # fmt: skip
def test_sizes_in_metadata(text, size) -> None:
    assert size_inside(Hints(metadata={"imgsz": text})) == size
    assert known_size(Hints("ppocr2_cls")) == (48, 192) and known_size(Hints(text)) is None
