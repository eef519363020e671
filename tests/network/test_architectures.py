"""The built-in architectures, held against published sizes."""

from __future__ import annotations

import pytest

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.architectures import load, names
from ftdist.network.darknet.weights import weights_bytes
from ftdist.network.graph import Network, weighted_layers
from ftdist.network.heads import RegionHead, YoloHead
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.resampling import Reorg


def gflop(network: Network) -> float:
    """Two operations a multiply-accumulate, as Darknet counts."""
    macs = (
        network.macs(number) * layer.shape.height * layer.shape.width
        for number, layer in enumerate(network.layers)
    )
    return 2e-9 * sum(macs)


@pytest.mark.parametrize(
    ("name", "layers", "convolutional", "operations", "parameters", "outputs"),
    [
        ("darknet19", 25, 19, 7.29, 20_856_776, [(1, 1, 1000)]),
        ("vgg16", 18, 13, 30.69, 14_714_688, [(7, 7, 512)]),
        ("yolov2", 32, 23, 62.94, 50_983_561, [(19, 19, 425)]),
        ("yolov2-first16", 16, 12, 26.00, 3_429_344, [(38, 38, 256)]),
        ("yolov2-tiny", 16, 9, 5.41, 11_237_145, [(13, 13, 425)]),
        ("yolov3-tiny", 24, 13, 5.56, 8_858_734, [(13, 13, 255), (26, 26, 255)]),
    ],
)
def test_sizes_are_the_published_ones(
    name, layers, convolutional, operations, parameters, outputs
) -> None:
    model = load(name)
    network = model.network
    assert network.name == name
    assert len(network.layers) == layers
    assert len(weighted_layers(network)) == convolutional
    assert gflop(network) == pytest.approx(operations, abs=0.006)
    assert weights_bytes(model) == 4 * parameters
    assert [network.shape(number) for number in network.outputs] == outputs


def test_every_architecture_loads() -> None:
    assert set(names()) == {
        "darknet19",
        "vgg16",
        "yolov2",
        "yolov2-first16",
        "yolov2-tiny",
        "yolov3-tiny",
    }
    for name in names():
        load(name)


def test_maps_of_the_first_16_layers() -> None:
    """MiB of each layer's input and output, as measured in the literature."""
    network = load("yolov2-first16").network
    found = [
        (
            round(network.shape(layer.inputs[0]).bytes / 2**20, 1),
            round(layer.shape.bytes / 2**20, 1),
        )
        for layer in network.layers
    ]
    assert [found[number] for number in (0, 1, 2, 3, 7, 11)] == [
        (4.2, 45.1),
        (45.1, 11.3),
        (11.3, 22.6),
        (22.6, 5.6),
        (11.3, 2.8),
        (5.6, 1.4),
    ]
    assert [output for _, output in found[4:7]] == [11.3, 5.6, 11.3]
    assert [output for _, output in found[8:11]] == [5.6, 2.8, 5.6]
    assert [output for _, output in found[12:]] == [2.8, 1.4, 2.8, 1.4]


def test_the_first_16_layers_are_yolov2s() -> None:
    whole, first = load("yolov2"), load("yolov2-first16")
    assert first.network.layers == whole.network.until(15).layers
    assert first.normalized == {number for number in whole.normalized if number < 16}


def test_yolov2s_passthrough() -> None:
    layers = load("yolov2").network.layers
    assert layers[25].inputs == (16,)
    assert layers[26].inputs == (25,)
    assert layers[27].operation == Reorg(2, "darknet")
    assert layers[28].operation == Concatenate()
    assert layers[28].inputs == (27, 24)
    assert layers[28].shape == Shape(19, 19, 256 + 1024)
    head = layers[31].operation
    assert isinstance(head, RegionHead)
    assert head.softmax
    assert (len(head.anchors), head.classes) == (5, 80)


def test_yolov3_tinys_heads_share_the_anchors() -> None:
    layers = load("yolov3-tiny").network.layers
    heads = [layer.operation for layer in layers if isinstance(layer.operation, YoloHead)]
    assert [head.mask for head in heads] == [(3, 4, 5), (0, 1, 2)]
    assert heads[0].anchors == heads[1].anchors
    assert layers[20].inputs == (19, 8)


def test_an_unknown_name_is_met_with_the_closest() -> None:
    with pytest.raises(
        InputError, match=r"no built-in architecture 'yolo2'; did you mean yolov2\?"
    ):
        load("yolo2")
    with pytest.raises(InputError, match="known are darknet19, vgg16, yolov2"):
        load("../../cfg")
