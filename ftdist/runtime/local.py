"""Local mode: one network, one plan, threads of this process.

A session owns one block of memory (all arenas and all maps between groups), lowered programs and
nothing else. A run goes group by group; the tiles of a group are taken by the threads in order, so
which thread computes a tile is chance, and no bit depends on it.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import FtdistError, InputError
from ftdist.kernels.program import COUNTERS, Program, Table
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan, check
from ftdist.planning.predictor import Lowered, lower
from ftdist.planning.weights import resident_layers
from ftdist.runtime.memory import bring_in, page_block

Kernels = Literal["native", "reference"]
Executor = Callable[..., None]
Outputs = dict[str, NDArray[np.float32]]


def executor(kernels: Kernels) -> Executor:
    """The function that runs programs; imported only when wanted."""
    if kernels == "native":
        from ftdist.kernels import native

        native.chosen()
        return native.run
    from ftdist.kernels import reference

    return reference.run


@dataclass(slots=True)
class LayerCounters:
    """What the kernels counted for one layer, over all its tiles and runs so far."""

    nanoseconds: int = 0
    macs: int = 0


class Session:
    """Runs one model under one plan, any number of times.

    The plan's threads each compute one tile at a time. Close it, or use it as a context manager, to
    give the memory back.
    """

    def __init__(self, model: Model, plan: Plan, kernels: Kernels = "native") -> None:
        check(plan, model.network)
        self.model = model
        self.plan = plan
        self.counters: dict[int, LayerCounters] = {}
        self._kernels = kernels
        self._run_program = executor(kernels)
        self._lowered: dict[bool, Lowered] = {}
        self._block: NDArray[np.uint8] | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the session's memory back; a later run takes it again."""
        self._block = None
        self._lowered.clear()

    def adopt(self, lowered: Lowered, *, picture: bool) -> None:
        """Takes over the plan as somebody already lowered it."""
        self._lowered = {picture: lowered}

    def lowered(self, *, picture: bool) -> Lowered:
        """The plan, lowered for a uint8 picture or for a float32 array; lowered once."""
        if picture not in self._lowered:
            self._lowered.clear()
            self._lowered[picture] = lower(
                self.model.network, self.plan, self.model.offsets, picture=picture
            )
        return self._lowered[picture]

    def run(self, image: NDArray[Any]) -> Outputs:
        """The network's outputs by layer name, float32 (channels, height, width).

        `image` is float32 (channels, height, width), or uint8 (height, width, channels), which
        means value / 255. With a leading axis of 1 on a float32 input the outputs have one too.
        """
        batched = check_input(image, self.model.network)
        image = np.require(image[0] if batched else image, requirements=("C", "A"))
        lowered = self.lowered(picture=image.dtype == np.uint8)
        if os.fstat(self.model.file).st_size < len(self.model.weights):
            raise FtdistError(f"{self.model.path}: was cut short; import the model again")
        if self._block is None or self._block.nbytes < lowered.block_bytes:
            if self._kernels == "native":
                self._bring_in_weights()
            self._block = page_block(lowered.block_bytes)
        network = self.model.network
        maps: dict[int, NDArray[Any]] = {INPUT: image}
        for source, offset in lowered.maps.items():
            maps[source] = self._block[offset : offset + network.shape(source).bytes]
        for source in network.output_sources - {INPUT}:
            height, width, channels = network.shape(source)
            maps[source] = np.empty((channels, height, width), np.float32)
        for number in range(len(lowered.programs)):
            self._run_group(lowered, number, maps)
        return {
            network.layers[number].name: maps[network.source(number)][None]
            if batched
            else maps[network.source(number)]
            for number in network.outputs
        }

    def _bring_in_weights(self) -> None:
        """Makes the plan's resident weights resident, and no others.

        Page faults may map far more than they were asked for; done before the session's own memory
        is touched, what was too much is gone before it could count.
        """
        from ftdist.kernels import native

        layers = resident_layers(self.model.network, self.plan)
        spans = [
            (blob.weights, blob.weights + blob.bytes)
            for blob in map(self.model.blobs.get, layers)
            if blob
        ]
        bring_in(self.model.weights, spans, native.touch)

    def _run_group(self, lowered: Lowered, number: int, maps: dict[int, NDArray[Any]]) -> None:
        assert self._block is not None
        group = lowered.programs[number]
        bases = [maps[source] for source in group.maps]
        tiles = iter(range(group.tiles))
        lock = threading.Lock()
        tallies: list[Table] = []
        failures: list[BaseException] = []

        def work(arena: NDArray[np.uint8]) -> None:
            tally = np.zeros(len(group.made_by), COUNTERS)
            try:
                while not failures:
                    with lock:
                        tile = next(tiles, None)
                    if tile is None:
                        break
                    program: Program = group.program(tile)
                    self._run_program(
                        program, arena, self.model.weights, bases, tally, self.model.file
                    )
            except BaseException as error:
                failures.append(error)
            tallies.append(tally)

        arenas = [self._block[at : at + group.arena_bytes] for at in lowered.arenas[number]]
        helpers = [threading.Thread(target=work, args=(arena,)) for arena in arenas[1:]]
        try:
            for helper in helpers:
                helper.start()
            work(arenas[0])
        except RuntimeError as error:
            failures.append(FtdistError(f"{error}; use fewer threads"))
        except BaseException as error:
            failures.append(error)
        _join(helpers, failures)
        if failures:
            raise failures[0]
        self._count(group.made_by, tallies)

    def _count(self, made_by: tuple[int, ...], tallies: list[Table]) -> None:
        for tally, (kernel, layer) in itertools.product(tallies, enumerate(made_by)):
            counters = self.counters.setdefault(layer, LayerCounters())
            counters.nanoseconds += int(tally["nanoseconds"][kernel])
            counters.macs += int(tally["macs"][kernel])


def check_input(image: NDArray[Any], network: Network) -> bool:
    """Whether the input has a batch axis; InputError when a session would not take it."""
    height, width, channels = network.input
    if image.dtype not in (np.uint8, np.float32):
        raise InputError(f"the input is {image.dtype}; {network.name} takes float32 or uint8")
    if image.dtype == np.uint8:
        expected, layout = (height, width, channels), "uint8 (height, width, channels)"
    else:
        expected, layout = (channels, height, width), "float32 (channels, height, width)"
        if image.shape == (1, *expected):
            return True
    if image.shape != expected:
        raise InputError(
            f"the input has shape {image.shape}; {network.name} takes {layout} {expected}"
        )
    return False


def _join(helpers: list[threading.Thread], failures: list[BaseException]) -> None:
    """Waits for every thread that was started; an interrupt meanwhile stops them, and is a failure.

    None may be left behind: it would write into memory that the next run uses.
    """
    for helper in helpers:
        while helper.is_alive():
            try:
                helper.join()
            except BaseException as error:
                failures.append(error)
