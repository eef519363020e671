"""A Darknet network with its weights, as every importer hands one on (``network.source``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import InputError
from ftdist.network.about import Fit
from ftdist.network.darknet.composed import Implicit
from ftdist.network.darknet.importer import DarknetModel
from ftdist.network.darknet.numbers import Blur, Fixed, Floats, Form, Signs
from ftdist.network.darknet.stored import Flat
from ftdist.network.darknet.weights import named, read_weights
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
            return _random(self.model, self.random_weights)
        raise InputError("import needs --weights FILE, or --random-weights SEED for a trial")


_CONSTANTS = (Blur, Fixed, Flat, Implicit, Signs)
"""Layers whose weights, or most of them, are the same in every network."""


def _random(model: DarknetModel, seed: int) -> Iterator[Parameters]:
    """Random weights, and where Darknet has constants these."""
    for parameters in random_parameters(model.network, seed):
        form = model.stored.get(parameters.layer)
        yield _constants(model, parameters, form) if isinstance(form, _CONSTANTS) else parameters


def _constants(model: DarknetModel, parameters: Parameters, form: Form) -> Parameters:
    layer = model.network.layers[parameters.layer]
    source = model.network.shape(layer.inputs[0])

    def take(shape: tuple[int, ...]) -> Floats:
        return parameters.bias.reshape(shape)

    found = form.read(take, layer.operation, source, flagged=False)
    return named(parameters.layer, (layer.operation, source), found)
