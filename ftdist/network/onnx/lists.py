"""Values whose lengths depend on the input: lists, counts of them, and shapes that have counts.

What is chosen while a network runs (NonZero, NonMaxSuppression, TopK of as many as there are) is a
list: a tensor with its *capacity*, the most entries that there can be, and a count of those that
there are. What stands behind them means nothing. An empty list is one whose count is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.network.onnx.views import Tensor


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number that the network computes, from 0 to `most`: a tensor without dims.

    `lacking`: where it is what another one lacks to a known number, that number and the other.
    """

    value: Tensor
    most: int
    lacking: tuple[int, Tensor] | None = None


@dataclass(frozen=True, slots=True)
class List:
    """A tensor one of whose dims is of open length; its length there is the capacity.

    `narrow` is what its other dims were expanded from, where they were.
    """

    tensor: Tensor
    axis: int
    count: Count
    narrow: Tensor | None = None

    @property
    def rank(self) -> int:
        return self.tensor.rank

    @property
    def shape(self) -> tuple[int, ...]:
        """With the capacity where the length is open."""
        return self.tensor.shape

    @property
    def capacity(self) -> int:
        return self.shape[self.axis]

    @property
    def from_end(self) -> int:
        """Which dim is open, counted from the last."""
        return self.rank - self.axis


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """A tensor of whole numbers, some of them counts: an array of numbers and ``Count``.

    Where they were cast to floats, the numbers are floats.
    """

    numbers: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.numbers.shape


def lengths(numbers: object) -> Lengths | NDArray[Any]:
    """Numbers and counts, which are a constant where there are no counts; of floats if one is."""
    array = np.array(numbers, object)
    if any(isinstance(each, Count) for each in array.ravel()):
        return Lengths(array)
    is_real = any(isinstance(each, float) for each in array.ravel())
    return np.array(array, np.float32 if is_real else np.int64)


def most_of(numbers: Sequence[int | Count]) -> tuple[int, ...]:
    """The numbers, each count being the most that it can be."""
    return tuple(each.most if isinstance(each, Count) else int(each) for each in numbers)
