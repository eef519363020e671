"""Which height of bands, and which steps within them, are the fastest that fit a budget.

A higher band computes a smaller share of halos again, and holds more rows of its input and output.
So heights are tried from low to high, each twice the one before; for each the search for plans is
asked what is fastest for the band's excerpt, within what the band's arrays leave. Beside one tile a
thread, tiles of a part of the columns are tried: a picture's rows are long, and what a tile keeps
of them is to stay in the caches.

The search proposes, lowering tells the exact bytes, what does not fit is sent back with less.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ftdist.geometry import Region, Span
from ftdist.network.graph import INPUT, Network
from ftdist.network.implementations import Arithmetic
from ftdist.planning.bands.excerpt import Excerpt, excerpt
from ftdist.planning.bands.plan import BandPlan, last_shape, unit_rows
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import Footprint, footprint
from ftdist.planning.lowering.regions import region_bytes
from ftdist.planning.plan import untiled
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.search.arithmetic import AnySearch, arithmetics
from ftdist.planning.search.cutgraph import Grids
from ftdist.planning.search.search import FoundPlan
from ftdist.planning.weights import unplaced

_LOWEST_ROWS = 8
"""Lower bands are tried only where these do not fit."""

_NARROWEST = 96
"""Columns of the narrowest tiles that are tried: below it halos outweigh what caches gain."""

_MOST_GRIDS = 12

_BAND_S = 3e-3
"""Seconds that a band takes beside its kernels: lowering it, handing rows on. Measured: 1 to 5 ms
for networks of 5 to 50 layers."""

_MISSES = 2
"""Heights that are slower than the best so far before no higher ones are tried."""

_LOOKS = 5
"""How often a smaller plan is asked for where one does not fit with its programs."""


@dataclass(frozen=True, slots=True)
class BandProblem:
    """What is asked: the network at the picture's size, `available_bytes` for all that depends on
    the plan (weights, activations, programs, the band's rows), and how they are computed.

    `beside_bytes` says what reading and writing hold for so many rows of the output a band.
    `arithmetic` is that of rows that were made before, where there are some: bits depend on it.
    """

    network: Network
    picture: bool
    threads: int
    profile: DeviceProfile
    available_bytes: int
    beside_bytes: Callable[[int], int]
    exact_direct: bool = False
    arithmetic: Arithmetic | None = None

    @property
    def heights(self) -> Iterator[int]:
        """The heights of bands that are tried, ascending; the last is the whole picture."""
        height, unit = last_shape(self.network).height, unit_rows(self.network)
        rows = unit * max(1, -(-_LOWEST_ROWS // unit))
        while rows < height:
            yield rows
            rows *= 2
        yield height

    @property
    def low_heights(self) -> Iterator[int]:
        """Those that are tried where none of these fits, descending; the last is the lowest."""
        unit = unit_rows(self.network)
        rows = next(self.heights) // 2 // unit * unit
        while rows:
            yield rows
            rows = rows // 2 // unit * unit


def band_grids(network: Network, threads: int) -> Grids:
    """Those that are tried: threads share rows, or columns, in ever narrower tiles."""
    width = last_shape(network).width
    found = [(threads, 1)] if threads > 1 else []
    for doubled in itertools.count():
        columns = threads << doubled
        if (doubled and width // columns < _NARROWEST) or len(found) == _MOST_GRIDS:
            return tuple(found)
        found.append((1, columns))
    raise AssertionError


@dataclass(frozen=True, slots=True)
class FoundBands:
    """A band plan with its predicted seconds, and what it takes, by part, beside all else."""

    plan: BandPlan
    seconds: float
    parts: Footprint


def fastest_bands(problem: BandProblem) -> FoundBands | None:
    """The fastest band plan that fits; None where not even the lowest bands do."""
    best: FoundBands | None = None
    misses = 0
    for rows in problem.heights:
        found = _of_height(problem, rows)
        if found is None:
            if best is not None:
                break
            continue
        if best is None or found.seconds < best.seconds:
            best, misses = found, 0
        else:
            misses += 1
            if misses == _MISSES:
                break
    return best or _lowest_bands(problem)


def _lowest_bands(problem: BandProblem) -> FoundBands | None:
    """Where bands of no usual height fit: the fastest of lower ones, at last the smallest plan."""
    for rows in problem.low_heights:
        if (found := _of_height(problem, rows)) is not None:
            return found
    if problem.arithmetic is not None:
        return None
    least = smallest_bands(problem)
    taken = least.parts.peak_bytes + problem.beside_bytes(least.plan.rows)
    return least if taken <= problem.available_bytes else None


def examined(problem: BandProblem, plan: BandPlan, band_s: float) -> FoundBands:
    """A band plan with all that it takes, whether it fits or not; `band_s` for each band."""
    network = problem.network
    bands = dict.fromkeys((plan.inner(network), plan.last(network)))
    found = [_taken(problem, plan, each) for each in bands]
    largest = max(found, key=lambda each: each.peak_bytes)
    count = last_shape(network).height / plan.rows
    return FoundBands(plan, count * (band_s + _BAND_S), largest)


def _taken(problem: BandProblem, plan: BandPlan, span: Span) -> Footprint:
    """What a band takes. The picture's rows are held in their whole width, from the first one on
    that this band or a later one reads; where it reads a part of the columns, kernels have a copy.
    """
    network, picture = problem.network, problem.picture
    lowered = lower(network, plan.part(network, span), unplaced(network), picture=picture)
    taken = footprint(lowered, network)
    region = lowered.inputs[INPUT]
    if not region.size:
        return taken
    held = region.bottom - min(region.top, plan.first_row(network, span))
    whole = region_bytes(network, {INPUT: Region(0, held, 0, network.input.width)}, picture=picture)
    own = region_bytes(network, {INPUT: region}, picture=picture)
    is_copied = region.right - region.left < network.input.width
    return replace(taken, input=taken.input - own + whole + (own if is_copied else 0))


def smallest_bands(problem: BandProblem) -> FoundBands:
    """The band plan that needs least, whether it fits or not: the lowest bands, most cut."""
    rows = min(next(problem.heights), unit_rows(problem.network))
    problem = replace(problem, arithmetic=None)
    found = _search(problem, _seen(problem, rows)).smallest()
    return examined(problem, BandPlan(found.plan, rows), found.seconds)


def _seen(problem: BandProblem, rows: int) -> Excerpt:
    """What a band of so many rows sees of the network."""
    network = problem.network
    plan = BandPlan(untiled(network), rows)
    region = plan.part(network, plan.inner(network)).region
    assert region is not None
    return excerpt(network, region)


def _search(problem: BandProblem, seen: Excerpt) -> AnySearch:
    tried: tuple[Arithmetic, ...] = ((),)
    if problem.arithmetic is not None:
        tried = (problem.arithmetic,)
    elif not problem.exact_direct:
        tried = arithmetics(seen, problem.profile)
    return AnySearch(
        seen,
        problem.threads,
        problem.profile,
        tried,
        grids=band_grids(problem.network, problem.threads),
    )


def _of_height(problem: BandProblem, rows: int) -> FoundBands | None:
    """The fastest plan for bands of so many rows that fits."""
    seen = _seen(problem, rows)
    arrays = seen.input.elements * (1 if problem.picture else 4)
    arrays += sum(seen.shape(each).bytes for each in seen.output_sources)
    room = problem.available_bytes - problem.beside_bytes(rows) - arrays
    if room <= 0:
        return None
    search = _search(problem, seen)
    for _ in range(_LOOKS):
        found: FoundPlan | None = search.fastest(room, closely=False)
        if found is None:
            return None
        taken = examined(problem, BandPlan(found.plan, rows), found.seconds)
        over = taken.parts.peak_bytes + problem.beside_bytes(rows) - problem.available_bytes
        if over <= 0:
            return taken
        room = min(room, found.peak_bytes) - over
    return None
