"""What runs plans of one model: a session's whole plan again and again, a worker's parts in turn.

Between runs nothing is kept but the weights, the threads and the block of memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.closing import Closing
from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.kernels.program import Watch
from ftdist.network.graph import INPUT
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered
from ftdist.runtime.bound import Kernels, LayerCounters, Maps
from ftdist.runtime.engine import Engine, tidy


class Runner(Closing):
    """Runs plans of one model with up to `threads` threads.

    Close it, or use it as a context manager, to end them and give the memory back.
    """

    def __init__(
        self,
        model: Model,
        kernels: Kernels = "native",
        threads: int = 1,
        beside: Runner | None = None,
    ) -> None:
        self.model = model
        self._engine: Engine = Engine(model, kernels, threads, beside._engine if beside else None)
        self._prepared: Lowered | None = None
        self._ports: _Ports | None = None

    @property
    def counters(self) -> dict[int, LayerCounters]:
        """What the kernels counted for each layer, over all runs so far."""
        return self._engine.counters

    def watch(self, watch: Watch | None) -> None:
        """Has every tile of later runs told to `watch`, by the thread that computed it."""
        self._engine.watch = watch

    def rest(self) -> None:
        """Gives block and weights back, but keeps the threads for the next run."""
        self._engine.rest()
        self._prepared = self._ports = None

    def forget(self) -> None:
        """Lets the programs of plans go that will not run again; block and weights stay."""
        self._engine.forget()
        self._prepared = self._ports = None

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
        """Bytes that are held between tasks: weights and block, as in a ``Footprint``."""
        weights = sum(self._engine.weight_bytes.values())
        return {"weights": weights, "block": self._engine.block_bytes}

    def to_hold(self, lowered: Lowered, *, others: bool) -> tuple[int, int]:
        """Bytes of weights and block once a plan is prepared; `others`: what is held stays too."""
        transformed, blobs, block = lowered.transformed, self.model.blobs, lowered.block_bytes
        weights = {
            layer: size if layer in transformed else blobs[layer].bytes
            for layer, size in lowered.weights.items()
        }
        if others:
            weights = self._engine.weight_bytes | weights
            block = max(block, self._engine.block_bytes)
        return sum(weights.values()), block

    def close(self) -> None:
        """Ends the threads and gives the memory back; a later run takes both again."""
        self._engine.close()
        self._prepared = self._ports = None

    def prepare(
        self,
        lowered: Lowered,
        *,
        keep: frozenset[int] = frozenset(),
        most_block_bytes: int | None = None,
    ) -> None:
        """Takes the memory that a plan needs and gives back what it does not, before any inputs.

        Weights that other plans left in memory stay if their layers are in `keep`. A block that is
        larger than the plan needs stays too, unless it is larger than `most_block_bytes`.
        """
        layers = lowered.layers | (self._engine.resident & keep) if keep else lowered.layers
        self._engine.prepare(lowered, layers, most_block_bytes)
        self._prepared = lowered

    def run(self, lowered: Lowered, inputs: Mapping[int, NDArray[Any]]) -> Maps:
        """The regions `lowered.outputs` of maps, by source, float32.

        `inputs` are the regions `lowered.inputs`, in the layout of the plan; those without
        positions may be left out. InputError when they are not what the plan reads. A plan that was
        not prepared last is prepared now.
        """
        ports = self._ports_of(lowered)
        maps = {port.source: _given(port, inputs) for port in ports.inputs}
        if self._prepared is not lowered:
            self.prepare(lowered)
        for port in ports.made:
            maps[port.source] = np.empty(port.shape, port.dtype)
        for source in lowered.untouched:
            maps[source] = _NOTHING
        held = self._engine.run(maps)
        return {
            source: self._cut(lowered, source, held[source]) if source in held else maps[source]
            for source in lowered.outputs
        }

    def _ports_of(self, lowered: Lowered) -> _Ports:
        """The plan's ports, which are the same in the next run."""
        if self._ports is None or self._ports.lowered is not lowered:
            inputs = lowered.inputs.items()
            made = {s: each for s, each in lowered.outputs.items() if s not in lowered.maps}
            self._ports = _Ports(
                lowered,
                tuple(self._port(lowered, source, region) for source, region in inputs),
                tuple(self._port(lowered, source, region) for source, region in made.items()),
            )
        return self._ports

    def _port(self, lowered: Lowered, source: int, region: Region) -> _Port:
        dtype = np.uint8 if source == INPUT and lowered.picture else np.float32
        return _Port(source, self._shape(lowered, source, region), np.dtype(dtype))

    def _shape(self, lowered: Lowered, source: int, region: Region) -> tuple[int, int, int]:
        """The shape of the array of a region: in a whole plan's as the network's users have it."""
        rows, columns = region.rows.size, region.columns.size
        channels = self.model.network.shape(source).channels
        planar = lowered.plan.region is None and source in self.model.network.planar_sources
        if planar and not (source == INPUT and lowered.picture):
            return channels, rows, columns
        return rows, columns, channels

    def _cut(self, lowered: Lowered, source: int, held: NDArray[np.uint8]) -> NDArray[Any]:
        """A copy of the wanted part of a map, where the block holds more of it."""
        there, wanted = lowered.map_regions[source], lowered.outputs[source]
        if not wanted.size:
            return np.empty(self._shape(lowered, source, wanted), np.float32)
        shape = self._shape(lowered, source, there)
        values = held.view(np.float32)[: math.prod(shape)].reshape(shape)
        rows = slice(wanted.top - there.top, wanted.bottom - there.top)
        return values[rows, wanted.left - there.left : wanted.right - there.left].copy()


class _Port(NamedTuple):
    """An array that a run reads or makes: the map that it is (a part of), shape and type."""

    source: int
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]


class _Ports(NamedTuple):
    """The arrays that runs of a plan read, and those that they make."""

    lowered: Lowered
    inputs: tuple[_Port, ...]
    made: tuple[_Port, ...]


def _given(port: _Port, inputs: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """The input that a plan reads there; InputError when it is another."""
    source, shape, dtype = port
    if 0 in shape:
        return _NOTHING
    array = inputs.get(source)
    if array is None or array.shape != shape or array.dtype != dtype:
        found = "nothing" if array is None else f"{array.dtype} {array.shape}"
        raise InputError(f"the part reads {dtype} {shape} of layer {source}, not {found}")
    return tidy(array)


_NOTHING = np.empty(0, np.float32)
