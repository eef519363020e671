"""What an importer hands on, whatever format it reads: Darknet, ONNX, a built-in architecture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ftdist.network.about import Fit
from ftdist.network.graph import Network
from ftdist.network.parameters import Parameters


class Source(Protocol):
    """A network in somebody's format."""

    @property
    def network(self) -> Network: ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its classes, where the file has them."""
        ...

    @property
    def fit(self) -> Fit:
        """How pictures enter."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines for whoever imports it."""
        ...

    def parameters(self) -> Iterator[Parameters]:
        """All weights, one layer at a time, in order."""
        ...
