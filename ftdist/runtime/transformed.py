"""Weights that are transformed before a run, each layer's in memory of its own.

They take the place of the layer's pages of the model file, which are not made resident: what is
transformed is read through a small buffer, once for a session. Heavy layers are not among them:
their kernels transform the weights as they go.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from ftdist.network.implementations import IMPLEMENTATIONS
from ftdist.network.modelfile import Model
from ftdist.network.modelheader import ArrayName
from ftdist.network.packing import BLOCK, BLOCKS
from ftdist.planning.lowering.lowered import Lowered
from ftdist.planning.weights import in_pages
from ftdist.runtime.budget.memory import page_block


class TransformedWeights:
    """Transformed weights of one model, by layer."""

    def __init__(self, model: Model, *, native: bool) -> None:
        self._model = model
        self._native = native
        self._held: dict[int, tuple[str, NDArray[np.uint8]]] = {}
        self._ready: Callable[[], Lowered | None] = _no_plan
        """The plan that was found to have what it wants, while nothing has changed."""

    @property
    def bytes(self) -> dict[int, int]:
        """Bytes by layer, in whole pages."""
        return {layer: in_pages(array.nbytes) for layer, (_, array) in self._held.items()}

    def array(self, layer: int) -> NDArray[np.uint8]:
        """The transformed weights of a layer, then its bias."""
        return self._held[layer][1]

    def clear(self) -> None:
        """Gives all of them back."""
        self._ready = _no_plan
        self._held.clear()

    def ready(self, lowered: Lowered) -> bool:
        """Whether of a plan's layers just those are there that it wants, for its algorithms."""
        if self._ready() is lowered:
            return True
        held = {n: name for n, (name, _) in self._held.items() if n in lowered.weights}
        is_ready = held == lowered.transformed
        self._ready = weakref.ref(lowered) if is_ready else _no_plan
        return is_ready

    def let_go(self, layers: Collection[int], lowered: Lowered) -> None:
        """Gives back those of other layers, and those that a plan wants otherwise."""
        self._ready = _no_plan
        for layer, (name, _) in tuple(self._held.items()):
            wanted = lowered.transformed.get(layer, name if layer not in lowered.weights else None)
            if layer not in layers or wanted != name:
                del self._held[layer]

    def prepare(self, algorithms: Mapping[int, str]) -> None:
        """Makes those that are missing; FtdistError when the model file is no longer whole."""
        self._ready = _no_plan
        for layer, name in algorithms.items():
            if layer not in self._held:
                self._held[layer] = name, self._made(layer, name)

    def _made(self, layer: int, name: str) -> NDArray[np.uint8]:
        operation, (source, *_) = self._model.network.asked(layer)
        form = IMPLEMENTATIONS[name].form(operation, source)
        sizes, stored = form.sizes(operation, source), BLOCKS.sizes(operation, source)
        places = self._model.offsets
        at = {each: places[ArrayName(layer, BLOCKS.name, each)] for each in sizes}
        made = page_block(4 * sum(sizes.values()))
        floats = made.view(np.float32)
        weights, bias = floats[: sizes["weights"]], floats[sizes["weights"] :]
        if self._native:
            from ftdist.kernels import native

            size = 2 if name == "winograd2" else 4
            blocks = sizes["bias"] // BLOCK
            native.transform(
                self._model.file,
                at["weights"],
                blocks,
                source.channels,
                size,
                weights.view(np.uint8),
            )
            read = os.pread(self._model.file, bias.nbytes, 4 * at["bias"])
            bias[:] = np.frombuffer(read, np.float32)
        else:
            lying = self._model.weights.view(np.float32)
            arrays = {n: lying[at[n] :][:size] for n, size in stored.items()}
            packed = form.pack(operation, source, BLOCKS.unpack(operation, source, arrays))
            weights[:], bias[:] = packed["weights"], packed["bias"]
        return made


def _no_plan() -> None:
    return None
