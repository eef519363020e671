"""Sums of thousands of terms are as exact as short ones: they are put together of partial sums."""

from __future__ import annotations

import numpy as np
import pytest
from support.networks import model_of, random_input
from support.oracles.oracle import evaluate

from ftdist.geometry import Shape
from ftdist.kernels.native import chosen
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Operation, Sliding
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.windows import Convolution, Local
from ftdist.network.parameters import random_parameters
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session

ALLOWED = 6e-7
"""Of the outputs' root mean square. One running sum is 2e-6 off, partial sums 3e-7."""

LAYERS = {
    "fully connected": (Shape(4, 4, 1024), Convolution(64, Sliding.square(4))),
    "1x1": (Shape(1, 6, 16384), Convolution(40, Sliding.square(1))),
    "groups": (Shape(3, 3, 4096), Convolution(32, Sliding.square(3), 2)),
    "local": (Shape(4, 4, 1024), Local(64, Sliding.square(4))),
    "transposed": (
        Shape(3, 3, 2048),
        TransposedConvolution(32, Sliding.square(3, padding=2)),
    ),
}


@pytest.mark.skipif(not chosen().fused, reason="products are rounded before they are added")
@pytest.mark.parametrize("name", LAYERS)
def test_sums_of_many_terms_are_exact(name: str) -> None:
    shape, operation = LAYERS[name]
    error = relative_error(shape, operation)
    assert error < ALLOWED


def relative_error(shape: Shape, operation: Operation) -> float:
    """The root mean square of what a layer of random weights is off, by that of its outputs."""
    builder = NetworkBuilder("long", shape)
    builder.add(operation, [INPUT])
    network = builder.finish()
    image = random_input(network, 3)
    with Session(model_of(network), untiled(network)) as session:
        (found,) = session.run(image).values()
    (exact,) = evaluate(network, random_parameters(network, 0), image).values()
    return float(np.sqrt(np.mean((found - exact) ** 2) / np.mean(exact**2)))
