"""Deformable convolutions: each tap of each position is taken from where the network says."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import frame_by_frame, made, translates
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.views import Tensor, transposed

Given = list[Value | None]


@translates("DeformConv")
@frame_by_frame
def _deformed(building: Building, node: Node, given: Given) -> Value:
    """The map is sampled at the places of all taps, one tap's below another's; each sample is
    weighed by its mask, and a convolution of one tap puts them together."""
    value, weights = tensor(given[0]), constant(given[1], "the weight")
    offsets = building.tensor(given[2], "the offsets")
    groups, shares = node.integer("group", 1), node.integer("offset_group", 1)
    if value.rank != 4 or weights.ndim != 4 or offsets.rank != 4:
        raise Unsupported("over other axes than rows and columns")
    taps, (rows, columns) = math.prod(weights.shape[2:]), offsets.shape[2:]
    if value.shape[0] != 1 or offsets.shape[1] != 2 * taps * shares:
        raise Unsupported(f"offsets {offsets.shape} for {taps} taps of {shares} groups")
    apart = building.reshaped(offsets, (shares, taps, 2, rows, columns))
    places = paired(building, "add", apart, _places(node, weights.shape[2:], rows, columns))
    mask = None if len(given) < 5 or given[4] is None else building.tensor(given[4], "the mask")
    channels = value.shape[1] // shares
    found: Given = []
    for share in range(shares):
        own = _part(building, value, 1, share * channels, channels)
        grid = _grid(building, _part(building, places, 0, share, 1), value.shape[2:])
        how = {"mode": "linear", "padding_mode": "zeros", "align_corners": 1}
        taken = made(building, "GridSample", [own, grid], how)
        taken = building.reshaped(taken, (1, channels, taps, rows, columns))
        if mask is not None:
            weighed = _part(building, mask, 1, share * taps, taps)
            weighed = building.reshaped(weighed, (1, 1, taps, rows, columns))
            taken = paired(building, "multiply", taken, weighed)
        found.append(building.reshaped(taken, (1, channels * taps, rows, columns)))
    joined = found[0] if shares == 1 else made(building, "Concat", found, {"axis": 1})
    flat = weights.reshape(len(weights), -1, 1, 1)
    return made(building, "Conv", [joined, flat, *given[3:4]], {"group": groups})


def _part(building: Building, value: Tensor, axis: int, first: int, count: int) -> Tensor:
    ends = np.array([first]), np.array([first + count]), np.array([axis])
    return made(building, "Slice", [value, *ends])


def _places(node: Node, kernel: tuple[int, ...], rows: int, columns: int) -> np.ndarray:
    """Where each tap of each position would be without offsets: (1, taps, 2, rows, columns)."""
    strides, dilations = (node.integers(name, (1, 1)) for name in ("strides", "dilations"))
    before = node.integers("pads", (0, 0, 0, 0))[:2]
    axes = [
        np.arange(size)[None] * stride - pad + np.arange(taps)[:, None] * dilation
        for size, taps, stride, dilation, pad in zip(
            (rows, columns), kernel, strides, dilations, before, strict=True
        )
    ]
    shape = (*kernel, rows, columns)
    down = np.broadcast_to(axes[0][:, None, :, None], shape)
    across = np.broadcast_to(axes[1][None, :, None, :], shape)
    both = np.stack([down, across], 2).reshape(1, -1, 2, rows, columns)
    return both.astype(np.float32)


def _grid(building: Building, places: Tensor, size: tuple[int, ...]) -> Tensor:
    """Places (1, taps, 2, rows, columns) as GridSample counts them: (1, taps * rows, columns, 2), x
    first, from -1 to 1."""
    _, taps, _, rows, columns = places.shape
    turned = transposed(places, (0, 1, 3, 4, 2))
    grid = building.reshaped(turned, (1, taps * rows, columns, 2))
    scale = np.array([2 / max(1, each - 1) for each in size], np.float32)
    grid = paired(building, "multiply", grid, scale)
    grid = paired(building, "subtract", grid, np.ones(1, np.float32))
    return made(building, "Gather", [grid, np.array([1, 0])], {"axis": 3})
