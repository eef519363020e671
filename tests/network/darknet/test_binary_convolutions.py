"""Binary convolutions (xnor=1) against Darknet's bits, written out in float64."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from ftdist import Session
from ftdist import plan as make_plan
from ftdist.network.darknet.importer import DarknetModel, parse_cfg
from ftdist.network.darknet.weights import read_weights, weights_bytes
from ftdist.network.modelfile import load, write_model
from ftdist.network.operators.base import Activation

TEXT = (
    "[net]\nheight=7\nwidth=6\nchannels=3\n"
    "[conv]\nfilters=5\nactivation=linear\n"
    "[conv]\nxnor=1\nbin_output=1\nfilters=4\nsize=3\npad=1\nbatch_normalize={norm}\n"
    "activation=linear\n"
    "[shortcut]\nfrom=-1\n"
    "[route]\nlayers=-1,1\n"
    "[conv]\nxnor=1\nfilters=3\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
)


def binary(picture: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """A convolution of signs; beside the map Darknet's bits are unset, which means -1."""
    signs = np.where(picture > 0, 1.0, -1.0)
    padded = np.pad(signs, ((0, 0), (1, 1), (1, 1)), constant_values=-1.0)
    magnitude = np.abs(weights).mean(axis=(1, 2, 3))
    own = np.where(weights > 0, 1.0, -1.0) * magnitude[:, None, None, None]
    rows, columns = (-(-size // stride) for size in picture.shape[1:])
    result = np.zeros((len(weights), rows, columns))
    for y, x in np.ndindex(rows, columns):
        window = padded[:, y * stride : y * stride + 3, x * stride : x * stride + 3]
        result[:, y, x] = np.tensordot(own, window, axes=3)
    return result


@pytest.mark.parametrize("norm", [0, 1])
def test_signs_are_convolved_as_by_darknet(tmp_path: Path, norm: int) -> None:
    model: DarknetModel = parse_cfg(TEXT.format(norm=norm), "signs")
    assert [layer.name for layer in model.network.layers] == [
        "convolutional0",
        "signs1",
        "convolutional1",
        "shortcut2",
        "route3",
        "signs4",
        "convolutional4",
    ]
    assert any("takes a layer more" in remark for remark in model.remarks)
    generator = np.random.default_rng(2)
    values = generator.normal(0, 1, weights_bytes(model) // 4).astype("<f4")
    first, scaling = 5 + 15, 4 + 4 * 3 * norm
    if norm:
        values[first + 12 : first + 16] = np.abs(values[first + 12 : first + 16]) + 0.5
    path = tmp_path / "signs.weights"
    path.write_bytes(struct.pack("<3iQ", 0, 2, 5, 0) + values.tobytes())
    write_model(tmp_path / "signs.ftd", model.network, read_weights(model, path))
    picture = generator.normal(0, 1, (3, 7, 6)).astype(np.float32)
    opened = load(tmp_path / "signs.ftd")
    with Session(opened, make_plan(opened, threads=1)) as session:
        (found,) = session.run(picture).values()

    every = values.astype(np.float64)
    mixed = np.tensordot(every[5:first].reshape(5, 3), picture.astype(np.float64), axes=1)
    mixed += every[:5, None, None]
    vectors = every[first : first + scaling].reshape(-1, 4)
    weights = every[first + scaling :][:180].reshape(4, 5, 3, 3)
    second = binary(mixed, weights, 1)
    if norm:
        _, scale, mean, variance = vectors[:, :, None, None]
        second = (second - mean) / np.sqrt(variance + 1e-5) * scale
    second += vectors[0][:, None, None]
    joined = np.concatenate([2 * second, second])
    rest = every[first + scaling + 180 :]
    expected = binary(joined, rest[3:].reshape(3, 8, 3, 3), 2) + rest[:3, None, None]
    expected = np.where(expected > 0, expected, 0.1 * expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_what_is_zero_is_not_above_zero(tmp_path: Path) -> None:
    model = parse_cfg(
        "[net]\nheight=1\nwidth=3\nchannels=1\n"
        "[conv]\nxnor=1\nfilters=1\nsize=1\nactivation=linear\n",
        "zero",
    )
    path = tmp_path / "zero.weights"
    path.write_bytes(struct.pack("<3iQ2f", 0, 2, 5, 0, 0.25, 2.0))
    write_model(tmp_path / "zero.ftd", model.network, read_weights(model, path))
    opened = load(tmp_path / "zero.ftd")
    with Session(opened, make_plan(opened, threads=1)) as session:
        (found,) = session.run(np.array([[[0.0, 1e-12, -3.0]]], np.float32)).values()
    assert found.ravel() == pytest.approx([-1.75, 2.25, -1.75], rel=1e-6)


@pytest.mark.parametrize(
    ("rest", "kept"),
    [
        ("[conv]\nactivation=relu\n", False),
        ("[maxpool]\nsize=2\n[route]\nlayers=1\n", False),
        ("[maxpool]\nsize=2\n[route]\nlayers=-1,0\n", True),
        ("[conv]\nfilters=4\n[shortcut]\nfrom=-2\n", True),
        ("[activation]\nactivation=linear\n[sam]\nfrom=0\n", True),
        ("[shortcut]\nfrom=-1\n", True),
    ],
)
def test_a_convolution_of_which_only_signs_go_on_has_no_activation(rest: str, kept: bool) -> None:
    """calculate_binary_weights and use_bin_output in parser.c."""
    text = "[net]\nheight=6\nwidth=6\nchannels=4\n"
    text += "[conv]\nxnor=1\nbin_output=1\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"
    network = parse_cfg(text + rest, "n").network
    (convolution,) = [each for each in network.layers if each.name == "convolutional0"]
    activation = getattr(convolution.operation, "activation", None)
    assert activation == Activation("leaky" if kept else "linear")
    only_asked = parse_cfg(text.replace("xnor=1", "xnor=0") + rest, "n").network.layers[0]
    assert getattr(only_asked.operation, "activation", None) == Activation("leaky")
