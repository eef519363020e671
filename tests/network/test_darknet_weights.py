"""Darknet .weights files: headers, order, batch norm, and files that do not fit."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.network.darknet import parse_cfg, read_cfg
from ftdist.network.darknet_weights import read_weights, weights_bytes

MODEL = parse_cfg(
    "[net]\nheight=8\nwidth=8\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\n"
    "[maxpool]\nstride=2\n"
    "[convolutional]\nbatch_normalize=1\nfilters=4\ngroups=2\nsize=3\npad=1\n"
    "[convolutional]\nfilters=5\n",
    "small",
)
SHAPES = {0: (4, 3, 3, 3), 2: (4, 2, 3, 3), 3: (5, 4, 1, 1)}
FLOATS = {0: 4 * 4 + 4 * 27, 2: 4 * 4 + 4 * 18, 3: 5 + 5 * 4}
HEADER = struct.pack("<3iQ", 0, 2, 5, 1 << 40)


def random_floats(seed: int = 0) -> np.ndarray:
    """All values of the file; positive, so that any of them can be a variance."""
    generator = np.random.default_rng(seed)
    return generator.uniform(0.1, 2.0, sum(FLOATS.values())).astype("<f4")


def write(path: Path, content: bytes) -> Path:
    file = path / "small.weights"
    file.write_bytes(content)
    return file


def failure(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_weights(MODEL, path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def slowly_folded(values: np.ndarray):
    """What each layer should be, by the formula of batch norm, one weight at a time."""
    position = 0

    def take(count: int) -> list[float]:
        nonlocal position
        position += count
        return [float(value) for value in values[position - count : position]]

    for number, shape in SHAPES.items():
        filters = shape[0]
        bias = take(filters)
        scale, mean, variance = [1.0] * filters, [0.0] * filters, [1.0 - 1e-5] * filters
        if number in MODEL.normalized:
            scale, mean, variance = take(filters), take(filters), take(filters)
        root = np.sqrt(np.array(variance) + 1e-5)
        weights = np.array(take(int(np.prod(shape)))).reshape(shape)
        for index in range(filters):
            weights[index] = weights[index] * (scale[index] / root[index])
            bias[index] = bias[index] - mean[index] * (scale[index] / root[index])
        yield number, weights.astype(np.float32), np.array(bias, np.float32)


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        struct.pack("<3iI", 0, 1, 0, 7),
        struct.pack("<3iQ", 1, 0, 0, 7),
        struct.pack("<3iI", 1001, 0, 0, 7),
        struct.pack("<3iI", 0, 1002, 0, 7),
    ],
)
def test_every_header_and_the_order_of_values(tmp_path, header):
    values = random_floats()
    read = list(read_weights(MODEL, write(tmp_path, header + values.tobytes())))
    expected = list(slowly_folded(values))
    assert [each.layer for each in read] == [number for number, _, _ in expected]
    for found, (_, weights, bias) in zip(read, expected, strict=True):
        assert found.weights.dtype == found.bias.dtype == np.float32
        np.testing.assert_array_max_ulp(found.weights, weights, 1)
        np.testing.assert_array_max_ulp(found.bias, bias, 1)


def test_layers_without_batch_norm_are_untouched(tmp_path):
    values = random_floats()
    last = list(read_weights(MODEL, write(tmp_path, HEADER + values.tobytes())))[-1]
    stored = values[-FLOATS[3] :]
    assert np.array_equal(last.bias, stored[:5])
    assert np.array_equal(last.weights, stored[5:].reshape(SHAPES[3]))


def test_size_of_the_model():
    assert weights_bytes(MODEL) == 4 * sum(FLOATS.values())


@given(st.integers(0, sum(FLOATS.values()) * 4 - 1))
def test_a_truncated_file_is_refused_at_the_layer_where_it_ends(tmp_path_factory, kept_bytes):
    content = HEADER + random_floats().tobytes()[:kept_bytes]
    spans, end = [], len(HEADER)
    for number, floats in FLOATS.items():
        spans.append((number, end, end := end + 4 * floats))
    number, start, end = next(span for span in spans if span[2] > len(content))
    path = write(tmp_path_factory.mktemp("cut"), content)
    with pytest.raises(InputError) as caught:
        read_weights(MODEL, path)  # before anything is yielded
    assert str(caught.value) == (
        f"{path}: ends within layer {number} (convolutional{number}), which needs bytes "
        f"{start} to {end}; the file has {len(content)}, and small needs 968"
    )


def test_bytes_left_over_are_counted(tmp_path):
    path = write(tmp_path, HEADER + random_floats().tobytes() + bytes(12))
    assert "12 bytes are left after the last layer of small, which needs 968" in failure(path)


def test_files_that_are_no_weights(tmp_path):
    assert "cannot be read: No such file" in failure(tmp_path / "absent.weights")
    assert "cannot be read: Is a directory" in failure(tmp_path)
    assert "0 bytes are too few" in failure(write(tmp_path, b""))
    assert "11 bytes are too few" in failure(write(tmp_path, bytes(11)))
    assert "ends within layer 0 (convolutional0)" in failure(write(tmp_path, HEADER[:15]))


@pytest.mark.parametrize("position", [0, 4, 8, 12, 16, FLOATS[0] - 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, position, value):
    """Infinite variances are the exception: they fold to a weight of zero."""
    values = random_floats()
    values[position] = value
    path = write(tmp_path, HEADER + values.tobytes())
    if position == 12 and value == np.inf:
        assert not next(read_weights(MODEL, path)).weights[0].any()
    else:
        assert "layer 0 (convolutional0) has weights that are not finite" in failure(path)


def test_a_negative_variance_is_refused(tmp_path):
    values = random_floats()
    values[12] = -1.0
    assert "layer 0" in failure(write(tmp_path, HEADER + values.tobytes()))


def test_until_reads_the_first_layers_of_a_file_for_all(tmp_path):
    path = write(tmp_path, HEADER + random_floats().tobytes())
    assert [each.layer for each in read_weights(MODEL, path, last=0)] == [0]
    assert [each.layer for each in read_weights(MODEL, path, last=1)] == [0]
    assert [each.layer for each in read_weights(MODEL, path, last=2)] == [0, 2]
    assert [each.layer for each in read_weights(MODEL, path, last=3)] == [0, 2, 3]
    with pytest.raises(InputError, match="layer 4 does not exist"):
        read_weights(MODEL, path, last=4)
    with pytest.raises(InputError, match="ends within layer 3"):
        short = write(tmp_path, HEADER + random_floats().tobytes()[:-4])
        read_weights(MODEL, short, last=0)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = write(tmp_path, HEADER + random_floats().tobytes())
    reading = read_weights(MODEL, path)
    path.write_bytes(HEADER)
    with pytest.raises(InputError, match=r"layer 0 \(convolutional0\) is cut off"):
        next(reading)


def test_only_one_layer_is_held(tmp_path):
    layers, channels = 4, 768
    section = f"[convolutional]\nbatch_normalize=1\nfilters={channels}\n"
    model = parse_cfg(f"[net]\nheight=1\nwidth=1\nchannels={channels}\n" + section * layers, "big")
    path = write(tmp_path, HEADER + np.ones(weights_bytes(model) // 4, "<f4").tobytes())
    reading = read_weights(model, path)
    tracemalloc.start()
    try:
        for _ in range(layers):
            next(reading)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1.5 * weights_bytes(model) / layers


def test_folding_gives_the_weights_of_the_onnx_conversion(shared_models):
    """The converter folded too, in float32: all agree to its rounding, which 1e-6 would not."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(shared_models / "yolo-fastest-1.1-xl.onnx").graph
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    expected = [node.input[1:] for node in graph.node if node.op_type == "Conv"]
    model = read_cfg(shared_models / "yolo-fastest-1.1-xl.cfg")
    read = list(read_weights(model, shared_models / "yolo-fastest-1.1-xl.weights"))
    assert len(read) == len(expected) == 84
    for found, (weights, bias) in zip(read, expected, strict=True):
        for ours, theirs in ((found.weights, stored[weights]), (found.bias, stored[bias])):
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() <= 2e-7 * np.abs(theirs).max()
