"""Values that only some operators read: sequences, and where maxima of a pool lay."""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.network.onnx.nodes import Open
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.base import Sliding


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A sequence of values, which is put together and taken apart when sizes are fixed."""

    entries: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a pool of (1, channels, rows, columns) found its maxima: row x width + column.

    ONNX counts channels too, which floats cannot where maps are large; so that is done only where
    somebody asks.
    """

    tensor: Tensor
    window: Sliding
    shape: tuple[int, ...]
    """That of the map that was pooled."""


Kept = Open | Values | Places
"""Whatever a node may read."""
