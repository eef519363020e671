"""Operators over rows and columns: windows, pools, padding, resizing."""

from __future__ import annotations

from ftdist.network.onnx.translators.maps import (
    deformed,
    padding,
    pooling,
    recurrent,
    resampling,
    resizing,
    transposed,
    windows,
)

__all__ = (
    "deformed",
    "padding",
    "pooling",
    "recurrent",
    "resampling",
    "resizing",
    "transposed",
    "windows",
)
