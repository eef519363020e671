"""Workers that are stuck, slow, or killed by what they do."""

from __future__ import annotations

import re

from support.coordinator.fakes import FakeWorker
from support.coordinator.manual import Manual
from support.coordinator.sharedplans import banded, gridded
from support.coordinator.simulation import Node, Simulation
from support.coordinator.started import client, started, worker

from ftdist.coordinator.events import Gone
from ftdist.coordinator.settings import Settings
from ftdist.protocol.shared_messages import ModelRequest, Refusal
from ftdist.protocol.worker_messages import Assign, Cancel, Fetch

# ---- stuck


def test_a_worker_that_makes_no_progress_is_lost() -> None:
    cluster = started(settings=Settings(stuck_after_s=10.0))
    a, b = worker(cluster, "a"), worker(cluster, "b")
    for _ in range(10):
        b.worker.progress += 1
        cluster.wait(1.0)
    assert not a.got(Refusal)
    b.worker.progress += 1
    cluster.wait(1.5)
    assert "worker a: lost, it made no progress for 1" in "\n".join(cluster.logs)
    assert not any("worker b: lost" in text for text in cluster.logs)


def test_a_worker_that_has_nothing_to_do_is_not_stuck() -> None:
    cluster = Manual(Settings(stuck_after_s=10.0))
    cluster.worker("a")
    cluster.wait(60.0)
    assert not any("lost" in text for text in cluster.logs)


def test_a_worker_that_gets_its_weights_is_not_stuck() -> None:
    cluster = Manual(Settings(stuck_after_s=5.0))
    cluster.client("job", 1)
    line = cluster.connect(FakeWorker("a", cluster.network))
    line.worker.slow_weights = True
    cluster.exchange()
    cluster.plan()
    for _ in range(20):
        cluster.wait(1.0)
        cluster.say(line, ModelRequest("0" * 32, 0, 0, 1))
    assert not line.got(Refusal)
    cluster.wait(7.0)
    assert any("made no progress" in text for text in cluster.logs)


def test_what_kills_every_worker_fails_the_job() -> None:
    cluster = started("a", settings=Settings(losses=4))
    for _ in range(4):
        assert client(cluster).failed is None
        a = worker(cluster, "a")
        assert a.worker.tasks
        cluster.cut(a)
        cluster.handle(Gone(a.peer))
        cluster.worker("a")
        cluster.exchange()
    failed = client(cluster).failed
    assert failed is not None
    assert "4 workers were lost while computing frame 0, layers 0..1" in failed.reasons[0]
    assert re.search(
        r"; the last was a, whose link carried [\d.e+]+ Mbit/s: [\d.]+ MiB were sent to it, "
        r"[\d.]+ MiB were to come back$",
        failed.reasons[0],
    )


# ---- stragglers


def slow_down(sim: Simulation, node: Node, relative_time: float) -> None:
    sim.as_worker(node).relative_time = relative_time


def test_an_idle_worker_helps_a_straggler() -> None:
    """One of three becomes a thousand times slower: its task ends elsewhere, long before."""
    sim = Simulation(planning=lambda ask: gridded(sim.network, ask.workers, rows=3, columns=1))
    nodes = [sim.worker(name, relative_time=20.0) for name in "abc"]
    watched = sim.as_client(sim.client("job", 6))
    sim.run_until(lambda: len(watched.done) == 2)
    slow_down(sim, nodes[1], 20_000.0)
    before_s = sim.now_s
    sim.run_until(lambda: watched.finished)
    assert sim.now_s - before_s < 20.0
    assert any(node is nodes[1] and isinstance(m, Cancel) for _, node, m in sim.sent)


def test_nobody_helps_if_told_not_to() -> None:
    sim = Simulation(
        Settings(speculate=False, stuck_after_s=1e6),
        planning=lambda ask: gridded(sim.network, ask.workers, rows=3, columns=1),
    )
    nodes = [sim.worker(name, relative_time=20.0) for name in "abc"]
    watched = sim.as_client(sim.client("job", 6))
    sim.run_until(lambda: len(watched.done) == 2)
    slow_down(sim, nodes[1], 20_000.0)
    sim.run(20.0)
    assert not watched.finished
    assert not any(isinstance(message, Cancel) for _, _, message in sim.sent)


def test_workers_that_keep_their_rows_do_not_take_each_others() -> None:
    """Equal workers in a banded plan wait for each other's rows now and then; that is no reason."""
    sim = Simulation(planning=lambda ask: banded(sim.network, ask.workers))
    for name in "abc":
        sim.worker(name, relative_time=20.0, macs_per_s=5e8)
    watched = sim.as_client(sim.client("job", 10))
    sim.run_until(lambda: watched.finished)
    assert not any(isinstance(message, Cancel | Fetch) for _, _, message in sim.sent)
    assert sum(isinstance(message, Assign) for _, _, message in sim.sent) == 10 * 9


def test_a_straggler_in_a_banded_plan_is_helped_too() -> None:
    """Its rows are made elsewhere, stage by stage, and what it kept before is made again."""
    sim = Simulation(Settings(stuck_after_s=1e6, in_flight=2))
    nodes = [sim.worker(name, relative_time=20.0, macs_per_s=5e8) for name in "abc"]
    watched = sim.as_client(sim.client("job", 4))
    sim.run_until(lambda: len(watched.done) == 2)
    slow_down(sim, nodes[1], 20_000.0)
    before_s = sim.now_s
    sim.run_until(lambda: watched.finished)
    assert sim.now_s - before_s < 100.0


def test_a_little_late_is_not_late() -> None:
    """A worker that is slower by a fifth than was believed is left alone."""
    sim = Simulation(Settings(in_flight=1))
    for name, relative_time in (("a", 20.0), ("b", 24.0)):
        sim.worker(name, relative_time=relative_time, macs_per_s=5e8)
    watched = sim.as_client(sim.client("job", 2))
    sim.run_until(lambda: watched.finished)
    assert not any(isinstance(message, Cancel) for _, _, message in sim.sent)


def far_too_late() -> Manual:
    """Worker b is alive, but does not come to an end with its task of the second stage."""
    cluster = started("ab", frames=4, settings=Settings(in_flight=1))
    for stage, names in ((0, "ab"), (1, "a")):
        for name in names:
            assert worker(cluster, name).worker.tasks[0].task.stage == stage
            cluster.work(worker(cluster, name))
        cluster.exchange()
    for _ in range(6):
        cluster.wait(1.0)
        worker(cluster, "b").worker.progress += 1
    return cluster


def test_a_task_that_takes_far_too_long_is_taken_away() -> None:
    """What b keeps for it is fetched from b, which is alive."""
    cluster = far_too_late()
    b = worker(cluster, "b")
    (said,) = [text for text in cluster.logs if "others take it over" in text]
    assert said.startswith("worker b: frame 0, layers 2..4, tile 2 of 2 has taken")
    assert b.worker.tasks
    finished = len(client(cluster).done)
    for _ in range(10):
        cluster.work(worker(cluster, "a"))
        cluster.exchange()
    assert len(client(cluster).done) > finished
    assert len(b.worker.done) == 1


def test_who_came_to_an_end_is_given_tasks_again() -> None:
    cluster = far_too_late()
    b = worker(cluster, "b")
    cluster.exchange()
    cluster.work(b)
    cluster.exchange()
    cluster.run()
    assert client(cluster).finished
    assert len(b.worker.done) > 2


def test_a_task_of_an_only_worker_is_not_taken_away() -> None:
    cluster = started("a", frames=2)
    for _ in range(20):
        cluster.wait(1.0)
        worker(cluster, "a").worker.progress += 1
    assert not any("others go on" in text for text in cluster.logs)
    cluster.run()
    assert client(cluster).finished
