"""A Darknet network with its weights, as every importer hands one on (``network.source``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import InputError
from ftdist.network.about import Fit
from ftdist.network.darknet.importer import DarknetModel
from ftdist.network.darknet.weights import read_weights
from ftdist.network.graph import Network
from ftdist.network.parameters import Parameters, random_parameters


@dataclass(frozen=True, slots=True)
class DarknetSource:
    """A .cfg, and its .weights file or the seed of random ones."""

    model: DarknetModel
    weights: Path | None
    random_weights: int | None

    @property
    def network(self) -> Network:
        return self.model.network

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    @property
    def fit(self) -> Fit:
        return self.model.fit

    @property
    def hints(self) -> None:
        """A .cfg says all there is to say."""
        return None

    @property
    def remarks(self) -> tuple[str, ...]:
        return self.model.remarks

    def parameters(self) -> Iterator[Parameters]:
        if self.weights is not None:
            return read_weights(self.model, self.weights)
        if self.random_weights is not None:
            return random_parameters(self.network, self.random_weights)
        raise InputError("import needs --weights FILE, or --random-weights SEED for a trial")
