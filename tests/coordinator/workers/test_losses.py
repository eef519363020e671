"""Workers fall silent, break off or leave, and come back: others do their work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.coordinator.manual import Manual
from support.coordinator.sharedplans import gridded, plan_of
from support.coordinator.simulation import Simulation
from support.coordinator.started import client, started, worker

from ftdist.coordinator.events import Gone, Tick
from ftdist.planning.sharing.plan import SharedPlan, WorkerSpec
from ftdist.protocol.shared_messages import Bye, Refusal
from ftdist.protocol.worker_messages import Assign, Fetch, Heartbeat, Prepare, Result

# ---- silence


def test_silence_loses_a_worker_after_two_and_a_half_beats() -> None:
    cluster = started()
    a = worker(cluster, "a")
    a.deaf = True
    cluster.wait(2.25)
    assert not a.got(Refusal)
    cluster.wait(0.5)
    (refusal,) = a.got(Refusal)
    assert not refusal.final
    assert any(line.startswith("worker a: lost after 2.") for line in cluster.logs)
    assert any(line.endswith("s of silence; 1 task given to others") for line in cluster.logs)
    cluster.run()
    assert client(cluster).finished


def test_the_next_tick_is_when_somebody_is_due() -> None:
    cluster = started()
    due_s = cluster.machine.next_s
    assert cluster.now_s < due_s <= cluster.now_s + 1.0


@pytest.mark.parametrize("message", [Heartbeat(0, 1, 0, 0), Result, Prepare])
def test_any_message_is_a_sign_of_life(message: object) -> None:
    cluster = started()
    a = worker(cluster, "a")
    for _ in range(6):
        cluster.now_s += 1.0
        if isinstance(message, Heartbeat):
            cluster.say(a, message)
        elif message is Result:
            cluster.work(a)
            cluster.hand_in(a)
        else:
            cluster.say(a, a.worker.heartbeat())
        cluster.handle(Tick())
        if message is Result and not a.worker.tasks:
            return
        assert not a.got(Refusal)


def test_nobody_is_lost_because_the_coordinator_was_held_up() -> None:
    """Stopped itself, or its machine asleep, it heard nobody; nor did it listen."""
    cluster = started()
    cluster.now_s += 60.0
    cluster.handle(Tick())
    assert not any(line.got(Refusal) for line in cluster.workers())
    cluster.wait(3.0, beats=False)
    assert all(line.got(Refusal) for line in cluster.workers())


def test_a_stopped_worker_that_goes_on_joins_again() -> None:
    """What it sends first is too late; then it says hello, and goes on where it was."""
    sim = Simulation()
    nodes = [sim.worker(name, relative_time=50.0) for name in "ab"]
    watched = sim.as_client(sim.client("job", 12))
    sim.run_until(lambda: len(watched.done) == 2)
    sim.freeze(nodes[0])
    sim.run(4.0)
    assert any("a: lost after 2.5 s" in text for text in sim.logs)
    tasks = len(sim.as_worker(nodes[0]).done)
    sim.thaw(nodes[0])
    sim.run_until(lambda: watched.finished)
    assert [text for text in sim.logs if text.startswith("worker a: joins")] != []
    assert len(sim.as_worker(nodes[0]).done) > tasks
    assert sum(text.startswith("worker a: joins") for text in sim.logs) == 2


# ---- disconnects


def test_a_broken_connection_loses_a_worker_at_once() -> None:
    cluster = started()
    a, b = worker(cluster, "a"), worker(cluster, "b")
    cluster.cut(a)
    cluster.handle(Gone(a.peer))
    assert b.got(Assign)
    cluster.run()
    assert client(cluster).finished


def test_a_worker_that_leaves_is_not_answered() -> None:
    cluster = started()
    a = worker(cluster, "a")
    cluster.say(a, Bye("SIGTERM"))
    assert not a.got(Refusal)
    assert "worker a: leaves (SIGTERM); 1 task given to others" in cluster.logs
    cluster.cut(a)
    cluster.run()
    assert client(cluster).finished


def test_who_is_gone_twice_is_gone_once() -> None:
    cluster = started()
    a = worker(cluster, "a")
    for _ in range(2):
        cluster.handle(Gone(a.peer))
    assert sum("a: lost" in text for text in cluster.logs) == 1


# ---- what was with a lost worker


def after_first_stage(cluster: Manual) -> None:
    """Both workers have done their first tasks, and have their second ones."""
    for name in "ab":
        cluster.work(worker(cluster, name))
    cluster.exchange()
    for name in "ab":
        assert worker(cluster, name).worker.tasks[0].task.stage == 1


def test_kept_maps_of_a_lost_worker_are_made_again() -> None:
    """Worker a's second task needs what only a had: b makes that again first, whole."""
    cluster = started()
    after_first_stage(cluster)
    a, b = worker(cluster, "a"), worker(cluster, "b")
    lost = a.worker.tasks[0].task
    cluster.cut(a)
    cluster.handle(Gone(a.peer))
    cluster.exchange()
    again = b.worker.tasks[-1]
    assert (again.task.stage, again.task.tile) == (0, lost.tile)
    assert [place.region for place in again.returns] == [again.region]
    assert not again.keep
    cluster.run()
    stages = [assign.task.stage for assign in b.worker.done if assign.task.tile == lost.tile]
    assert stages == [0, 1, 2]
    assert client(cluster).finished


def test_kept_maps_of_a_living_worker_are_fetched() -> None:
    """b cannot do its second task; a takes it, and what b keeps for it is asked of b."""
    cluster = started()
    after_first_stage(cluster)
    a, b = worker(cluster, "a"), worker(cluster, "b")
    b.outbox.append(b.worker.fail("error"))
    cluster.hand_in(b)
    (fetch,) = b.got(Fetch)
    assert all(place.source == 1 for place in fetch.places)
    cluster.run()
    assert client(cluster).finished
    taken = [assign for assign in a.worker.done if assign.task.stage == 1]
    assert len(taken) == 2


def test_what_cannot_be_fetched_is_made_again() -> None:
    cluster = started()
    after_first_stage(cluster)
    b = worker(cluster, "b")
    b.outbox.append(b.worker.fail("error"))
    cluster.hand_in(b)
    assert b.got(Fetch)
    cluster.cut(b)
    cluster.handle(Gone(b.peer))
    cluster.run()
    assert client(cluster).finished
    made = [assign.task.stage for assign in worker(cluster, "a").worker.done]
    assert sorted(made) == [0, 0, 1, 1, 2, 2]


def test_losses_go_back_as_far_as_they_must() -> None:
    """In the last stage all that a had made is lost: b begins with a's first task."""
    cluster = started()
    after_first_stage(cluster)
    for name in "ab":
        cluster.work(worker(cluster, name))
    cluster.exchange()
    a, b = worker(cluster, "a"), worker(cluster, "b")
    assert a.worker.tasks[0].task.stage == 2
    cluster.cut(a)
    cluster.handle(Gone(a.peer))
    cluster.run()
    tile = a.worker.tasks[0].task.tile
    stages = [assign.task.stage for assign in b.worker.done if assign.task.tile == tile]
    assert stages == [0, 1, 2]
    assert client(cluster).finished


# ---- nobody is left


def test_a_job_waits_for_workers() -> None:
    cluster = started("a")
    a = worker(cluster, "a")
    cluster.cut(a)
    cluster.handle(Gone(a.peer))
    cluster.wait(1.5)
    cluster.exchange()
    assert client(cluster).progress[-1].text == "waiting for workers"
    cluster.worker("new")
    cluster.run()
    assert client(cluster).finished


def test_a_worker_that_comes_back_takes_its_seat() -> None:
    """The frame goes on with the plan it had, before any new plan is made."""
    cluster = started("a")
    a = worker(cluster, "a")
    cluster.work(a)
    cluster.exchange()
    cluster.cut(a)
    cluster.handle(Gone(a.peer))
    again = cluster.worker("a")
    assert again.worker.tasks
    assert again.worker.tasks[0].task.job == "job-1.0"
    cluster.run()
    assert client(cluster).finished


@pytest.mark.parametrize(
    "changed", [{"budget_bytes": 1 << 20}, {"baseline_bytes": 1 << 25}, {"credit_bytes": 1}]
)
def test_a_worker_that_comes_back_smaller_does_not(changed: dict[str, Any]) -> None:
    cluster = started("a")
    cluster.cut(worker(cluster, "a"))
    cluster.handle(Gone(next(iter(cluster.workers())).peer))
    again = cluster.worker("a", **changed)
    assert not again.worker.tasks
    cluster.run()
    assert again.worker.done[0].task.job == "job-1.1"
    assert client(cluster).finished


def test_a_frame_begins_again_when_its_plan_fits_nobody() -> None:
    cluster = started("ab", frames=3)
    for name in "ab":
        cluster.cut(worker(cluster, name))
    for line in cluster.workers():
        cluster.handle(Gone(line.peer))
    cluster.worker("c")
    cluster.worker("d")
    cluster.run()
    assert client(cluster).finished
    assert sorted(client(cluster).sent) == [0, 1, 2]


def test_weights_are_got_for_what_nobody_was_prepared_for() -> None:
    """a makes the first stage, b the second; when a is gone, b gets the weights of both."""
    cluster = Manual(planning=lambda ask: one_stage_each(cluster, ask.workers))
    for name in "ab":
        cluster.worker(name)
    cluster.client("job", 1)
    cluster.plan()
    a, b = worker(cluster, "a"), worker(cluster, "b")
    assert [message.layers for message in b.got(Prepare)] == [(2, 3, 4, 6, 8)]
    cluster.exchange()
    cluster.cut(a)
    cluster.handle(Gone(a.peer))
    assert [message.layers for message in b.got(Prepare)] == [(0,)]
    cluster.exchange()
    while cluster.work(b):
        cluster.exchange()
    assert client(cluster).finished


def one_stage_each(cluster: Manual, workers: tuple[WorkerSpec, ...]) -> SharedPlan:
    """Worker 0 makes layers 0 and 1, worker 1 the rest; each could make all."""
    stages = [
        [replace(tile, worker=seat)]
        for seat, (tile,) in enumerate(
            gridded(cluster.network, workers, (0, 2, 9), rows=1, columns=1).stages
        )
    ]
    return plan_of(workers, stages)
