"""A convolution over the frames of a batch within a network: heads, windows, regions, moments; and
over three axes, one of which counts frames.

The frames lie one below the other in one map, each with the zeros around it that its own padding
asks for, so that no window reads of two of them; what is computed between frames is cut off. So
all of them are one layer with one set of weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ftdist.geometry import Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Unsupported, Value
from ftdist.network.onnx.registry import made
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.views import Atom, Tensor, full, joined, spread, transposed
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.placing import Pad
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.draft import Read


def of_frames(
    building: Building,
    value: Tensor,
    filters: int,
    groups: int,
    window: Sliding,
    named: Mapping[str, Read],
) -> Tensor:
    """The convolution of (frames, channels, rows, columns), or of (frames, channels, columns)."""
    rank = value.rank
    if rank == 3:
        value = Tensor(value.step, (*value.dims[:2], (), value.dims[2]))
    frames, _, rows, _ = value.shape
    down = window.vertical
    padded = rows + down.pad_before + down.pad_after
    length = (padded - down.extent) // down.stride + 1
    high = -(-padded // down.stride) * down.stride
    step = _stacked(building, value, down.pad_before, high - rows - down.pad_before)
    vertical = replace(down, pad_before=0, pad_after=max(0, down.extent - down.stride))
    operation = Convolution(filters, Sliding(vertical, window.horizontal), groups)
    step = building.add(operation, [step], named)
    number, row = spread("h", [frames, high // down.stride])
    columns = full("w", building.shape(step).width)
    found = Tensor(step, (number, full("c", filters), row, columns))
    found = part(building, found, 2, range(length))
    return found if rank == 4 else Tensor(found.step, (*found.dims[:2], found.dims[3]))


def _stacked(building: Building, value: Tensor, before: int, after: int) -> int:
    """The map of all frames, one below the other, with rows of zeros around each."""
    frames, channels, rows, columns = value.shape
    if not before and not after:
        return building.grouped(value, [0, 2], [3], [1]).step
    value = building.grouped(value, [0], [2], [3, 1])
    step = building.add(Pad("constant", 0, 0, before, after), [value.step])
    wide = joined([Atom("c", columns, channels)])
    dims = full("h", frames), full("c", channels), full("w", before + rows + after), wide
    return building.grouped(Tensor(step, dims), [0, 2], [3], [1]).step


def over_depth(
    building: Building,
    value: Tensor,
    groups: int,
    named: tuple[Array, Array],
    windows: Sequence[Window],
) -> Tensor:
    """A convolution over three axes, of (1, channels, places, rows, columns), by weights and bias.

    What the first axis's taps read lies side by side as channels; its places are frames.
    """
    weights, bias = named
    if value.shape[0] > 1:
        raise Unsupported(f"its input is {value.shape}; a batch of one is needed")
    (deep, *flat), (filters, own, depth) = windows, weights.shape[:3]
    channels = value.shape[1]
    pads = np.array([0, 0, deep.pad_before, 0, 0, 0, 0, deep.pad_after, 0, 0])
    padded = made(building, "Pad", [value, pads])
    count = (padded.shape[2] - deep.extent) // deep.stride + 1
    taps: list[Value | None] = []
    for first in range(0, depth * deep.dilation, deep.dilation):
        last = first + (count - 1) * deep.stride + 1
        place = (np.array([each]) for each in (first, last, 2, deep.stride))
        taken = made(building, "Slice", [padded, *place])
        taps.append(building.reshaped(taken, (channels, 1, count, *value.shape[3:])))
    joined_taps = made(building, "Concat", taps, {"axis": 1})
    shape = channels * depth, count, *value.shape[3:]
    frames = transposed(building.reshaped(joined_taps, shape), (1, 0, 2, 3))
    read: dict[str, Read] = {
        "weights": lambda: weights.reshape(filters, own * depth, *weights.shape[3:]),
        "bias": lambda: bias,
    }
    found = of_frames(building, frames, filters, groups, Sliding(*flat), read)
    number, channel, *sides = found.dims
    return Tensor(found.step, ((), channel, number, *sides))
