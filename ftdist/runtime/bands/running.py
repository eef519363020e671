"""Computes the bands of a band plan one after another, from a picture that is read as they need it.

Each band is a part (``runtime.runner``): it is lowered when its turn comes, for a picture of many
bands would else have more programs than maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from ftdist.closing import Closing
from ftdist.geometry import Region, Span
from ftdist.network.graph import INPUT
from ftdist.network.modelfile import Model
from ftdist.planning.bands.plan import BandPlan
from ftdist.planning.lowering.lowered import lower
from ftdist.runtime.bound import Kernels
from ftdist.runtime.runner import Runner


class Rows(Protocol):
    """Gives rows of a network's input from the top down (``pictures.rows.feed``)."""

    @property
    def is_picture(self) -> bool: ...

    def band(self, top: int, bottom: int) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Band:
    """What a band made: by source of the outputs its region, and the values, (rows, columns,
    channels)."""

    rows: Span
    regions: dict[int, Region]
    maps: dict[int, NDArray[Any]]


class BandRunner(Closing):
    """Runs the bands of one model; close it, or use it as a context manager.

    `given` are the maps of the network's inputs but the first, whole: (rows, columns, channels).
    """

    def __init__(
        self,
        model: Model,
        plan: BandPlan,
        kernels: Kernels = "native",
        given: Mapping[int, NDArray[Any]] | None = None,
    ) -> None:
        self.model = model
        self.plan = plan
        self._given = given or {}
        self._runner = Runner(model, kernels, plan.steps.threads)

    def close(self) -> None:
        """Ends the threads and gives the memory back."""
        self._runner.close()

    def run(self, rows: Rows, take: Callable[[Band], None], first: int = 0) -> None:
        """Hands the bands on in order, from the one that has row `first` of the last output.

        A band's values are let go before the next one is computed, so `take` keeps none of them.
        """
        network = self.model.network
        for span in self.plan.bands(network):
            if span.stop > first:
                take(self._band(rows, span))

    def _band(self, rows: Rows, span: Span) -> Band:
        self._runner.forget()  # before the next band's programs are made
        part = self.plan.part(self.model.network, span)
        lowered = lower(self.model.network, part, self.model.offsets, picture=rows.is_picture)
        inputs = {
            source: self._given[source][region.top : region.bottom, region.left : region.right]
            for source, region in lowered.inputs.items()
            if source != INPUT and region.size
        }
        wanted = lowered.inputs[INPUT]
        if wanted.size:
            inputs[INPUT] = self._picture(rows, span, wanted)
        return Band(span, lowered.outputs, self._runner.run(lowered, inputs))

    def _picture(self, rows: Rows, span: Span, wanted: Region) -> NDArray[Any]:
        """What a band reads of the picture."""
        top = min(wanted.top, self.plan.first_row(self.model.network, span))
        held = rows.band(top, wanted.bottom)
        return held[wanted.top - top :, wanted.left : wanted.right]
