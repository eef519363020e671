"""What a worker's process holds, by the kernel's own account: idle, busy, at its budget's edge."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.cluster.scriptedcoordinator import ScriptedCoordinator, assignment, task_id, whole
from support.command import COMMAND, GUARD_S, environment
from support.smallmodels import CHAIN, write_small_model

from ftdist.geometry import Region
from ftdist.network.modelfile import Model, load
from ftdist.planning.lowering.regions import region_needs
from ftdist.protocol.records import Group, Piece, Place
from ftdist.protocol.shared_messages import Refusal
from ftdist.protocol.worker_messages import Failed, Heartbeat, Probe, ProbeReply, Result
from ftdist.runtime.budget.memory import MIB


class Process:
    """A worker in a process of its own, and the coordinator that it belongs to."""

    def __init__(self, model: Model, mem: str, folder: Path) -> None:
        self.coordinator = ScriptedCoordinator(model)
        command = [*COMMAND, "worker", self.coordinator.endpoint, "--mem", mem, "--threads", "1"]
        self._process = subprocess.Popen(
            [*command, "--cache", str(folder / "cache")],
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        self.baseline_bytes = 0

    def peak_bytes(self) -> int:
        """VmHWM of the process, after it has said something more."""
        self.coordinator.take(Heartbeat)
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the process is gone")

    def close(self) -> None:
        self._process.terminate()
        status = self._process.wait(GUARD_S)
        self.coordinator.close()
        assert status == 0


class Starts:
    """Starts processes and ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Process] = []

    def __call__(self, model: Model, mem: str) -> Process:
        process = Process(model, mem, self._folder)
        self._started.append(process)
        process.baseline_bytes = process.coordinator.welcome().baseline_bytes
        return process

    def close(self) -> None:
        for each in self._started:
            each.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starts]:
    made = Starts(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def first16(first16_file: Path) -> Model:
    return load(first16_file)


def test_an_idle_worker_holds_little(start: Starts, tmp_path: Path) -> None:
    process = start(load(write_small_model(tmp_path / "chain.ftd", CHAIN)), "96M")
    for size in (0, 256 << 10):
        process.coordinator.send(Probe(size, np.zeros(size, np.uint8)))
        process.coordinator.take(ProbeReply)
    process.coordinator.prepare()
    assert process.peak_bytes() <= 40 * MIB
    assert process.baseline_bytes <= 40 * MIB


def test_a_busy_worker_keeps_its_budget(start: Starts, first16: Model) -> None:
    """Halves of two stages, one task running and one waiting; maps kept, halos fetched."""
    process = start(first16, "96M")
    coordinator = process.coordinator
    coordinator.prepare()
    image = np.random.default_rng(0).integers(0, 256, first16.network.input, np.uint8)
    halves = [Region(0, 38, 0, 76), Region(38, 76, 0, 76)]
    for frame in range(3):
        for tile, half in enumerate(halves):
            inputs, _ = region_needs(first16.network, 0, 8, half)
            top, bottom, left, right = inputs[-1]
            rows = image[top:bottom, left:right]
            middle = len(rows) // 2
            pieces = (
                Piece(-1, Region(top, top + middle, left, right), rows[:middle]),
                Piece(-1, Region(top + middle, bottom, left, right), rows[middle:]),
            )
            coordinator.send(
                assignment(
                    first16,
                    task_id(tile, frame),
                    (Group(0, 8, 1, 1, 4, False),),
                    half,
                    pieces=pieces,
                    keep=True,
                )
            )
        second = (Group(8, 12, 1, 1, 0, False), Group(12, 16, 1, 1, 0, True))
        everything = Place(7, whole(first16, 7))
        coordinator.send(
            assignment(
                first16,
                task_id(0, frame, 1),
                second,
                whole(first16, 15),
                kept=(everything,),
                returns=(Place(15, whole(first16, 15)),),
            )
        )
        for _ in range(3):
            parts = coordinator.whole_result()
        assert sum(piece.data.nbytes for part in parts for piece in part.pieces) == 38 * 38 * 1024
    assert 48 * MIB < process.peak_bytes() <= 96 * MIB
    coordinator.send(Refusal("once more", final=False))
    again = coordinator.welcome()
    assert again.baseline_bytes < process.baseline_bytes + 3 * MIB, "all was given back"


def test_at_the_edge_of_its_budget_a_worker_refuses_and_does_not_exceed(
    start: Starts, first16: Model
) -> None:
    """Ever lower strips: what fits nearly fills the budget, and nothing exceeds it."""
    process = start(first16, "64M")
    coordinator = process.coordinator
    coordinator.prepare()
    image = np.random.default_rng(0).integers(0, 256, first16.network.input, np.uint8)
    refused = 0
    for strip in (0, 38, 30, 24, 19, 16, 13, 10, 8, 6, 4, 2):
        groups = (Group(0, 8, 1, 1, strip, False), Group(8, 16, 1, 1, strip // 2, False))
        coordinator.send(
            assignment(
                first16,
                task_id(strip),
                groups,
                whole(first16, 15),
                pieces=(Piece(-1, whole(first16, -1), image),),
                returns=(Place(15, whole(first16, 15)),),
            )
        )
        answer: Result | Failed = coordinator.take(Result | Failed)  # type: ignore[arg-type]
        if isinstance(answer, Result):
            while answer.more:
                answer = coordinator.take(Result)
        else:
            assert answer.reason == "memory" and answer.needed_bytes > 64 * MIB
            refused += 1
        assert process.peak_bytes() <= 64 * MIB
    assert 0 < refused < 12
    assert process.peak_bytes() > 56 * MIB


_FREED = """
import sys
from ftdist.runtime.budget.heap import SPARING_BYTES, settle_heap, trim_heap
from ftdist.runtime.budget.memory import resident_bytes
if sys.argv[1] == "settled":
    settle_heap(SPARING_BYTES)
large = bytearray(8 << 20)
del large
before = resident_bytes()
held, pins = [], []
for _ in range(32):
    held.append(bytearray(1 << 20))
    pins.append(bytes(30_000))  # more than any hole that was there before
del held
if sys.argv[1] == "trimmed":
    trim_heap()
print(resident_bytes() - before)
"""


def test_freed_messages_go_back_to_the_system() -> None:
    """By itself the allocator keeps all 32 MiB, for the little that lies between them."""

    def kept_bytes(how: str) -> int:
        command = [sys.executable, "-c", _FREED, how]
        outcome = subprocess.run(command, env=environment(), capture_output=True, check=True)
        return int(outcome.stdout)

    assert kept_bytes("settled") < 3 * MIB
    assert kept_bytes("trimmed") < 3 * MIB
    assert kept_bytes("as it is") > 16 * MIB
