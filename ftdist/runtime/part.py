"""Parts of a network, run one after another: what a worker does with its tasks.

A part sees regions of maps instead of an image, and returns regions; between parts of one model
nothing is kept but the weights, the threads and the block of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.graph import INPUT
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.part import LoweredPart, part_footprint
from ftdist.runtime.engine import Engine, Kernels, Maps, tidy

__all__ = ["PartRunner", "part_footprint"]


class PartRunner:
    """Runs parts of one model with up to `threads` threads.

    Close it, or use it as a context manager, to end them and give the memory back.
    """

    def __init__(self, model: Model, kernels: Kernels = "native", threads: int = 1) -> None:
        self.model = model
        self._engine = Engine(model, kernels, threads)
        self._prepared: LoweredPart | None = None

    def __enter__(self) -> PartRunner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def progress(self) -> int:
        """A number that grows while kernels work; any thread may ask for it, at any time."""
        return sum(each.nanoseconds for each in self._engine.counters.values())

    @property
    def resident(self) -> frozenset[int]:
        """The layers whose weights are held."""
        return self._engine.resident

    @property
    def held(self) -> dict[str, int]:
        """Bytes that are held between tasks: weights and block, as in ``part_footprint``."""
        weights = sum(self.model.blobs[layer].bytes for layer in self.resident)
        return {"weights": weights, "block": self._engine.block_bytes}

    def close(self) -> None:
        """Ends the threads and gives the memory back; a later part takes both again."""
        self._engine.close()
        self._prepared = None

    def prepare(
        self,
        lowered: LoweredPart,
        *,
        keep: frozenset[int] = frozenset(),
        most_block_bytes: int | None = None,
    ) -> None:
        """Takes the memory that a part needs and gives back what it does not, before any inputs.

        Weights that other parts left in memory stay if their layers are in `keep`. A block that is
        larger than the part needs stays too, unless it is larger than `most_block_bytes`.
        """
        layers = frozenset(lowered.weights) | (self._engine.resident & keep)
        self._engine.prepare(lowered, layers, most_block_bytes)
        self._prepared = lowered

    def run(self, lowered: LoweredPart, inputs: Mapping[int, NDArray[Any]]) -> Maps:
        """The regions `lowered.outputs` of maps, by source, float32 (rows, columns, channels).

        `inputs` are the regions `lowered.inputs`, in the same layout; those without positions may
        be left out. InputError when they are not what the part reads. A part that was not prepared
        last is prepared now.
        """
        maps = {
            source: self._input(lowered, source, region, inputs)
            for source, region in lowered.inputs.items()
        }
        network = self.model.network
        if self._prepared is not lowered:
            self.prepare(lowered)
        for source, region in lowered.outputs.items():
            if source not in lowered.maps:
                shape = (region.rows.size, region.columns.size, network.shape(source).channels)
                maps[source] = np.empty(shape, np.float32)
        for program in lowered.programs:
            for source in program.inputs:
                if source not in lowered.maps:
                    maps.setdefault(source, _NOTHING)
        held = self._engine.run(maps)
        return {
            source: self._cut(lowered, source, held[source]) if source in held else maps[source]
            for source in lowered.outputs
        }

    def _input(
        self, lowered: LoweredPart, source: int, region: Region, inputs: Mapping[int, NDArray[Any]]
    ) -> NDArray[Any]:
        if not region.size:
            return _NOTHING
        channels = self.model.network.shape(source).channels
        shape = (region.rows.size, region.columns.size, channels)
        dtype = np.dtype(np.uint8 if source == INPUT and lowered.picture else np.float32)
        array = inputs.get(source)
        if array is None or array.shape != shape or array.dtype != dtype:
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise InputError(f"the part reads {dtype} {shape} of layer {source}, not {found}")
        return tidy(array)

    def _cut(self, lowered: LoweredPart, source: int, held: NDArray[np.uint8]) -> NDArray[Any]:
        """A copy of what is wanted of a map of which the block holds more."""
        there, wanted = lowered.map_regions[source], lowered.outputs[source]
        channels = self.model.network.shape(source).channels
        values = held.view(np.float32).reshape(there.rows.size, there.columns.size, channels)
        rows = slice(wanted.top - there.top, wanted.bottom - there.top)
        return values[rows, wanted.left - there.left : wanted.right - there.left].copy()


_NOTHING = np.empty(0, np.float32)
