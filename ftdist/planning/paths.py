"""Shortest paths over edges: every group once resident and once streamed, at a price a byte."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.planning.edges import Edges

_TIE_S_PER_BYTE = 1e-16
"""A preference for smaller peaks that no real difference in time is as small as."""

Step = tuple[int, int, int, bool]
"""(cut number, later cut number, option number, weights streamed): an edge as it is used."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path with its time, the bytes of its resident weights, and its largest activations."""

    steps: tuple[Step, ...]
    seconds: float
    resident_bytes: float
    peak_bytes: float

    @property
    def bytes(self) -> float:
        """Weights and activations together."""
        return self.resident_bytes + self.peak_bytes

    @property
    def key(self) -> tuple[float, float]:
        return self.seconds, self.bytes


@dataclass(frozen=True)
class Offers:
    """For each pair of cuts the quickest option within a cap: its seconds and its number, with
    resident and with streamed weights; infinite where none is allowed."""

    edges: Edges
    resident_s: NDArray[np.float64]
    resident_option: NDArray[np.int64]
    streamed_s: NDArray[np.float64]
    streamed_option: NDArray[np.int64]

    def costs(self, price: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Seconds with resident and with streamed weights, a resident byte at a price."""
        edges = self.edges
        return self.resident_s + price * edges.weights, self.streamed_s + price * edges.rest

    def step(self, first: int, stop: int, price: float) -> Step:
        """What is offered between two cuts at that price."""
        resident, streamed = self.costs(price)
        is_streamed = bool(streamed[first, stop] < resident[first, stop])
        option = self.streamed_option if is_streamed else self.resident_option
        return first, stop, int(option[first, stop]), is_streamed


@dataclass(frozen=True, slots=True)
class Allowed:
    """What groups may use: activations (and pieces of weights) within `cap`; whether they may keep
    their weights, and whether they may stream them."""

    cap: float
    resident: bool = True
    streamed: bool = True


def offers(edges: Edges, allowed: Allowed, among: NDArray[np.bool_] | None = None) -> Offers:
    """What is offered within what is allowed; `among` the edges that may be used, if not all."""
    cap = allowed.cap
    return Offers(
        edges,
        *_cheapest(edges.seconds, edges.bytes, cap if allowed.resident else -1.0, among),
        *_cheapest(
            edges.streamed_s, edges.streamed_bytes, cap if allowed.streamed else -1.0, among
        ),
    )


def shortest(offered: Offers, price: float = 0.0) -> Path | None:
    """The cheapest path over what is offered; a resident byte of weights costs `price` seconds."""
    pairs = _walk(np.minimum(*offered.costs(price)), np.add)
    if pairs is None:
        return None
    return _path(offered.edges, tuple(offered.step(*pair, price) for pair in pairs))


def leaving(kept: Offers, others: Offers, offered: Offers, price: float = 0.0) -> Path | None:
    """The cheapest path that leaves a given one: `kept` offers the given path's groups, `others`
    everything but them, `offered` everything.

    A walk over two copies of the cuts: on the first nothing has differed yet, on the second
    something has.
    """
    cuts = len(offered.edges.cuts)
    cost = np.full((2 * cuts, 2 * cuts), np.inf)
    cost[:cuts, :cuts] = np.minimum(*kept.costs(price))
    cost[:cuts, cuts:] = np.minimum(*others.costs(price))
    cost[cuts:, cuts:] = np.minimum(*offered.costs(price))
    pairs = _walk(cost, np.add)
    if pairs is None:
        return None
    steps = []
    for first, stop in pairs:
        source = kept if stop < cuts else others if first < cuts else offered
        steps.append(source.step(first % cuts, stop % cuts, price))
    return _path(offered.edges, tuple(steps))


def least_activations(edges: Edges, *, streamed: bool) -> Path:
    """The path with the smallest activations, all weights streamed or all resident."""
    sizes = edges.streamed_bytes if streamed else edges.bytes
    option = np.argmin(sizes, axis=2)
    pairs = _walk(sizes.min(axis=2), np.maximum)
    assert pairs is not None
    return _path(edges, tuple((*pair, int(option[pair]), streamed) for pair in pairs))


def _walk(cost: NDArray[np.float64], join: np.ufunc) -> list[tuple[int, int]] | None:
    """The path from the first cut to the last whose joined costs (sum, maximum) are least."""
    cuts = len(cost)
    best = np.full(cuts, np.inf)
    best[0] = 0
    came = np.zeros(cuts, np.int64)
    for later in range(1, cuts):
        reached = join(best[:later], cost[:later, later])
        came[later] = reached.argmin()
        best[later] = reached[came[later]]
    if not np.isfinite(best[-1]):
        return None
    pairs: list[tuple[int, int]] = []
    later = cuts - 1
    while later:
        pairs.append((int(came[later]), later))
        later = int(came[later])
    return pairs[::-1]


def _cheapest(
    seconds: NDArray[np.float32],
    sizes: NDArray[np.float64],
    cap: float,
    among: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each pair of cuts the least time of an option within `cap`, and which option it is."""
    within = sizes <= cap if among is None else (sizes <= cap) & among
    allowed = np.where(within, seconds + sizes * _TIE_S_PER_BYTE, np.inf)
    option = np.argmin(allowed, axis=2)
    least = np.take_along_axis(allowed, option[..., None], axis=2)[..., 0]
    return least.astype(np.float64), option


def _path(edges: Edges, steps: tuple[Step, ...]) -> Path:
    seconds = resident = peak = 0.0
    for first, stop, option, streamed in steps:
        step = first, stop, option
        seconds += float((edges.streamed_s if streamed else edges.seconds)[step])
        resident += float((edges.rest if streamed else edges.weights)[first, stop])
        peak = max(peak, float((edges.streamed_bytes if streamed else edges.bytes)[step]))
    return Path(steps, seconds, resident, peak)
