"""Every kind of layer; each says what it is in its family's file in ``operators``.

To add one: write its class there and name it here, a kernel for it (``kernels/``, with its
reference) and how its descriptor is filled in (``planning/descriptors.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from ftdist.network.operators.base import (
    LINEAR,
    Activation,
    ActivationKind,
    Alias,
    Identity,
    Operation,
    Sliding,
    Weighted,
)
from ftdist.network.operators.channels import (
    Activate,
    MaxChannels,
    NormalizeResponses,
    Softmax,
)
from ftdist.network.operators.joining import (
    Add,
    Concatenate,
    Multiply,
    Sum,
    WeightedSum,
    sampling,
)
from ftdist.network.operators.resampling import Crop, DepthToSpace, Reorg, Upsample
from ftdist.network.operators.windows import Convolution, Local, Pool

__all__ = (
    "LINEAR",
    "OPERATIONS",
    "Activate",
    "Activation",
    "ActivationKind",
    "Add",
    "Alias",
    "Concatenate",
    "Convolution",
    "Crop",
    "DepthToSpace",
    "Identity",
    "Local",
    "MaxChannels",
    "Multiply",
    "NormalizeResponses",
    "Operation",
    "Pool",
    "Reorg",
    "Sliding",
    "Softmax",
    "Sum",
    "Upsample",
    "Weighted",
    "WeightedSum",
    "sampling",
)

OPERATIONS: dict[str, Callable[..., Operation]] = {
    each.kind: each
    for each in (
        Convolution,
        Local,
        Pool,
        Add,
        Sum,
        WeightedSum,
        Multiply,
        Concatenate,
        Activate,
        Softmax,
        NormalizeResponses,
        MaxChannels,
        Upsample,
        Crop,
        DepthToSpace,
        Reorg,
        Identity,
    )
}
"""All kinds of layers but the heads, by the name that a model file has for them."""
