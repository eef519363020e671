"""What scheduling costs: the coordinator's state machine alone, with 64 simulated workers.

Plans of 64, 512 and 4,096 tasks a frame, in four stages. In one kind of plan each task belongs to a
worker, as the search makes them: maps stay, halos move. In the other anybody may take any task and
everything moves. Workers answer at once, results are zeros; only the time inside the state machine
counts: every message, tick and heartbeat, and the reference is the mean over all of them.

The bars: under 50 microseconds an event, and no more at 4,096 tasks than 1.5 times what it is at
512 (linear in tasks; the smallest plan leaves most workers idle). ::

    python benchmarks/scheduling.py [--workers N] [--frames N]
"""

from __future__ import annotations

import argparse
import gc
from collections import deque
from time import thread_time

import numpy as np

from ftdist.coordinator.events import Action, Arrived, AskPlan, Event, Planned, Send, Tick
from ftdist.coordinator.machine import Coordinator
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.geometry import Region, Shape, partition
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.sharing.plan import SharedPlan, Tile, WorkerSpec
from ftdist.protocol.client_messages import FrameInput, JobResult, Received, Submit, WantFrame
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Piece
from ftdist.protocol.worker_messages import (
    Assign,
    Heartbeat,
    Hello,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Result,
)

STAGES, HEIGHT, WIDTH = 4, 1024, 4
SIZES = 64, 512, 4096
BAR_US, BAR_RATIO = 50.0, 1.5
STEP_S = 1e-4
"""Simulated time between two events: a frame of 4,096 tasks takes half a second."""


def network() -> Network:
    """One convolution a stage."""
    builder = NetworkBuilder("stages", Shape(HEIGHT, WIDTH, 1))
    for number in range(STAGES):
        builder.add(Convolution(1, Sliding.square(3, padding=1)), [number - 1])
    return builder.finish()


def plan(specs: tuple[WorkerSpec, ...], tasks: int, *, owned: bool) -> SharedPlan:
    """Equal bands of rows; `owned`: each belongs to a worker, neighbouring ones to the same."""
    count = tasks // STAGES
    stages = []
    for stage in range(STAGES):
        tiles = []
        for index, rows in enumerate(partition(HEIGHT, count)):
            part = Plan((GroupPlan(stage, stage + 1),), region=Region(*rows, 0, WIDTH))
            seat = index * len(specs) // count if owned else None
            tiles.append(Tile(seat, (part,) * len(specs), (0.01,) * len(specs)))
        stages.append(tuple(tiles))
    names = tuple(worker.name for worker in specs)
    shares = (1 / len(specs),) * len(specs)
    return SharedPlan(names, tuple(stages), shares, 1.0, 1.0, 0, 0, "")


class Cluster:
    """The machine, and everybody around it reduced to what they answer."""

    def __init__(self, workers: int, tasks: int, frames: int, *, owned: bool) -> None:
        self._tasks = tasks
        self._owned = owned
        model = ModelInfo("stages", network(), "0" * 32, 1000)
        self._machine = Coordinator(Settings(kept_frames=4, in_flight=3), model)
        self._now_s = 0.0
        self._queue: deque[tuple[bytes, Message]] = deque()
        self._peers = [b"worker%d" % number for number in range(workers)]
        self._planned: Event | None = None
        self._frames = frames
        self._next_beat_s = 1.0
        self.planned_s = 0.0
        self.spent_s: list[float] = []
        self.finished = 0

    def run(self) -> None:
        """A whole job; `spent_s` holds the time of each event but those of joining and planning."""
        for number, peer in enumerate(self._peers):
            self._queue.append((peer, hello(number)))
        self._queue.append((b"client", Submit(PROTOCOL, "job", self._frames, True, ())))
        while self.finished < self._frames:
            self._now_s += STEP_S
            if self._planned is not None:
                event, self._planned = self._planned, None
                started_s = thread_time()
                actions = self._machine.handle(event, self._now_s)
                self.planned_s = thread_time() - started_s
                self._answer(actions)
                self.spent_s.clear()
                gc.collect()
            elif self._machine.next_s <= self._now_s:
                self._handle(Tick())
            else:
                self._handle(Arrived(*self._queue.popleft()))
            if self._now_s >= self._next_beat_s:
                self._next_beat_s += 1.0
                beat = Heartbeat(int(self._now_s), 1, 0, 0)
                self._queue.extend((peer, beat) for peer in self._peers)

    def _handle(self, event: Event) -> None:
        started_s = thread_time()
        actions = self._machine.handle(event, self._now_s)
        self.spent_s.append(thread_time() - started_s)
        self._answer(actions)

    def _answer(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, AskPlan):
                answer = plan(action.workers, self._tasks, owned=self._owned)
                self._planned = Planned(action.number, answer)
            elif isinstance(action, Send):
                for message in self._answers(action.message):
                    self._queue.append((action.peer, message))

    def _answers(self, message: Message) -> list[Message]:
        match message:
            case Probe(number=number):
                return [ProbeReply(number, self._now_s)]
            case Prepare(model=model, layers=layers):
                return [Ready(model, layers)]
            case WantFrame(job=job, frames=frames):
                whole = Region(0, HEIGHT, 0, WIDTH)
                data = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
                piece = Piece(INPUT, whole, data)
                return [FrameInput(job, frame, False, (piece,)) for frame in frames]
            case JobResult(job=job, frame=frame, more=False):
                self.finished += 1
                return [Received(job, frame)]
            case Assign():
                return [result(message)]
        return []


def hello(number: int) -> Hello:
    return Hello(PROTOCOL, f"w{number}", "1", 1 << 26, 1 << 24, 1 << 24, 1, "avx2", True, 1e10)


def result(assign: Assign) -> Result:
    """Zeros for all that a task returns."""
    pieces = tuple(
        Piece(
            place.source,
            place.region,
            np.zeros((place.region.rows.size, place.region.columns.size, 1), np.float32),
        )
        for place in assign.returns
    )
    return Result(assign.task, False, pieces, 0.0, 0.0, 0.01, 0)


def measure(workers: int, tasks: int, frames: int, *, owned: bool) -> float:
    """Prints and returns microseconds an event."""
    cluster = Cluster(workers, tasks, frames, owned=owned)
    cluster.run()
    spent = sorted(cluster.spent_s)
    mean_us = 1e6 * sum(spent) / len(spent)
    print(
        f"{'owned' if owned else 'shared':6} {tasks:5} tasks a frame: {mean_us:5.1f} us an event, "
        f"99% under {1e6 * spent[len(spent) * 99 // 100]:.0f} us, worst {1e3 * spent[-1]:.1f} ms; "
        f"{len(spent)} events; a new plan takes {1e3 * cluster.planned_s:.0f} ms",
        flush=True,
    )
    return mean_us


def main() -> int:
    parser = argparse.ArgumentParser(description="What the coordinator's scheduling costs.")
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument(
        "--frames", type=int, default=6, help="of the largest plan; others have more"
    )
    arguments = parser.parse_args()
    kept = True
    for owned in (True, False):
        times = [
            measure(arguments.workers, tasks, arguments.frames * SIZES[-1] // tasks, owned=owned)
            for tasks in SIZES
        ]
        ratio = times[-1] / times[-2]
        kept = kept and max(times) < BAR_US and ratio < BAR_RATIO
        print(f"{'':6} {SIZES[-1]} tasks cost {ratio:.2f} times as much an event as {SIZES[-2]}")
    print("bars kept" if kept else "bars missed")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
