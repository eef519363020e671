"""Convolutions and pools with antialiasing, against Darknet's blur in float64."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from ftdist import Session
from ftdist import plan as make_plan
from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.darknet.weights import read_weights, weights_bytes
from ftdist.network.modelfile import load, write_model

TEXT = (
    "[net]\nheight=9\nwidth=8\nchannels=3\n"
    "[conv]\nfilters=4\nsize=3\npad=1\nstride=2\nantialiasing={kind}\nbatch_normalize=1\n"
    "activation=leaky\n"
    "[route]\nlayers=-1\n"
    "[max]\nsize=2\nstride=2\nantialiasing={kind}\n"
    "[route]\nlayers=-1,2\n"
)


def blurred(maps: np.ndarray, kind: int) -> np.ndarray:
    """A depthwise convolution of stride 2 with constant weights, as Darknet appends it."""
    taps = np.ones(2) / 2 if kind == 2 else np.array([1, 2, 1]) / 4
    padding = 0 if kind == 2 else 1
    padded = np.pad(maps, ((0, 0), (padding, padding), (padding, padding)))
    kernel, size = np.outer(taps, taps), len(taps)
    rows, columns = ((length - size) // 2 + 1 for length in padded.shape[1:])
    result = np.zeros((len(maps), rows, columns))
    for y, x in np.ndindex(rows, columns):
        window = padded[:, 2 * y : 2 * y + size, 2 * x : 2 * x + size]
        result[:, y, x] = (window * kernel).sum(axis=(1, 2))
    return result


@pytest.mark.parametrize("kind", [1, 2])
def test_strides_are_those_of_the_blur_behind(tmp_path: Path, kind: int) -> None:
    model = parse_cfg(TEXT.format(kind=kind), "blur")
    assert [layer.name for layer in model.network.layers] == [
        "sharp0",
        "convolutional0",
        "route1",
        "sharp2",
        "maxpool2",
        "route3",
    ]
    assert any("antialiasing: takes a layer more" in remark for remark in model.remarks)
    generator = np.random.default_rng(4)
    values = generator.uniform(0.1, 1, weights_bytes(model) // 4).astype("<f4")
    assert len(values) == 4 * 4 + 4 * 27
    path = tmp_path / "blur.weights"
    path.write_bytes(struct.pack("<3iQ", 0, 2, 5, 0) + values.tobytes())
    write_model(tmp_path / "blur.ftd", model.network, read_weights(model, path))
    picture = generator.normal(0, 1, (3, 9, 8)).astype(np.float32)
    opened = load(tmp_path / "blur.ftd")
    with Session(opened, make_plan(opened, threads=1)) as session:
        (found,) = session.run(picture).values()

    bias, scale, mean, variance = values[:16].astype(float).reshape(4, 4)[:, :, None, None]
    weights = values[16:].astype(float).reshape(4, 3, 3, 3)
    padded = np.pad(picture.astype(float), ((0, 0), (1, 1), (1, 1)))
    sums = np.zeros((4, 9, 8))
    for y, x in np.ndindex(9, 8):
        sums[:, y, x] = np.tensordot(weights, padded[:, y : y + 3, x : x + 3], axes=3)
    sums = (sums - mean) / np.sqrt(variance + 1e-5) * scale + bias
    first = blurred(np.where(sums > 0, sums, 0.1 * sums), kind)
    right = np.pad(first, ((0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    pooled = np.maximum(right[:, :-1], right[:, 1:])
    pooled = blurred(np.maximum(pooled[:, :, :-1], pooled[:, :, 1:]), kind)
    expected = np.concatenate([pooled, pooled])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
