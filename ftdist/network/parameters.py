"""What importers hand to the model file: one layer's weights at a time, batch norm folded.

Importers yield these in layer order, so that a network larger than memory can still be imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import Network, weighted_layers

Array = NDArray[np.float32]


def nothing_to_release() -> None:
    """Weights are in memory."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """One layer's weights by name, as ``Operation.weights`` has them, float32 or float16.

    `release` gives back what was read of weights that are mapped from a file; it may be called at
    any time, as they are read again when they are used again.
    """

    layer: int
    named: Mapping[str, Array]
    release: Callable[[], None] = nothing_to_release

    @classmethod
    def of(cls, layer: int, weights: Array, bias: Array) -> Parameters:
        """Those of a layer that has weights and a bias."""
        return cls(layer, {"weights": weights, "bias": bias})

    @property
    def weights(self) -> Array:
        """The weights by that name."""
        return self.named["weights"]

    @property
    def bias(self) -> Array:
        """The bias of a layer that has one."""
        return self.named["bias"]


def random_parameters(network: Network, seed: int) -> Iterator[Parameters]:
    """He-scaled normal weights, and small values for all else: activations stay in range.

    The standard deviation is sqrt(2 / fan-in) (He et al., 2015). Each layer draws from a generator
    of its own, so that a network cut short by ``--until`` has the same weights.
    """
    for number, operation, source in weighted_layers(network):
        generator = np.random.default_rng((seed, number))
        named = {}
        for name, shape in operation.weights(source).items():
            named[name] = generator.standard_normal(shape, dtype=np.float32)
            named[name] *= _deviation(name, shape)
        yield Parameters(number, named)


def _deviation(name: str, shape: tuple[int, ...]) -> np.float32:
    return np.float32(np.sqrt(2.0 / math.prod(shape[1:])) if name == "weights" else 0.1)
