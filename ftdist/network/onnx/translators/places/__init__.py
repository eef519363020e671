"""Operators that look at, join, choose and place values."""

from __future__ import annotations

from ftdist.network.onnx.translators.places import (
    gathering,
    joining,
    reshaping,
    selecting,
)

__all__ = (
    "gathering",
    "joining",
    "reshaping",
    "selecting",
)
