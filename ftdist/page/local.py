"""The page beside a run on this machine: shows what it is told, in a coordinator's form.

A run has one worker, this process, and one job, its inputs. Whoever runs says when an input begins
and when it is done; tiles are told by the engine. A thread waits for the page's questions and
answers them; while nobody looks it sleeps, and nothing is made.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.cluster.process import WakeUp
from ftdist.coordinator.events import Look, Pictured, Seen
from ftdist.coordinator.observing.snapshot import (
    DONE,
    GIVEN,
    FrameNow,
    JobNow,
    PartNow,
    PlanNow,
    Snapshot,
    TaskNow,
    TileNow,
    Totals,
    WorkerNow,
)
from ftdist.geometry import Region, partition
from ftdist.network.graph import INPUT, Network
from ftdist.page.beside import Beside
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.protocol.client_messages import JobStatus, WorkerStatus
from ftdist.protocol.records import Piece
from ftdist.runtime.budget.memory import peak_resident_bytes

Given = NDArray[Any] | Mapping[str, NDArray[Any]]

HERE = "this machine"
_WORKER = 1


@dataclass(frozen=True, slots=True)
class LocalRun:
    """What is run: how many inputs under which name, by which plan, and what it was predicted to
    take. `groups` are those of the plan's programs, in order."""

    name: str
    inputs: int
    network: Network
    plan: Plan
    groups: Sequence[GroupPlan]
    seconds: float
    budget_bytes: int
    baseline_bytes: int
    instruction_set: str


class LocalPage:
    """Feeds the page; a context manager that ends it."""

    def __init__(self, beside: Beside, run: LocalRun) -> None:
        self._beside = beside
        self._run = run
        self._lock = threading.Lock()
        self._stop = WakeUp()
        self._totals = Totals(joined=1)
        self._input = ""
        self._begun_s: float | None = None
        self._spent_s = 0.0
        self._failed = 0
        self._group, self._tiles = 0, frozenset[int]()
        self._wants_picture = False
        self._macs = _macs(run.network)
        self._thread = threading.Thread(target=self._answer, name="page", daemon=True)
        self._thread.start()

    def __enter__(self) -> LocalPage:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.call()
        self._thread.join()
        self._stop.close()
        self._beside.close()

    # ---- what the run says

    def began(self, name: str) -> None:
        """An input begins."""
        self._input, self._begun_s = name, time.monotonic()
        self._group, self._tiles = 0, frozenset()

    def ended(self, seconds: float, given: Given, outputs: Mapping[str, NDArray[Any]]) -> None:
        """It is done: what the network was given, and its outputs by name. They are copied, thinned
        out, where somebody looks at pictures."""
        frame = self._totals.frames
        self._totals.frames += 1
        self._spent_s += seconds
        self._begun_s = None
        if self._wants_picture and not isinstance(given, Mapping):
            self._wants_picture = False
            network = self._run.network
            inputs = (_piece(INPUT, _input_map(network, given)),)
            maps = tuple(_piece(*each) for each in _output_maps(network, outputs))
            with self._lock:
                self._beside.show(Pictured(self._run.name, frame, seconds, inputs, maps))

    def failed(self) -> None:
        """An input was left out."""
        self._failed += 1
        self._begun_s = None

    def tile(self, worker: int, group: int, tile: int, started_s: float, ended_s: float) -> None:
        """A thread has computed a tile; for ``Session.watch``."""
        before = self._tiles if group == self._group else frozenset[int]()
        self._group, self._tiles = group, before | {tile}
        self._totals.tasks += 1

    # ---- what the page asks

    def _answer(self) -> None:
        poller = select.poll()
        poller.register(self._stop, select.POLLIN)
        polled = select.POLLIN
        poller.register(self._beside, polled)
        while not self._beside.ended:
            if any(handle == self._stop.fileno() for handle, _ in poller.poll()):
                return
            with self._lock:
                for look in self._beside.looks():
                    self._wants_picture = self._wants_picture or look.picture
                    self._beside.show(Seen(self._snapshot(look)))
                self._beside.flush()
            polled = select.POLLIN | (select.POLLOUT if self._beside.waits else 0)
            poller.modify(self._beside, polled)

    def _snapshot(self, look: Look) -> Snapshot:
        now_s, run, totals = time.monotonic(), self._run, self._totals
        begun_s = self._begun_s
        return Snapshot(
            now_s=now_s,
            model=run.network.name,
            plan_number=1,
            plan_text=f"{run.plan.notation}, {run.seconds:.3g} s an input predicted",
            plan=None if look.plan_number == 1 else _plan(run),
            workers=(self._worker(busy=begun_s is not None),),
            jobs=(self._job(),),
            frames=() if begun_s is None else (self._frame(now_s - begun_s),),
            frames_in_flight=int(begun_s is not None),
            totals=totals,
        )

    def _worker(self, *, busy: bool) -> WorkerNow:
        run, done = self._run, self._totals.frames
        each_s = self._spent_s / done if done else 0.0
        status = WorkerStatus(
            name=HERE,
            state="running" if busy else "idle",
            instruction_set=run.instruction_set,
            threads=run.plan.threads,
            budget_bytes=run.budget_bytes,
            peak_bytes=peak_resident_bytes(),
            share=1.0,
            macs_per_s=self._macs / each_s if each_s else 0.0,
            link_bytes_per_s=0.0,
            tasks=int(busy),
            finished=self._totals.tasks,
            failed=self._failed,
            key="",
            address="",
        )
        tasks = (self._task(),) if busy else ()
        baseline_bytes = run.baseline_bytes
        return WorkerNow(_WORKER, status, 0.0, False, 0.0, baseline_bytes, tasks)

    def _task(self) -> TaskNow:
        group = self._run.groups[self._group]
        tile, tiles = len(self._tiles), group.rows * group.columns
        number = self._totals.frames
        return TaskNow(
            self._run.name, number, group.first, group.stop, min(tile, tiles - 1), tiles, 0.0
        )

    def _frame(self, since_s: float) -> FrameNow:
        run = self._run
        group, done = run.groups[self._group], self._tiles
        shape = run.network.shape(group.stop - 1)
        regions = [
            Region(*rows, *columns)
            for rows in partition(shape.height, min(group.rows, shape.height))
            for columns in partition(shape.width, min(group.columns, shape.width))
        ]
        return FrameNow(
            job=run.name,
            frame=self._totals.frames,
            stage=self._group,
            stages=len(run.groups),
            first=group.first,
            stop=group.stop,
            height=shape.height,
            width=shape.width,
            since_s=since_s,
            tiles=tuple(
                TileNow(_WORKER, DONE if number in done else GIVEN, region)
                for number, region in enumerate(regions)
            ),
        )

    def _job(self) -> JobNow:
        run, done = self._run, self._totals.frames
        each_s = self._spent_s / done if done else 0.0
        status = JobStatus(
            job=run.name,
            finished=done,
            frames=run.inputs,
            seconds_a_frame=each_s,
            bytes_a_frame=0,
            classic_bytes_a_frame=0,
            text=self._input,
            key="",
            address="",
        )
        left = max(0, run.inputs - self._failed - done) * each_s
        return JobNow(status, int(self._begun_s is not None), left if done else -1.0)


def _plan(run: LocalRun) -> PlanNow:
    part = PartNow(0, run.plan, run.seconds)
    return PlanNow(1, (HERE,), (1.0,), run.seconds, run.seconds, 0, 0, "", ((part,),))


def _input_map(network: Network, given: NDArray[Any]) -> NDArray[Any]:
    """What the network was given as (height, width, channels)."""
    if given.dtype == np.uint8:
        return given
    layout = network.inputs[0].layout
    values = given.reshape(layout.memory(network.input))
    return values.transpose(1, 2, 0) if layout.planar else values


def _output_maps(
    network: Network, outputs: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[int, NDArray[Any]]]:
    """The maps of outputs by source, each as (height, width, channels)."""
    for number in network.outputs:
        layout, name = network.layout(number), network.layers[number].name
        values = outputs[name].reshape(layout.memory(network.shape(number)))
        yield network.source(number), values.transpose(1, 2, 0) if layout.planar else values


def _piece(source: int, values: NDArray[Any]) -> Piece:
    return Piece(source, Region(0, values.shape[0], 0, values.shape[1]), values)


def _macs(network: Network) -> int:
    return sum(
        network.macs(number) * layer.shape.height * layer.shape.width
        for number, layer in enumerate(network.layers)
    )
