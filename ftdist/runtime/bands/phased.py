"""Runs the passes of a network by bands: the early ones for what layers need of whole maps.

What is made between passes is small and held to the end; each pass has an engine of its own, which
is gone before the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Span
from ftdist.network.modelfile import Model
from ftdist.network.subnetwork import Subnetwork
from ftdist.planning.bands.phases import Phase
from ftdist.planning.bands.plan import BandPlan
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import untiled
from ftdist.runtime.bands.running import Band, BandRunner, Rows
from ftdist.runtime.bound import Kernels
from ftdist.runtime.runner import Runner

Given = dict[int, NDArray[np.float32]]
"""Small maps, by their number in the whole network, (rows, columns, channels)."""


@dataclass(frozen=True)
class PhasedRunner:
    """Runs a network's phases, each by its plan."""

    model: Model
    phases: tuple[Phase, ...]
    plans: tuple[BandPlan, ...]
    kernels: Kernels = "native"

    def small_maps(self, begin: Callable[[int], Rows], told: Callable[[int, Span], None]) -> Given:
        """What the last pass reads beside the picture.

        `begin` gives the picture's rows anew for each pass; `told` hears of each band, with the
        number of its pass.
        """
        held: Given = {}
        for number, phase in enumerate(self.phases[:-1]):
            held |= self._gathered(number, begin(number), held, told)
            assert phase.between is not None
            held |= self._between(phase.between, held)
            held = {source: held[source] for source in self._wanted_after(number)}
        return held

    def last(self, held: Given) -> BandRunner:
        """What runs the last pass."""
        return self._runner(len(self.phases) - 1, held)

    def _runner(self, number: int, held: Given) -> BandRunner:
        own = self.phases[number].bands
        given = {-1 - at: held[source] for at, source in enumerate(own.inputs) if source >= 0}
        return BandRunner(own.of_model(self.model), self.plans[number], self.kernels, given)

    def _gathered(
        self, number: int, rows: Rows, held: Given, told: Callable[[int, Span], None]
    ) -> Given:
        """The small maps that a pass makes, whole."""
        own = self.phases[number].bands
        found = {each: np.empty(self.model.network.shape(each), np.float32) for each in own.outputs}

        def take(band: Band) -> None:
            for source, region in band.regions.items():
                into = found[own.layers[source]]
                into[region.top : region.bottom, region.left : region.right] = band.maps[source]
            told(number, band.rows)

        with self._runner(number, held) as runner:
            runner.run(rows, take)
        return found

    def _between(self, own: Subnetwork, held: Given) -> Given:
        """What small layers make of small maps."""
        model = own.of_model(self.model)
        lowered = lower(own.network, untiled(own.network), model.offsets, picture=False)
        given: dict[int, NDArray[Any]] = {
            -1 - at: held[source] for at, source in enumerate(own.inputs)
        }
        with Runner(model, self.kernels) as runner:
            made = runner.run(lowered, given)
        return {own.layers[number]: made[number].copy() for number in own.network.outputs}

    def _wanted_after(self, number: int) -> set[int]:
        """The small maps that passes and small layers after a pass read."""
        found: set[int] = set()
        for phase in self.phases[number + 1 :]:
            for each in (phase.bands, phase.between):
                if each is not None:
                    found.update(source for source in each.inputs if source >= 0)
        made = {n for phase in self.phases[number + 1 :] for n in phase.bands.outputs}
        made |= {n for p in self.phases[number + 1 :] if p.between for n in p.between.outputs}
        return found - made
