"""What each ONNX operator becomes, by family; importing this package registers all of them."""

from __future__ import annotations

from ftdist.network.onnx.translators import (  # noqa: F401 - they register what they translate
    functions,
    joining,
    norms,
    pairs,
    pointwise,
    products,
    reductions,
    resampling,
    reshaping,
    windows,
)
