"""Darknet .cfg files as networks: what each section becomes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ftdist.geometry import Shape, Span, Window
from ftdist.network.darknet.importer import parse_cfg, read_cfg
from ftdist.network.darknet.layers import pool_window
from ftdist.network.graph import INPUT
from ftdist.network.heads import RegionHead, YoloHead
from ftdist.network.operators.base import Activation, Identity, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Add, Concatenate
from ftdist.network.operators.resampling import Reorg, Upsample
from ftdist.network.operators.windows import Convolution, Pool

NET = "[net]\nheight=12\nwidth=16\nchannels=8\n"

CONV7, CONV14 = "[conv]\nfilters=7\n", "[conv]\nfilters=14\n"


def layers(text: str):
    return parse_cfg(NET + text, "small").network.layers


def operation(text: str):
    return layers(text)[-1].operation


def test_numbers_names_and_wiring_are_darknets() -> None:
    network = parse_cfg(
        "[network]\nwidth=16\nheight=12\nchannels=8\nbatch=64\nsteps=1\nsteps=2\n"
        "[conv]\nbatch_normalize=1\nfilters=4\n"
        "[conv]\nfilters=4\n"
        "[dropout]\n"
        "[shortcut]\nfrom=-3\nactivation=leaky\n"
        "[route]\nlayers=-1, 1\n"
        "[max]\nsize=2\nstride=2\n",
        "small",
    ).network
    assert [layer.name for layer in network.layers] == [
        "convolutional0",
        "convolutional1",
        "dropout2",
        "shortcut3",
        "route4",
        "maxpool5",
    ]
    assert [layer.inputs for layer in network.layers] == [
        (INPUT,),
        (0,),
        (1,),
        (2, 0),
        (3, 1),
        (4,),
    ]
    assert [layer.shape for layer in network.layers[-2:]] == [Shape(12, 16, 8), Shape(6, 8, 8)]
    assert network.input == Shape(12, 16, 8)
    assert network.outputs == (5,)


def test_only_batch_normalized_convolutions_are_normalized() -> None:
    sections = ("[conv]\n", "[dropout]\n", "[conv]\nbatch_normalize=1\n", "[conv]\ncbn=1\n")
    model = parse_cfg(NET + "".join(sections) + "[conv]\nbatch_normalize=0\n", "small")
    assert model.normalized == {2, 3}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", Convolution(1, Sliding.square(1), activation=Activation("logistic"))),
        (
            "filters=4\nsize=3\nstride=2\npad=1\nactivation=leaky",
            Convolution(4, Sliding.square(3, 2, 1), activation=Activation("leaky", 0.1)),
        ),
        (
            "size=5\npadding=1\nactivation=relu",
            Convolution(1, Sliding.square(5, padding=1), activation=Activation("relu")),
        ),
        (
            "size=5\npad=1\npadding=1\nactivation=mish",
            Convolution(1, Sliding.square(5, padding=2), activation=Activation("mish")),
        ),
        (
            "filters=16\ngroups=8\nsize=3\nstride=3\nstride_x=2\npad=1\nactivation=linear",
            Convolution(16, Sliding(Window(3, 3, 1, 1, 1), Window(3, 2, 1, 1, 1)), groups=8),
        ),
        (
            "size=3\npad=1\ndilation=2\nactivation=linear",
            Convolution(1, Sliding.square(3, padding=2, dilation=2)),
        ),
        ("size=1\ndilation=3\nactivation=linear", Convolution(1, Sliding.square(1))),
    ],
)
def test_convolution(options, expected) -> None:
    assert operation(f"[convolutional]\n{options}\n") == expected


@pytest.mark.parametrize(
    ("text", "expected", "shape"),
    [
        ("[upsample]\n", Upsample(2), (24, 32, 8)),
        ("[upsample]\nstride=3\nscale=1.0\n", Upsample(3), (36, 48, 8)),
        ("[reorg]\nstride=2\n", Reorg(2, "darknet"), (6, 8, 32)),
        ("[reorg3d]\nstride=2\n", Reorg(2, "blocks"), (6, 8, 32)),
        ("[dropout]\nprobability=.5\n", Identity(), (12, 16, 8)),
        ("[activation]\nactivation=swish\n", Activate(Activation("swish")), (12, 16, 8)),
        ("[avgpool]\n", Pool("average", Sliding(Window(12), Window(16))), (1, 1, 8)),
        (
            "[local_avgpool]\nsize=3\nstride=1\n",
            Pool("average", Sliding.square(3, padding=1)),
            (12, 16, 8),
        ),
        ("[maxpool]\nstride=2\n", Pool("max", Sliding.square(2, 2)), (6, 8, 8)),
        (
            "[maxpool]\nsize=2\nstride=1\n",
            Pool("max", Sliding(Window(2, pad_after=1), Window(2, pad_after=1))),
            (12, 16, 8),
        ),
        (
            "[maxpool]\nsize=2\nstride_x=1\nstride_y=2\n",
            Pool("max", Sliding(Window(2, 2), Window(2, pad_after=1))),
            (6, 16, 8),
        ),
        ("[maxpool]\nsize=5\nstride=1\n", Pool("max", Sliding.square(5, padding=2)), (12, 16, 8)),
        ("[maxpool]\nsize=13\nstride=1\n", Pool("max", Sliding.square(13, padding=6)), (12, 16, 8)),
        (
            "[conv]\nfilters=4\n[route]\nlayers=0\ngroups=2\ngroup_id=1\n",
            Concatenate(parts=2, part=1),
            (12, 16, 2),
        ),
        ("[conv]\nfilters=8\n[shortcut]\nfrom=-1\n", Add(), (12, 16, 8)),
        (
            f"{CONV14}[region]\nanchors=1,2, .5,3, 9,9\nnum=2\nclasses=2\nsoftmax=1\n",
            RegionHead(((1.0, 2.0), (0.5, 3.0)), 2, softmax=True),
            (12, 16, 14),
        ),
        (
            f"{CONV7}[yolo]\nanchors=10,20, 30,40\nmask=1\nclasses=2\nscale_x_y=1.05\n",
            YoloHead(((10.0, 20.0), (30.0, 40.0)), (1,), 2, scale_xy=1.05),
            (12, 16, 7),
        ),
        (
            f"{CONV14}[yolo]\nanchors=10,20, 30,40\nnum=2\nclasses=2\n",
            YoloHead(((10.0, 20.0), (30.0, 40.0)), (0, 1), 2),
            (12, 16, 14),
        ),
    ],
)
def test_other_sections(text, expected, shape) -> None:
    layer = layers(text)[-1]
    assert layer.operation == expected
    assert layer.shape == shape


@settings(max_examples=300)
@given(st.integers(1, 20), st.integers(1, 7), st.integers(1, 5), st.none() | st.integers(0, 9))
def test_pooling_reads_what_darknets_reads(length, size, stride, padding) -> None:
    """Against the loop of Darknet's forward_maxpool_layer on one axis."""
    padding = size - 1 if padding is None else padding
    assume(length + padding >= size)
    read = [
        [at for n in range(size) if 0 <= (at := -(padding // 2) + i * stride + n) < length]
        for i in range((length + padding - size) // stride + 1)
    ]
    window = pool_window(length, size, stride, padding)
    assert window.output_size(length) == len(read)
    for i, positions in enumerate(read):
        span = window.receptive(Span(i, i + 1)).clipped(length)
        assert list(range(*span)) == positions
    last = window.receptive(Span(len(read) - 1, len(read)))
    assert window.pad_after == max(0, last.stop - length), "padding that nothing reads"


def test_yolo_fastest_is_what_its_authors_say(shared_models) -> None:
    model = read_cfg(shared_models / "yolo-fastest-1.1-xl.cfg")
    network = model.network
    assert network.name == "yolo-fastest-1.1-xl"
    assert network.input == Shape(320, 320, 3)
    counts = Counter(layer.operation.kind for layer in network.layers)
    assert counts == {
        "convolutional": 84,
        "identity": 18,
        "add": 18,
        "concatenate": 5,
        "pool": 3,
        "yolo": 2,
        "upsample": 1,
    }
    depthwise = [
        layer.operation.is_depthwise(network.shape(layer.inputs[0]))
        for layer in network.layers
        if isinstance(layer.operation, Convolution)
    ]
    assert sum(depthwise) == 28
    assert len(model.normalized) == 82
    assert [network.shape(number) for number in network.outputs] == [(10, 10, 255), (20, 20, 255)]


def test_yolo_fastest_is_the_network_of_its_onnx_conversion(shared_models) -> None:
    onnx = pytest.importorskip("onnx")
    network = read_cfg(shared_models / "yolo-fastest-1.1-xl.cfg").network
    model = onnx.shape_inference.infer_shapes(
        onnx.load(shared_models / "yolo-fastest-1.1-xl.onnx"), strict_mode=True
    )
    shapes = {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in (*model.graph.value_info, *model.graph.output)
    }
    expected = []
    for node in model.graph.node:
        if node.op_type in ("Conv", "MaxPool"):
            given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            _, channels, height, width = shapes[node.output[0]]
            layout = (given["kernel_shape"], given.get("strides", [1, 1]), given["pads"])
            expected.append((*layout, given.get("group", 1), (height, width, channels)))
    found = []
    for layer in network.layers:
        if isinstance(layer.operation, Convolution | Pool):
            axes = (layer.operation.window.vertical, layer.operation.window.horizontal)
            pads = [axis.pad_before for axis in axes] + [axis.pad_after for axis in axes]
            layout = ([axis.kernel for axis in axes], [axis.stride for axis in axes], pads)
            found.append((*layout, getattr(layer.operation, "groups", 1), layer.shape))
    assert found == expected
