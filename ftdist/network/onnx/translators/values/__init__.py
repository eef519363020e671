"""Functions of values, one by one, in pairs or summed."""

from __future__ import annotations

from ftdist.network.onnx.translators.values import (
    attention,
    einsum,
    functions,
    norms,
    pairs,
    pointwise,
    products,
    quantised,
    reductions,
    runtime_fused,
    runtime_quantised,
    spectra,
)

__all__ = (
    "attention",
    "einsum",
    "functions",
    "norms",
    "pairs",
    "pointwise",
    "products",
    "quantised",
    "reductions",
    "runtime_fused",
    "runtime_quantised",
    "spectra",
)
