"""Programs as sessions run them, with what memory held before and after, for tests/native/replay.

One thread at a time may run: what a map holds is looked at around each program.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from ftdist.geometry import Shape
from ftdist.kernels import native
from ftdist.kernels.program import KERNEL, Bytes, Map, Step, Stopped, Watch
from ftdist.kernels.reference import executor as reference
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Activation, Sliding
from ftdist.network.operators.joining import Sum, WeightedSum
from ftdist.network.operators.lists import ONE, Fill, NonZero, TopOfList
from ftdist.network.operators.placing import RoiPool, ScatterBy
from ftdist.network.operators.reducing import CellKind, Recurrent
from ftdist.network.operators.resampling import Crop, DepthToSpace, Reorg, Upsample
from ftdist.network.operators.tensors import ConcatenatePositions
from ftdist.network.operators.unpooling import MaxPlaces, Unpool
from ftdist.network.operators.windows import Convolution, Local, Pool
from ftdist.network.ports import Input
from ftdist.planning.plan import Plan, untiled
from ftdist.runtime.local import Session
from support.networks import cut_networks, model_of, random_input
from support.onnxcases import Case, cases
from support.onnxconformance import run_case
from support.onnxgraphs import arrays_for, computed, imported
from support.randomgraphs import random_graph
from support.randomplans import random_plan

MOST_OF_ONE = 4
"""So many programs with an operation of one kind and activation are kept."""

GRAPHS, NETWORKS = 40, 160

RARE = {"TopK", "NonMaxSuppression", "RoiAlign", "GatherElements", "GatherND", "Resize"}
"""Operators of which the onnx package's own tests are recorded."""

MOST_BYTES = 4 << 20
"""Memory of a program that is kept."""


class Recorder:
    """The compiled module, with `run` looked over; `operations` are those of what was kept."""

    def __init__(self, compiled: Any, file: BinaryIO) -> None:
        self._compiled = compiled
        self._file = file
        self._weights = b""
        self._kinds: Counter[tuple[int, ...]] = Counter()
        self.operations: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def run(self, isa: str, *given: Any) -> int:
        kernels, calls, views, weights, bases, _, _ = given
        table = kernels.view(KERNEL)
        kinds = {tuple(map(int, each)) for each in table[["op", "kind", "activation", "size"]]}
        memory = sum(size for _, size in bases)
        kept = memory <= MOST_BYTES and any(self._kinds[each] < MOST_OF_ONE for each in kinds)
        before = [ctypes.string_at(*base) for base in bases] if kept else []
        failure: int = self._compiled.run(isa, *given)
        if kept:
            assert failure == 0
            self._kinds.update(kinds)
            self.operations |= {self._compiled.OPERATIONS[number] for number, *_ in kinds}
            self._write_weights(weights.tobytes())
            tables = [each.tobytes() for each in (kernels, calls, views)]
            sizes = [*map(len, tables), len(before), *map(len, before)]
            after = (ctypes.string_at(*base) for base in bases)
            self._file.write(b"P" + np.array(sizes, np.int64).tobytes())
            self._file.writelines((*tables, *before, *after))
        return failure

    def _write_weights(self, weights: bytes) -> None:
        if weights != self._weights:
            self._weights = weights
            self._file.write(b"W" + np.int64(len(weights)).tobytes() + weights)


class TileByTile(reference.ReferenceSteps):
    """A plan's steps, each program run by native code on its own, so that it can be looked over."""

    def __init__(
        self, steps: Sequence[Step], inside: Sequence[Map], weights: Bytes, file: int
    ) -> None:
        super().__init__(steps, inside, weights)
        self._run = partial(native.run, file=file)

    def work(self, worker: int, stopped: Stopped, watch: Watch | None = None) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reference, "run", self._run)
            super().work(worker, stopped, watch)


def record(path: Path, folder: Path) -> None:
    """Programs of all operations, of random networks and of the rarer operators' own tests."""
    with path.open("wb") as file, pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(native._native, file)
        patch.setattr(native, "_native", recorder)
        patch.setattr(native, "NativeSteps", TileByTile)
        _run_networks()
        for seed in range(GRAPHS):
            model = imported(random_graph(seed).save(folder / "graph.onnx"))
            for plan in (untiled(model.network), random_plan(model.network, seed, threads=1)):
                computed(model, arrays_for(model, seed), plan)
        for case in _rare_cases():
            run_case(case)
        for algorithm in ("direct", "winograd2", "winograd4"):
            _run_convolution(algorithm)
        _run_lists()
        _run_recurrent()
        _run_placing()
    missing = set(native._native.OPERATIONS) - recorder.operations
    assert not missing, f"no program with {', '.join(missing)} was recorded"


def _run_networks() -> None:
    @settings(
        max_examples=NETWORKS,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cut_networks())
    def run(case: tuple[Any, Plan]) -> None:
        network, plan = case
        with Session(model_of(network), replace(plan, threads=1)) as session:
            session.run(random_input(network))

    run()


def _rare_cases() -> Iterator[Case]:
    return (case for case in cases() if case.operators & RARE)


def _run_convolution(algorithm: str) -> None:
    """A convolution large enough for blocks, and whatever Darknet's networks do beside."""
    builder = NetworkBuilder("blocks", Shape(24, 18, 32))
    layer = Convolution(40, Sliding.square(3, padding=1), activation=Activation("leaky"))
    made = builder.add(layer, [INPUT])
    for operation in (
        Reorg(2, "darknet"),
        Reorg(2, "blocks"),
        Crop(5, 7, 1, 2, 2.0, -1.0),
        DepthToSpace(2),
        Upsample(2),
        Local(3, Sliding.square(3, padding=1)),
    ):
        builder.add(operation, [made])
    for join in (Sum(), WeightedSum(2), ConcatenatePositions("rows")):
        builder.add(join, [made, made])
    network = builder.finish()
    plan = untiled(network)
    if algorithm != "direct":
        plan = replace(plan, arithmetic=((0, algorithm),))
    with Session(model_of(network), plan) as session:
        session.run(random_input(network))


def _run_recurrent() -> None:
    """Two sequences of six steps, by cells of every kind, from the first step on or the last."""
    builder = NetworkBuilder("sequences", Shape(2, 6, 8))
    for how in get_args(CellKind):
        for reverse in (False, True):
            cell = Recurrent(how, 19, reverse)
            added, state = (
                builder.add(Convolution(each, Sliding.square(1)), [INPUT])
                for each in (cell.gates, cell.states)
            )
            builder.add(cell, [added, builder.add(Crop(2, 1, 0, 0), [state])])
    network = builder.finish()
    with Session(model_of(network), untiled(network)) as session:
        session.run(random_input(network))


def _run_lists() -> None:
    """What lists of open length need: here the list of a map's values that are not zero."""
    inputs = [Input("map", Shape(4, 5, 3)), Input("count", ONE)]
    builder = NetworkBuilder("lists", inputs)
    places, count = builder.add(NonZero(), [INPUT]), INPUT - 1
    for operation in (Fill(-2.5), TopOfList(7), TopOfList(30, smallest=True)):
        builder.add(operation, [places, count])
    network = builder.finish()
    values = np.random.default_rng(0).integers(0, 2, (3, 4, 5)).astype(np.float32)
    given = {"map": values, "count": np.full((1, 1, 1), np.count_nonzero(values), np.float32)}
    with Session(model_of(network), untiled(network)) as session:
        session.run(given)


def _run_placing() -> None:
    """Maxima and where they lie, what is put back there, regions, and entries for a row."""
    shapes = {
        "map": Shape(6, 8, 19),
        "regions": Shape(3, 1, 4),
        "row": Shape(1, 5, 3),
        "entries": Shape(1, 7, 4),
    }
    inputs = [Input(name, shape) for name, shape in shapes.items()]
    builder, window = NetworkBuilder("placing", inputs), Sliding.square(2, 2)
    pooled, places = (
        builder.add(each, [INPUT]) for each in (Pool("max", window), MaxPlaces(window))
    )
    builder.add(Unpool(window, 6, 8), [pooled, places])
    builder.add(RoiPool(2, 3, 2.5), [INPUT, INPUT - 1])
    builder.add(ScatterBy("add"), [INPUT - 2, INPUT - 3])
    network, chance = builder.finish(), np.random.default_rng(0)
    given = {
        name: 3 * chance.random((shape.channels, shape.height, shape.width), np.float32)
        for name, shape in shapes.items()
    }
    with Session(model_of(network), untiled(network)) as session:
        session.run(given)
