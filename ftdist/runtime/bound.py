"""A lowered plan in its block: what is the same in every run is put together once.

Programs, arenas, counters, and the addresses of the maps that lie in the block: a run only adds the
maps outside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import COUNTERS, Map, Step, Stopped, Watch
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered

Kernels = Literal["native", "reference"]
Maps = dict[int, NDArray[Any]]
"""Memory of maps, by source."""


class Steps(Protocol):
    """The steps of a plan, as kernels run them: ``NativeSteps``, ``ReferenceSteps``."""

    def begin(self, maps: list[Map], workers: int) -> None:
        """Begins a run of so many threads on the maps outside the block."""

    def work(self, worker: int, stopped: Stopped, watch: Watch | None = None) -> None:
        """Takes part in a run until it is over or `stopped`; `watch` hears of tiles."""


def load_kernels(kernels: Kernels) -> None:
    """Brings the kernels into memory.

    FtdistError where the native ones do not load, InputError where the instruction set that is
    asked for is missing.
    """
    if kernels == "native":
        from ftdist.kernels import native

        native.chosen()
    else:
        from ftdist.kernels.reference import executor  # noqa: F401


@dataclass(slots=True)
class LayerCounters:
    """What the kernels counted for one layer, over all its tiles and runs so far."""

    nanoseconds: int = 0
    macs: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """A lowered plan in its block: the `maps` there, its steps, and what they counted.

    `outside` are the sources of the maps that a run adds, in the order of their numbers; `workers`
    how many threads find something to do.
    """

    lowered: Lowered
    maps: Maps
    outside: tuple[int, ...]
    workers: int
    counters: tuple[tuple[NDArray[np.void], ...], ...]
    steps: Steps

    def begin(self, maps: Mapping[int, NDArray[Any]], workers: int) -> None:
        """Begins a run on these maps outside the block."""
        self.steps.begin([maps[source] for source in self.outside], workers)

    def add_counted(self, found: dict[int, LayerCounters]) -> None:
        """Adds what its kernels have counted so far, by layer."""
        for program, tallies in zip(self.lowered.programs, self.counters, strict=True):
            for tally in tallies:
                pairs = zip(tally["nanoseconds"].tolist(), tally["macs"].tolist(), strict=True)
                for layer, (nanoseconds, macs) in zip(program.made_by, pairs, strict=True):
                    if nanoseconds or macs:
                        counters = found.setdefault(layer, LayerCounters())
                        counters.nanoseconds += nanoseconds
                        counters.macs += macs


def bind(
    lowered: Lowered,
    block: NDArray[np.uint8],
    transformed: Callable[[int], NDArray[np.uint8]],
    model: Model,
    kernels: Kernels,
) -> Bound:
    """Binds a plan to a block, and to the transformed weights of its layers."""
    maps: Maps = {
        source: block[at : at + lowered.map_bytes[source]] for source, at in lowered.maps.items()
    }
    sources = dict.fromkeys(source for each in lowered.programs for source in each.maps)
    outside = tuple(source for source in sources if source not in maps)
    keys = [("map", source) for source in maps]
    keys += [("weights", layer) for layer in lowered.transformed]
    inside = [*maps.values(), *(transformed(layer) for layer in lowered.transformed)]
    keys += [("map", source) for source in outside]
    numbers = {key: number for number, key in enumerate(keys)}
    steps = []
    for program, arenas in zip(lowered.programs, lowered.arenas, strict=True):
        bases = [numbers["map", source] for source in program.maps]
        bases += [numbers["weights", layer] for layer in program.transformed]
        steps.append(
            Step(
                program.kernels,
                program.calls,
                program.views,
                tuple(bases),
                tuple(block[at : at + program.arena_bytes] for at in arenas),
                tuple(np.zeros(len(program.made_by), COUNTERS) for _ in arenas),
            )
        )
    return Bound(
        lowered,
        maps,
        outside,
        max((len(each.arenas) for each in steps), default=1),
        tuple(each.counters for each in steps),
        _steps(kernels, steps, inside, model),
    )


def _steps(kernels: Kernels, steps: list[Step], inside: list[Map], model: Model) -> Steps:
    if kernels == "native":
        from ftdist.kernels.native import NativeSteps

        return NativeSteps(steps, inside, model.weights, model.file)
    from ftdist.kernels.reference.executor import ReferenceSteps

    return ReferenceSteps(steps, inside, model.weights)
