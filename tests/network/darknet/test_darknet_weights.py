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
from ftdist.network.darknet.importer import parse_cfg, read_cfg
from ftdist.network.darknet.weights import read_weights, weights_bytes

TEXT = (
    "[net]\nheight=8\nwidth=8\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\n"
    "[maxpool]\nstride=2\n"
    "[convolutional]\nbatch_normalize=1\nfilters=4\ngroups=2\nsize=3\npad=1\n"
    "[convolutional]\nfilters=5\n"
)
MODEL = parse_cfg(TEXT, "small")
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
def test_every_header_and_the_order_of_values(tmp_path, header) -> None:
    values = random_floats()
    read = list(read_weights(MODEL, write(tmp_path, header + values.tobytes())))
    expected = list(slowly_folded(values))
    assert [each.layer for each in read] == [number for number, _, _ in expected]
    for found, (_, weights, bias) in zip(read, expected, strict=True):
        assert found.weights.dtype == found.bias.dtype == np.float32
        np.testing.assert_array_max_ulp(found.weights, weights, 1)
        np.testing.assert_array_max_ulp(found.bias, bias, 1)


def test_layers_without_batch_norm_are_untouched(tmp_path) -> None:
    values = random_floats()
    last = list(read_weights(MODEL, write(tmp_path, HEADER + values.tobytes())))[-1]
    stored = values[-FLOATS[3] :]
    assert np.array_equal(last.bias, stored[:5])
    assert np.array_equal(last.weights, stored[5:].reshape(SHAPES[3]))


def test_size_of_the_model() -> None:
    assert weights_bytes(MODEL) == 4 * sum(FLOATS.values())


@given(st.integers(0, sum(FLOATS.values()) * 4 - 1))
def test_a_truncated_file_is_refused_at_the_layer_where_it_ends(
    tmp_path_factory, kept_bytes
) -> None:
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


def test_bytes_left_over_are_counted(tmp_path) -> None:
    path = write(tmp_path, HEADER + random_floats().tobytes() + bytes(12))
    assert "12 bytes are left after the last layer of small, which needs 968" in failure(path)


def test_files_that_are_no_weights(tmp_path) -> None:
    assert "cannot be read: No such file" in failure(tmp_path / "absent.weights")
    assert "cannot be read: Is a directory" in failure(tmp_path)
    assert "0 bytes are too few" in failure(write(tmp_path, b""))
    assert "11 bytes are too few" in failure(write(tmp_path, bytes(11)))
    assert "ends within layer 0 (convolutional0)" in failure(write(tmp_path, HEADER[:15]))


@pytest.mark.parametrize("position", [0, 4, 8, 12, 16, FLOATS[0] - 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, position, value) -> None:
    """Infinite variances are the exception: they fold to a weight of zero."""
    values = random_floats()
    values[position] = value
    path = write(tmp_path, HEADER + values.tobytes())
    if position == 12 and value == np.inf:
        assert not next(read_weights(MODEL, path)).weights[0].any()
    else:
        assert "layer 0 (convolutional0) has weights that are not finite" in failure(path)


def test_a_negative_variance_is_refused(tmp_path) -> None:
    values = random_floats()
    values[12] = -1.0
    assert "layer 0" in failure(write(tmp_path, HEADER + values.tobytes()))


def test_a_network_that_is_cut_reads_the_beginning_of_a_longer_file(tmp_path) -> None:
    path = write(tmp_path, HEADER + random_floats().tobytes() + b"more")
    whole = list(read_weights(MODEL, write(tmp_path, HEADER + random_floats().tobytes())))
    for last, layers in ((0, [0]), (1, [0]), (2, [0, 2]), (3, [0, 2, 3])):
        model = parse_cfg(TEXT + "[not\n", "small", until=last)
        read = list(read_weights(model, path))
        assert [each.layer for each in read] == layers
        assert all(np.array_equal(a.weights, b.weights) for a, b in zip(read, whole, strict=False))
    with pytest.raises(InputError, match=r"layer 4 does not exist: small has layers 0\.\.3"):
        parse_cfg(TEXT, "small", until=4)
    kept = write(tmp_path, HEADER + random_floats().tobytes()[: 4 * FLOATS[0]])
    assert len(list(read_weights(parse_cfg(TEXT, "small", until=1), kept))) == 1
    with pytest.raises(InputError, match="ends within layer 2"):
        read_weights(parse_cfg(TEXT, "small", until=2), kept)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 245\n",
            "git lfs pull",
        ),
        (
            b"\n<!DOCTYPE html><html><head>Virus scan warning",
            "is a web page; download the file itself",
        ),
        (b"<html>404", "is a web page; download the file itself"),
        (b"PK\x03\x04" + bytes(40), "is a zip archive"),
        (b"\x1f\x8b\x08" + bytes(40), "is a gzip archive"),
        (b"[net]\nwidth=3\nheight=3\n", "is text, not weights"),
        (struct.pack("<3iQ", -7, 2, 0, 0), "its version would be -7.2"),
    ],
)
def test_what_is_no_weights_file_is_told_by_its_beginning(tmp_path, start, message) -> None:
    assert message in failure(write(tmp_path, start))
    assert message in failure(write(tmp_path, start + b"x" * 4000))


def test_a_long_counter_whatever_the_version_says_is_told_by_the_files_size(tmp_path) -> None:
    header = struct.pack("<3iQ", 0, 0, 0, 7)
    values = random_floats()
    read = list(read_weights(MODEL, write(tmp_path, header + values.tobytes())))
    assert np.array_equal(read[-1].bias, values[-FLOATS[3] :][:5])


@pytest.mark.parametrize(("filters", "groups", "normalized"), [(7, 2, 1), (10, 4, 0), (2, 4, 1)])
def test_filters_beyond_the_groups_are_left_out_as_by_darknet(
    tmp_path, filters, groups, normalized
) -> None:
    """Computed as Darknet's loop over groups does it: from fractions of the weights, in order."""
    channels, size = 8, 3
    text = (
        f"[net]\nheight=5\nwidth=5\nchannels={channels}\n[conv]\nfilters={filters}\nsize={size}\n"
    )
    text += f"pad=1\ngroups={groups}\nbatch_normalize={normalized}\nactivation=linear\n"
    model = parse_cfg(text, "uneven")
    generator = np.random.default_rng(3)
    stored = filters * channels // groups * size * size
    values = generator.uniform(0.1, 2.0, (4 if normalized else 1) * filters + stored).astype("<f4")
    (read,) = read_weights(model, write(tmp_path, HEADER + values.tobytes()))
    picture = generator.standard_normal((channels, 5, 5))
    vectors, raw = np.split(values.astype(np.float64), [len(values) - stored])
    computed, taps = filters // groups, channels // groups * size * size
    expected = np.zeros((filters, 5, 5))
    for group in range(groups):
        own = raw[group * stored // groups :][: computed * taps].reshape(
            computed, channels // groups, size, size
        )
        part = picture[group * channels // groups :][: channels // groups]
        expected[group * computed :][:computed] = convolved(part, own)
    expected = finished(expected, vectors.reshape(-1, filters), normalized)
    found = convolved(picture, read.weights.astype(np.float64))
    found += read.bias.astype(np.float64)[:, None, None]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("normalized", [0, 1])
def test_flipped_weights_stand_the_other_way(tmp_path, normalized) -> None:
    text = "[net]\nheight=5\nwidth=5\nchannels=4\n[conv]\nfilters=3\nsize=3\ngroups=1\n"
    plain = parse_cfg(text + f"batch_normalize={normalized}\n", "plain")
    flipped = parse_cfg(text + f"batch_normalize={normalized}\nflipped=1\n", "flipped")
    values = np.random.default_rng(1).uniform(0.1, 2, weights_bytes(plain) // 4).astype("<f4")
    assert weights_bytes(flipped) == weights_bytes(plain)
    (expected,) = read_weights(plain, write(tmp_path, HEADER + values.tobytes()))
    first = 3 * (4 if normalized else 1)
    values[first:] = values[first:].reshape(3, 36).T.reshape(-1).copy()
    (found,) = read_weights(flipped, write(tmp_path, HEADER + values.tobytes()))
    assert np.array_equal(found.weights, expected.weights)
    assert np.array_equal(found.bias, expected.bias)


def convolved(picture, weights):
    """A convolution that keeps the map's size, in float64."""
    padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)))
    result = np.zeros((len(weights), *picture.shape[1:]))
    for y, x in np.ndindex(result.shape[1:]):
        window = padded[:, y : y + weights.shape[2], x : x + weights.shape[3]]
        result[:, y, x] = np.tensordot(weights, window, axes=3)
    return result


def finished(sums, vectors, normalized):
    """Batch norm and bias, a filter at a time."""
    result = np.empty_like(sums)
    for index in range(len(sums)):
        value = sums[index]
        if normalized:
            _, scale, mean, variance = vectors[:, index]
            value = (value - mean) / np.sqrt(variance + 1e-5) * scale
        result[index] = value + vectors[0, index]
    return result


def test_a_file_that_shrinks_while_it_is_read(tmp_path) -> None:
    path = write(tmp_path, HEADER + random_floats().tobytes())
    reading = read_weights(MODEL, path)
    path.write_bytes(HEADER)
    with pytest.raises(InputError, match=r"layer 0 \(convolutional0\) is cut off"):
        next(reading)


def test_only_one_layer_is_held(tmp_path) -> None:
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


def test_folding_gives_the_weights_of_the_onnx_conversion(shared_models) -> None:
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
