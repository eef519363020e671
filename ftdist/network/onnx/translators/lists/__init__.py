"""Operators on lists of open length, and on the numbers that say how long these are."""

from __future__ import annotations

from ftdist.network.onnx.translators.lists import (
    choosing,
    lengths,
    making,
    placing,
    shaping,
    values,
)

__all__ = (
    "choosing",
    "lengths",
    "making",
    "placing",
    "shaping",
    "values",
)
