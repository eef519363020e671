"""Tasks that any worker may take: who gets them, and that nobody waits without need."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from support.coordinator.sharedplans import banded, gridded, plan_of
from support.coordinator.simulation import Simulation

from ftdist.coordinator.jobs import frames
from ftdist.coordinator.settings import Settings
from ftdist.planning.sharing.plan import SharedPlan
from ftdist.protocol.worker_messages import Assign


def simulated(
    relative_time: dict[str, float],
    frames: int,
    *,
    rows: int = 6,
    told: bool = True,
    **settings: Any,
) -> Simulation:
    """A job of a grid of tiles for all, done; `told`: workers' speeds were known."""
    sim = Simulation(
        Settings(trace=True, **settings),
        planning=lambda ask: gridded(sim.network, ask.workers, rows=rows, columns=1),
    )
    for name, factor in relative_time.items():
        said: dict[str, Any] = {"macs_per_s": 1e10 / factor} if told else {}
        sim.worker(name, relative_time=factor, **said)
    watched = sim.as_client(sim.client("job", frames))
    sim.run_until(lambda: watched.finished)
    return sim


def counts(sim: Simulation) -> dict[str, int]:
    """How many tasks each worker did."""
    found: dict[str, int] = {}
    for span in sim.traced:
        if span.what == "task":
            found[span.track] = found.get(span.track, 0) + 1
    return found


def test_everything_moves_and_nothing_is_kept() -> None:
    sim = simulated({"a": 10.0, "b": 10.0}, 3)
    orders = [message for _, _, message in sim.sent if isinstance(message, Assign)]
    assert len(orders) == 3 * 18
    assert not any(order.keep or order.kept for order in orders)
    assert sum(counts(sim).values()) == 3 * 18


def test_equal_workers_do_equally_much() -> None:
    found = counts(simulated({"a": 10.0, "b": 10.0, "c": 10.0}, 6))
    assert max(found.values()) - min(found.values()) <= 6


@pytest.mark.parametrize("told", [True, False], ids=["known", "found out"])
def test_a_faster_worker_does_more(told: bool) -> None:
    found = counts(simulated({"a": 10.0, "b": 30.0}, 20, told=told))
    assert found["a"] == pytest.approx(3 * found["b"], rel=0.25)


def test_the_last_tasks_go_to_who_ends_them_first() -> None:
    """One frame of one row of tiles: a does all, since b would take ten times as long for one."""
    found = counts(simulated({"a": 1.0, "b": 50.0}, 1, rows=3, in_flight=1))
    assert found == {"a": 9}


def test_a_slow_worker_takes_its_share_of_many_frames() -> None:
    """Whole frames for whoever is free. b takes ten times as long: too long for the last ones."""
    sim = Simulation(
        Settings(trace=True),
        planning=lambda ask: gridded(sim.network, ask.workers, (0, 9), rows=1, columns=1),
    )
    for name, relative_time in (("a", 10.0), ("b", 100.0)):
        sim.worker(name, relative_time=relative_time, macs_per_s=1e10 / relative_time)
    watched = sim.as_client(sim.client("job", 66))
    sim.run_until(lambda: watched.finished)
    assert counts(sim)["b"] in (4, 5, 6)
    frames = {span.name for span in sim.traced if span.track == "b"}
    assert "frame 0, layers 0..8" in {span.name for span in sim.traced}
    assert not frames & {f"frame {frame}, layers 0..8" for frame in range(60, 66)}


def test_no_worker_is_idle_while_tasks_wait() -> None:
    sim = simulated({"a": 10.0, "b": 12.0, "c": 15.0}, 12)
    busy = sum(span.end_s - span.start_s for span in sim.traced if span.what == "task")
    first = min(span.start_s for span in sim.traced)
    last = max(span.end_s for span in sim.traced)
    assert busy > 0.85 * 3 * (last - first)


def test_the_next_task_is_there_when_one_ends() -> None:
    """Over slow links: inputs travel while the worker computes."""
    sim = Simulation(planning=lambda ask: gridded(sim.network, ask.workers, rows=6, columns=1))
    node = sim.worker("a", relative_time=100.0)
    node.bytes_per_s = 20_000.0
    watched = sim.as_client(sim.client("job", 6))
    sim.run_until(lambda: watched.finished)
    tasks = sorted((s.start_s, s.end_s) for s in sim.traced if s.what == "task")
    idle = sum(max(0.0, later[0] - earlier[1]) for earlier, later in pairwise(tasks))
    assert idle < 0.1 * (tasks[-1][1] - tasks[0][0])


def moved_bytes(planning: Callable[..., SharedPlan]) -> int:
    """Bytes of inputs and results of a job for two workers."""
    sim = Simulation(Settings(speculate=False))
    sim.planning = lambda ask: planning(sim.network, ask.workers)
    for name in "ab":
        sim.worker(name, relative_time=10.0)
    watched = sim.as_client(sim.client("job", 4))
    sim.run_until(lambda: watched.finished)
    sim.run(2.0)
    progress = watched.progress[-1]
    return (progress.sent_bytes + progress.received_bytes) // progress.finished


def test_only_halos_move_between_bands() -> None:
    """Workers that keep their rows send a fraction of what everything would be."""
    assert moved_bytes(banded) < 0.6 * moved_bytes(gridded)


def test_more_pieces_than_a_message_takes_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last stage reads two maps, each made by eight tiles."""
    monkeypatch.setattr(frames, "TENSORS", 9)
    sim = Simulation()
    sim.planning = lambda ask: plan_of(
        ask.workers,
        [
            *gridded(sim.network, ask.workers, (0, 2, 4, 5), rows=4, columns=2).stages,
            *gridded(sim.network, ask.workers, (5, 9), rows=1, columns=1).stages,
        ],
    )
    sim.worker("a")
    watched = sim.as_client(sim.client("job", 1))
    sim.run_until(lambda: watched.finished)
    most = max(len(m.pieces) for _, _, m in sim.sent if isinstance(m, Assign))
    assert most <= 9
