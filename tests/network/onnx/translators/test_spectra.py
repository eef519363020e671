"""Fourier transforms and grids of places, against onnxruntime and NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import Nodes, arrays_for, assert_agree, computed, imported
from support.randomplans import random_plan

SHAPES = (1, 3, 8, 6, 1), (1, 3, 8, 6, 2), (1, 9, 1), (1, 5, 7, 2)


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values[0] if len(values) == 1 else values, np.int64))


def transform(dims: tuple[int, ...], axis: int, length: int, opset: int, path: Path) -> Path:
    """All kinds of transforms that such an input may have."""
    n = Nodes(opset=opset)
    x = n.input(*dims)
    real = dims[-1] == 1
    for inverse, one_sided in ((0, 0), (1, 0), (0, 1), (1, 1)):
        if one_sided and (real if inverse else not real):
            continue
        if one_sided and inverse and (opset < 20 or length):
            continue
        how = {"inverse": inverse, "onesided": one_sided}
        given = ints(n, length) if length else ""
        if opset < 20:
            n.output(n.add("DFT", x, *([given] if given else []), axis=axis, **how))
        else:
            n.output(n.add("DFT", x, given, ints(n, axis), **how))
    return n.save(path / "graph.onnx")


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize("length", [0, 5, 10])
@pytest.mark.parametrize("dims", SHAPES)
def test_transforms_are_as_onnxruntime_has_them(
    dims: tuple[int, ...], length: int, opset: int, tmp_path: Path
) -> None:
    for axis in range(1, len(dims) - 1):
        path = transform(dims, axis, length, opset, tmp_path)
        assert_agree(path, imported(path, batch="whole"))


@pytest.mark.parametrize("length", [4, 5, 8, 9, 14])
def test_half_a_spectrum_of_another_length_is_cut_or_filled(length: int, tmp_path: Path) -> None:
    n = Nodes(opset=20)
    x = n.input(1, 3, 5, 2)
    n.output(n.add("DFT", x, ints(n, length), ints(n, 2), inverse=1, onesided=1))
    model = imported(n.save(tmp_path / "graph.onnx"))
    arrays = arrays_for(model)
    (found,) = computed(model, arrays).values()
    (given,) = arrays.values()
    wanted = np.fft.irfft(given[..., 0] + 1j * given[..., 1], length, axis=2)
    assert found.shape == (1, 3, length, 1)
    np.testing.assert_allclose(found[..., 0], wanted, atol=1e-6)


def test_there_and_back_is_the_same_under_every_plan(tmp_path: Path) -> None:
    """A block of convolutions over frequencies, as inpainting has it."""
    n = Nodes(opset=20)
    x = n.input(1, 3, 8, 12)
    last = n.constant(np.array([4]))
    pairs = n.add("Unsqueeze", x, n.constant(np.array([4])))
    rows = n.add("DFT", pairs, "", ints(n, 3), onesided=1)
    both = n.add("DFT", rows, "", ints(n, 2))
    parts = n.add("Split", both, outputs=2, axis=4, num_outputs=2)
    flat = [n.add("Squeeze", each, n.constant(np.array([4]))) for each in parts]
    made = n.add("Relu", n.add("Conv", n.add("Concat", *flat, axis=1), n.random(6, 6, 1, 1)))
    back = n.add("Split", made, outputs=2, axis=1, num_outputs=2)
    again = [n.add("Unsqueeze", each, n.constant(np.array([4]))) for each in back]
    down = n.add("DFT", n.add("Concat", *again, axis=4), "", ints(n, 2), inverse=1)
    n.output(n.add("Squeeze", n.add("DFT", down, "", ints(n, 3), inverse=1, onesided=1), last))
    path = n.save(tmp_path / "graph.onnx")
    model = imported(path)
    assert_agree(path, model)
    arrays = arrays_for(model)
    (once,) = computed(model, arrays).values()
    for seed in range(4):
        plan = random_plan(model.network, seed, threads=1 + seed % 2)
        (found,) = computed(model, arrays, plan).values()
        assert found.tobytes() == once.tobytes(), plan


@pytest.mark.parametrize("one_sided", [0, 1])
@pytest.mark.parametrize("dims", [(1, 64, 1), (2, 50)])
def test_windows_of_sound(dims: tuple[int, ...], one_sided: int, tmp_path: Path) -> None:
    n = Nodes(opset=17)
    x = n.input(*dims)
    window = n.constant(np.hanning(16).astype(np.float32))
    n.output(n.add("STFT", x, ints(n, 4), window, onesided=one_sided))
    n.output(n.add("STFT", x, ints(n, 5), "", ints(n, 12), onesided=one_sided))
    path = n.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path, batch="whole"))


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("frames", [1, 3])
def test_maps_turned_by_matrices(frames: int, aligned: int, tmp_path: Path) -> None:
    """A spatial transformer, of one map and of several."""
    n = Nodes(opset=20)
    x = n.input(frames, 2, 7, 9)
    moments = n.add("ReduceMean", x, n.constant(np.array([2, 3])), keepdims=0)
    matrices = n.add("Reshape", n.add("MatMul", moments, n.random(2, 6)), ints(n, frames, 2, 3))
    grid = n.add("AffineGrid", matrices, ints(n, frames, 2, 5, 6), align_corners=aligned)
    n.output(grid, n.add("GridSample", x, grid, align_corners=aligned, padding_mode="border"))
    path = n.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path, batch="whole"))
