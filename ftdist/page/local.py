"""The page beside a run on this machine: shows what it is told, in a coordinator's form.

A run has one worker, this process, and one job, its inputs. Whoever runs says when a lane begins
an input and when it is done; tiles are told by the engine. A thread waits for the page's questions
and answers them; while nobody looks it sleeps, and nothing is made.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.cluster.process import WakeUp
from ftdist.coordinator.events import Look, Pictured, Seen
from ftdist.coordinator.observing.snapshot import (
    JobNow,
    PartNow,
    PlanNow,
    Snapshot,
    Totals,
    WorkerNow,
)
from ftdist.geometry import Region
from ftdist.kernels.program import Watch
from ftdist.network.graph import INPUT, Network
from ftdist.page.beside import Beside
from ftdist.page.lanes import Lane
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
    take. `groups` are those of the plan's programs, in order; so many `lanes` compute side by side.
    0 inputs: nobody knows how many will come."""

    name: str
    inputs: int
    network: Network
    plan: Plan
    groups: Sequence[GroupPlan]
    seconds: float
    budget_bytes: int
    baseline_bytes: int
    instruction_set: str
    lanes: int = 1


class LocalPage:
    """Feeds the page; a context manager that ends it. Lanes tell it from threads of their own."""

    def __init__(self, beside: Beside, run: LocalRun) -> None:
        self._beside = beside
        self._run = run
        self._lock = threading.Lock()
        self._stop = WakeUp()
        self._totals = Totals(joined=1)
        self._begun = self._failed = 0
        self._input = ""
        self._spent_s = 0.0
        given = run.network, run.groups, run.name, _WORKER
        self._lanes = [Lane(*given) for _ in range(run.lanes)]
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

    def began(self, name: str, lane: int = 0) -> None:
        """A lane begins an input."""
        with self._lock:
            self._input = name
            self._lanes[lane].begin(self._begun)
            self._begun += 1

    def ended(
        self, seconds: float, given: Given, outputs: Mapping[str, NDArray[Any]], lane: int = 0
    ) -> None:
        """The input is done: what the network was given, and its outputs by name.

        They are copied, thinned out, where somebody looks at pictures.
        """
        with self._lock:
            self._totals.frames += 1
            self._spent_s += seconds
            self._lanes[lane].end()
            if self._wants_picture and not isinstance(given, Mapping):
                self._wants_picture = False
                network, frame = self._run.network, self._lanes[lane].frame
                inputs = (_piece(INPUT, _input_map(network, given)),)
                maps = tuple(_piece(*each) for each in _output_maps(network, outputs))
                self._beside.show(Pictured(self._run.name, frame, seconds, inputs, maps))

    def failed(self) -> None:
        """An input was left out; no lane goes on with it."""
        with self._lock:
            self._failed += 1
            if self._run.lanes == 1:
                self._lanes[0].end()

    def watch(self, lane: int = 0) -> Watch:
        """What a lane's session is to be watched by, with ``Session.watch``."""
        return partial(self._tile, self._lanes[lane])

    def _tile(
        self, lane: Lane, worker: int, group: int, tile: int, started_s: float, ended_s: float
    ) -> None:
        with self._lock:
            lane.tile(group, tile)
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
        now_s, run = time.monotonic(), self._run
        busy = [lane for lane in self._lanes if lane.begun_s is not None]
        return Snapshot(
            now_s=now_s,
            model=run.network.name,
            plan_number=1,
            plan_text=f"{run.plan.notation}, {run.seconds:.3g} s an input predicted",
            plan=None if look.plan_number == 1 else _plan(run),
            workers=(self._worker(busy),),
            jobs=(self._job(len(busy)),),
            frames=tuple(lane.frame_now(now_s) for lane in busy),
            frames_in_flight=len(busy),
            totals=self._totals,
        )

    @property
    def _each_s(self) -> float:
        """Seconds of an input so far, 0 before there was one: as long as a lane takes, over the
        number of lanes that compute at the same time."""
        done = self._totals.frames
        return self._spent_s / (done * self._run.lanes) if done else 0.0

    def _worker(self, busy: Sequence[Lane]) -> WorkerNow:
        run, each_s = self._run, self._each_s
        status = WorkerStatus(
            name=HERE,
            state="running" if busy else "idle",
            instruction_set=run.instruction_set,
            threads=run.plan.threads * run.lanes,
            budget_bytes=run.budget_bytes,
            peak_bytes=peak_resident_bytes(),
            share=1.0,
            macs_per_s=self._macs / each_s if each_s else 0.0,
            link_bytes_per_s=0.0,
            tasks=len(busy),
            finished=self._totals.tasks,
            failed=self._failed,
            key="",
            address="",
        )
        tasks = tuple(lane.task_now() for lane in busy)
        return WorkerNow(_WORKER, status, 0.0, False, 0.0, run.baseline_bytes, tasks)

    def _job(self, in_flight: int) -> JobNow:
        run, done, each_s = self._run, self._totals.frames, self._each_s
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
        return JobNow(status, in_flight, left if done and run.inputs else -1.0)


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
        values = layout.values(outputs[name], network.shape(number))
        yield network.source(number), values.transpose(1, 2, 0) if layout.planar else values


def _piece(source: int, values: NDArray[Any]) -> Piece:
    return Piece(source, Region(0, values.shape[0], 0, values.shape[1]), values)


def _macs(network: Network) -> int:
    return sum(
        network.macs(number) * layer.shape.height * layer.shape.width
        for number, layer in enumerate(network.layers)
    )
