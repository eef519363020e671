"""How arrays enter and leave a network: their names, and how the user's dims lie on a map.

Inside a network everything is a map (height, width, channels). A model file's users have arrays of
their own dims: (1, channels, height, width) from most frameworks, (1, height, width, channels) from
TensorFlow, (1, classes) behind a classifier. A ``Layout`` says which, so that the importer decides
it once and nobody else has to guess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.geometry import Shape

_MOST_DIMS = 8

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layout:
    """The dims of a user's array, and in which order its values lie.

    `planar`: channel by channel; else position by position, channels innermost. Without `dims` they
    are (1, channels, height, width), or (1, height, width, channels) if not planar.

    `open_dim` is the number of the dim, from 1, whose length depends on the values; `dims` has the
    most that it can be. The map then has one row, whose first column counts the columns behind it
    that are meant: each is a position of that dim, its channels all others.
    """

    planar: bool = True
    dims: tuple[int, ...] = ()
    open_dim: int = field(default=0, metadata={"added_later": True})

    def of(self, shape: Shape) -> tuple[int, ...]:
        """The dims of an array that is a map of that shape."""
        if self.dims:
            return self.dims
        height, width, channels = shape
        return (1, channels, height, width) if self.planar else (1, height, width, channels)

    def told(self, shape: Shape) -> str:
        """The dims, for people: 1x3x320x320, or "up to" where one of them may be shorter."""
        dims = "x".join(map(str, self.of(shape)))
        return f"up to {dims}" if self.open_dim else dims

    def inner(self, shape: Shape) -> tuple[int, ...]:
        """The dims without the leading axis of one frame; all of them where there is no such."""
        dims = self.of(shape)
        return dims[1:] if len(dims) > 1 and dims[0] == 1 and self.open_dim != 1 else dims

    def memory(self, shape: Shape) -> tuple[int, int, int]:
        """The dims of the map as its values lie in memory."""
        height, width, channels = shape
        return (channels, height, width) if self.planar else (height, width, channels)

    def array(self, values: Floats, shape: Shape, *, inner: bool = False) -> Floats:
        """The user's array, float32, of the values of a map as they lie in memory.

        With `inner` it is without the leading axis of one frame. A dim of open length is as long as
        the values say.
        """
        dims = self.inner(shape) if inner else self.of(shape)
        if not self.open_dim:
            return values.reshape(dims)
        at = self.open_dim - 1 - (len(self.dims) - len(dims))
        listed = values.reshape(1 + dims[at], -1)
        count = int(np.clip(np.nan_to_num(listed[0, 0]), 0, dims[at]))
        entries = listed[1 : 1 + count].reshape(count, *dims[:at], *dims[at + 1 :])
        return np.ascontiguousarray(np.moveaxis(entries, 0, at))

    def values(self, array: Floats, shape: Shape) -> Floats:
        """The values of a map as they lie in memory, of the user's array (``array``, turned round).

        Of a dim of open length what is behind its entries is 0.
        """
        if not self.open_dim:
            return array.reshape(self.memory(shape))
        at = self.open_dim - 1 - (len(self.dims) - array.ndim)
        listed = np.zeros((shape.width, shape.channels), np.float32)
        count = array.shape[at]
        listed[0] = count
        listed[1 : 1 + count] = np.moveaxis(array, at, 0).reshape(count, shape.channels)
        return listed.reshape(self.memory(shape))

    def check(self, name: str, shape: Shape) -> None:
        """InputError unless the dims hold just what the map holds."""
        elements = math.prod(self.of(shape))
        if self.open_dim:
            if self.planar or not self.open_dim <= len(self.dims) or shape.height != 1:
                raise InputError(f"{name}: dim {self.open_dim} of {self.dims} cannot be open")
            capacity = self.dims[self.open_dim - 1]
            elements += elements // capacity if capacity else 0
        if len(self.dims) > _MOST_DIMS or elements != shape.elements:
            raise InputError(f"{name}: an array of {self.dims} is not a map of {shape}")


PLANAR = Layout()

WHITE = 255.0
"""The brightest pixel."""

_MOST_PICTURE_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Pixels:
    """What a pixel of a picture, 0 to 255, becomes in an input: (pixel - mean) / deviation.

    `mean` and `deviation` are one number for all channels, or one a channel as the input has them;
    `blue_first` where these are blue, green, red.
    """

    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (WHITE,)
    blue_first: bool = False

    def __post_init__(self) -> None:
        for what, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) not in (1, _MOST_PICTURE_CHANNELS):
                raise InputError(f"a {what} of {len(values)} numbers; it is one, or one a channel")
        if any(not each > 0 for each in self.deviation):
            raise InputError("what pixels are divided by must be above zero")

    def numbers(self, samples: NDArray[Any], steps: float = 1.0) -> NDArray[np.float32]:
        """Pixels (height, width, channels) as the input's numbers, in the order of its channels;
        `steps` of the samples are one of 0 to 255."""
        found = (samples[:, :, ::-1] if self.blue_first else samples).astype(np.float32)
        found /= np.float32(steps)
        found -= np.array(self.mean, np.float32)
        found /= np.array(self.deviation, np.float32)
        return found

    @property
    def black_and_white(self) -> tuple[float, float]:
        """The values of the darkest and of the brightest pixel, over all channels."""
        count = max(len(self.mean), len(self.deviation))
        pairs = [
            (self.mean[at % len(self.mean)], self.deviation[at % len(self.deviation)])
            for at in range(count)
        ]
        return min((0 - m) / d for m, d in pairs), max((WHITE - m) / d for m, d in pairs)


PLAIN_PIXELS = Pixels()
"""0 to 1, red first."""


@dataclass(frozen=True, slots=True)
class Input:
    """An array that a network reads."""

    name: str
    shape: Shape
    layout: Layout = PLANAR
    pixels: Pixels = PLAIN_PIXELS


def check_inputs(name: str, inputs: Sequence[Input], largest_side: int) -> None:
    """InputError unless a network can have these inputs; `name` is the network's."""
    names = {each.name for each in inputs}
    if not inputs or len(names) < len(inputs):
        raise InputError(f"{name}: inputs need names of their own, and there is at least one")
    for each in inputs:
        if not 1 <= min(each.shape) <= max(each.shape) <= largest_side:
            raise InputError(f"an input of {each.shape}: each side is 1 to {largest_side}")
        each.layout.check(each.name, each.shape)
