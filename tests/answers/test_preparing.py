"""What is guessed of how pictures enter a network, and what its files say of names."""

from __future__ import annotations

import pytest

from ftdist.answers.preparing import YOLO_GREY, names_inside, prepared
from ftdist.geometry import Shape
from ftdist.network.graph import NetworkBuilder
from ftdist.network.operators.base import Activation
from ftdist.network.operators.channels import Activate
from ftdist.network.ports import Input, Layout, Pixels
from ftdist.network.source import Hints
from ftdist.network.task import ARRAYS, Task

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
        (Task("image"), Hints(opening=("Mul", 2.0)), Pixels(), "pad"),
        (ARRAYS, Hints(metadata=HALF), Pixels((127.5,), (127.5,)), "stretch"),
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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'cat', 1: 'dog'}", ("cat", "dog")),
        ("['cat', 'dog']", ("cat", "dog")),
        ("{'1': 'dog', '0': 'cat'}", ("cat", "dog")),
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
