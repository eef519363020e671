"""What an importer hands on, whatever format it reads: Darknet, ONNX, a built-in architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ftdist.network.about import Fit
from ftdist.network.graph import Network
from ftdist.network.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Hints:
    """What a file says of itself beside its graph, for guesses at what it is for.

    `words`: names and notes, `metadata` pairs of them. `opening`: what the first operator does to
    every value, by its kind, and the largest number that it does it with (of a batch norm the
    largest mean). `operators` are the kinds of all its operators, `endings` of those that make its
    outputs. `takes_bytes`: whether the first input is of whole numbers; `is_wide`: whether the file
    leaves its width open.
    """

    words: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    opening: tuple[str, float] = ("", 0.0)
    operators: frozenset[str] = frozenset()
    endings: frozenset[str] = frozenset()
    takes_bytes: bool = False
    is_wide: bool = False


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
    def hints(self) -> Hints | None:
        """What is known beside that; None where the file leaves nothing to guess."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines for whoever imports it."""
        ...

    def parameters(self) -> Iterator[Parameters]:
        """All weights, one layer at a time, in order."""
        ...
