"""What importers hand to the model file: one layer's weights at a time, batch norm folded.

Importers yield these in layer order, so that a network larger than memory can still be imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import Network, convolutions


@dataclass(frozen=True, slots=True)
class Parameters:
    """Weights float32 (outputs, depth, rows, columns) and bias (outputs,)."""

    layer: int
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def random_parameters(network: Network, seed: int) -> Iterator[Parameters]:
    """He-scaled normal weights and small biases: activations stay in range through many layers.

    The standard deviation is sqrt(2 / fan-in) (He et al., 2015). Each layer draws from a generator
    of its own, so that a network cut short by ``--until`` has the same weights.
    """
    for number, operation, source in convolutions(network):
        generator = np.random.default_rng((seed, number))
        shape = operation.weight_shape(source)
        fan_in = shape[1] * shape[2] * shape[3]
        weights = generator.standard_normal(shape, dtype=np.float32)
        weights *= np.float32(np.sqrt(2.0 / fan_in))
        bias = generator.standard_normal(shape[0], dtype=np.float32) * np.float32(0.1)
        yield Parameters(number, weights, bias)
