"""What runs programs: threads, and one block of memory for arenas and for maps between groups.

A run is one round of the threads, which go through all steps of a plan together: a tile goes to
whichever thread is free, so which one computes it is chance, and no bit depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import FtdistError
from ftdist.kernels.program import Map, Watch
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered
from ftdist.runtime.bound import Bound, Kernels, LayerCounters, Maps, bind, load_kernels
from ftdist.runtime.budget.memory import bring_in, page_block
from ftdist.runtime.thread_pool import ThreadPool
from ftdist.runtime.transformed import TransformedWeights

_MOST_BOUND = 16
"""Lowered plans that are remembered: a worker's tasks of a frame, which come again in the next."""


def watched_by(watches: Sequence[Watch]) -> Watch | None:
    """One that tells all of them; None where there is none."""
    if len(watches) <= 1:
        return watches[0] if watches else None

    def tell(worker: int, group: int, tile: int, started_s: float, ended_s: float) -> None:
        for each in watches:
            each(worker, group, tile, started_s, ended_s)

    return tell


def tidy(array: Map) -> Map:
    """An array that kernels can read: as it is or, where it lies otherwise in memory, a copy."""
    return array if array.flags.carray else np.require(array, requirements=("C", "A"))


class Engine:
    """Runs lowered plans of one model, one after another.

    It holds one block, as large as a plan needed it, until ``close``. An engine that is made
    `beside` another one, to run the same plan in another thread, has that one's weights, and must
    be closed before it.
    """

    def __init__(
        self, model: Model, kernels: Kernels, threads: int, beside: Engine | None = None
    ) -> None:
        load_kernels(kernels)
        self._model = model
        self._kernels = kernels
        self._native = kernels == "native"
        self._pool = ThreadPool(threads)
        self._block: NDArray[np.uint8] | None = None
        self._resident: frozenset[int] = frozenset()
        self._owns_weights = beside is None
        self._transformed: TransformedWeights = (
            TransformedWeights(model, native=self._native)
            if beside is None
            else beside._transformed
        )
        self._bound: Bound | None = None
        self._bounds: dict[int, Bound] = {}
        self._counted: dict[int, LayerCounters] = {}
        self.watch: Watch | None = None
        """Called by the worker itself, soon after each tile."""

    @property
    def counters(self) -> dict[int, LayerCounters]:
        """What the kernels counted over all runs, by layer; any thread may ask, at any time."""
        found = {n: LayerCounters(c.nanoseconds, c.macs) for n, c in self._counted.items()}
        for bound in tuple(self._bounds.values()):
            bound.add_counted(found)
        return found

    @property
    def block_bytes(self) -> int:
        """Bytes of the block that it holds."""
        return 0 if self._block is None else self._block.nbytes

    @property
    def resident(self) -> frozenset[int]:
        """The layers whose weights it has made resident."""
        return self._resident

    @property
    def weight_bytes(self) -> dict[int, int]:
        """Bytes of the weights that it holds, by layer."""
        blobs, own = self._model.blobs, self._transformed.bytes
        return {layer: own.get(layer, blobs[layer].bytes) for layer in self._resident}

    def close(self) -> None:
        """Ends the threads and gives the memory back; a later run takes both again."""
        self._pool.close()
        self._release()
        if self._owns_weights:
            self._transformed.clear()
        self._resident = frozenset()

    def forget(self) -> None:
        """Lets the programs of plans go, but keeps the block and the weights for the next plan."""
        self._unbind()

    def rest(self) -> None:
        """Gives the block and the weights back; a later run takes both again."""
        self._release()
        if self._native:
            self._bring_in(frozenset())
        self._transformed.clear()
        self._resident = frozenset()

    def prepare(
        self, lowered: Lowered, layers: frozenset[int], most_bytes: int | None = None
    ) -> None:
        """Makes the weights of these `layers` resident, and no others, and takes the block.

        FtdistError when the model file is no longer whole.

        Page faults may map far more than they were asked for; done before the block is touched,
        what was too much is gone before it could count. A block larger than the plan needs
        and than `most_bytes` is given back.
        """
        model = self._model
        if self._file_bytes() < len(model.weights):
            raise FtdistError(f"{model.path}: was cut short; import the model again")
        needed = lowered.block_bytes
        most = self.block_bytes if most_bytes is None else max(most_bytes, needed)
        ready = self._resident == layers and self._transformed.ready(lowered)
        if not ready or not needed <= self.block_bytes <= most:
            self._release()
        if not ready:
            self._transformed.let_go(layers, lowered)
            if self._native:
                as_they_lie = layers - self._transformed.bytes.keys()
                self._bring_in(as_they_lie - lowered.transformed.keys())
            self._transformed.prepare(lowered.transformed)
            self._resident = layers
        if self._block is None:
            self._block = page_block(needed)
        bound = self._bounds.get(id(lowered))
        self._bound = self._bind(lowered, self._block) if bound is None else bound

    def run(self, maps: Maps) -> Maps:
        """Runs what was prepared; returns the maps in the block, good until the next run.

        `maps` are those outside the block, as the programs address them.
        """
        bound, pool, watch = self._bound, self._pool, self.watch
        if bound is None:
            return {}
        workers = min(pool.threads, bound.workers)
        bound.begin(maps, workers)
        stopped = pool.stopping.is_set
        pool.run(lambda worker: bound.steps.work(worker, stopped, watch), workers)
        return bound.maps

    def _bind(self, lowered: Lowered, block: NDArray[np.uint8]) -> Bound:
        """Binds a plan, which is remembered until the block is given back."""
        if len(self._bounds) >= _MOST_BOUND:
            self._unbind()
        found = bind(lowered, block, self._transformed.array, self._model, self._kernels)
        self._bounds[id(lowered)] = found
        return found

    def _unbind(self) -> None:
        self._counted, self._bound = self.counters, None
        self._bounds.clear()

    def _release(self) -> None:
        self._unbind()
        self._block = None

    def _file_bytes(self) -> int:
        if not self._native:
            return os.fstat(self._model.file).st_size
        from ftdist.kernels import native

        return native.file_bytes(self._model.file)

    def _bring_in(self, layers: frozenset[int]) -> None:
        from ftdist.kernels import native

        blobs = (self._model.blobs.get(layer) for layer in sorted(layers))
        spans = [(blob.start, blob.start + blob.bytes) for blob in blobs if blob]
        bring_in(self._model.weights, spans, native.touch)
