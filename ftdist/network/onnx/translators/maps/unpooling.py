"""Where the maxima of a pool lay, and values that are put back there (SegNet, ENet)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ftdist.geometry import Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.kept import Kept, Places
from ftdist.network.onnx.nodes import Node, Unsupported, tensor
from ftdist.network.onnx.registry import OPERATORS
from ftdist.network.onnx.translators.maps.pooling import pool_windows
from ftdist.network.onnx.translators.maps.windows import as_before, as_map, side
from ftdist.network.onnx.translators.places.gathering import replaced
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.unpooling import MOST_PLACES, MaxPlaces, Unpool


def with_places(
    building: Building, node: Node, given: Sequence[Kept | None]
) -> tuple[Tensor, Tensor | Places]:
    """Both outputs of a MaxPool."""
    value = tensor(given[0])  # type: ignore[arg-type]
    pooled = tensor(OPERATORS["MaxPool"](building, node, [value]))  # type: ignore[arg-type]
    _, windows = pool_windows(node, value)
    if value.rank not in (3, 4) or value.shape[0] > 1:
        raise Unsupported(f"its second output (indices) of {value.shape}; a batch of one is needed")
    window = Sliding(windows[0] if windows[1:] else Window(1), windows[-1])
    step = building.add(MaxPlaces(window), [as_map(building, value)])
    places = Places(as_before(building, step, value.rank), window, value.shape)
    return pooled, _by_columns(building, places) if node.integer("storage_order") else places


def _by_columns(building: Building, places: Places) -> Tensor:
    """The places as ONNX counts them where columns are counted first."""
    high, wide = (np.array(each, np.float32) for each in [1, *places.shape[2:]][-2:])
    row = applied(building, paired(building, "divide", places.tensor, wide), "floor")
    column = paired(building, "modulo", places.tensor, wide)
    turned = paired(building, "add", paired(building, "multiply", column, high), row)
    return flat(building, Places(turned, places.window, places.shape))


def flat(building: Building, places: Places) -> Tensor:
    """The places as ONNX counts them, channel by channel."""
    _, channels, *sides = places.shape
    if math.prod(places.shape) > MOST_PLACES:
        raise Unsupported(f"indices of {places.shape}: floats tell {MOST_PLACES} places apart")
    first = np.arange(channels, dtype=np.float32) * math.prod(sides)
    return paired(building, "add", places.tensor, first.reshape(1, -1, *[1] * len(sides)))


def unpooled(building: Building, node: Node, given: Sequence[Kept | None]) -> Tensor:
    """Each value where its maximum lay, zeros elsewhere.

    Where windows do not overlap each position looks into its own one; else what is put there is
    looked for among all.
    """
    value, places = tensor(given[0]), given[1]  # type: ignore[arg-type]
    shape = _output_shape(node, value, given[2] if len(given) > 2 else None)
    sides = _windows(node, value.rank)
    if isinstance(places, Places):
        own = places.window if value.rank == 4 else Sliding(Window(1), places.window.horizontal)
        alone = all(each.extent <= each.stride for each in (own.vertical, own.horizontal))
        alike = _strides(own, value.rank) == [each.stride for each in sides]
        if alone and alike and (places.shape, places.tensor.shape) == (shape, value.shape):
            size = (shape[2] if value.rank == 4 else 1), shape[-1]
            maps = [as_map(building, each) for each in (value, places.tensor)]
            return as_before(building, building.add(Unpool(own, *size), maps), value.rank)
        places = flat(building, places)
    if math.prod(shape) > MOST_PLACES:
        raise Unsupported(f"a map of {shape}: floats tell {MOST_PLACES} places apart")
    count = math.prod(value.shape)
    numbers, entries = (
        building.reshaped(tensor(each), (count,))  # type: ignore[arg-type]
        for each in (places, value)
    )
    zero = building.constant(np.zeros((1, 1), np.float32))
    empty = building.expanded(zero, (math.prod(shape), 1))
    found = replaced(building, empty, numbers, building.reshaped(entries, (count, 1)), [0])
    return building.reshaped(found, shape)


def _windows(node: Node, rank: int) -> list[Window]:
    kernel = node.integers("kernel_shape")
    if len(kernel) != rank - 2 or len(kernel) not in (1, 2):
        raise Unsupported(f"kernel_shape: over {len(kernel)} axes; 1 and 2 are supported")
    return [side(node, kernel, axis, 0) for axis in range(len(kernel))]


def _strides(window: Sliding, rank: int) -> list[int]:
    return [each.stride for each in (window.vertical, window.horizontal)][4 - rank :]


def _output_shape(node: Node, value: Tensor, given: Kept | None) -> tuple[int, ...]:
    """What is said, or what a pool of such windows would make the input of."""
    if isinstance(given, np.ndarray):
        wanted = tuple(int(each) for each in given.ravel())
        if len(wanted) != value.rank or wanted[:2] != value.shape[:2] or min(wanted) < 1:
            raise Unsupported(f"output_shape: {wanted} of {value.shape}")
        return wanted
    if given is not None:
        raise Unsupported("output_shape: it depends on the input")
    sides = [
        (length - 1) * window.stride + window.extent - window.pad_before - window.pad_after
        for window, length in zip(_windows(node, value.rank), value.shape[2:], strict=True)
    ]
    return (*value.shape[:2], *sides)
