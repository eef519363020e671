"""Links that are slow, or shared: nobody is lost for them, and plans know what is shared."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from support.coordinator.sharedplans import gridded
from support.coordinator.simulation import Node, Simulation
from support.coordinator.started import client, job_line, started, worker

from ftdist.coordinator.events import Moved
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.workers.shared_link import FIRST_NUMBER
from ftdist.protocol.shared_messages import Refusal
from ftdist.protocol.worker_messages import Assign, Probe

SLOW = 4e2
"""Bytes a second on which the small network's frames take many seconds."""


def slow_job(*, portions: bool) -> tuple[Simulation, Node]:
    simulation = Simulation()
    simulation.portions = portions
    node = simulation.worker("pi")
    simulation.run(2.0)
    node.bytes_per_s = SLOW
    client = simulation.client("job", 3)
    simulation.run(0.5)
    return simulation, client


def test_bytes_that_move_are_life_and_no_delay() -> None:
    simulation, client = slow_job(portions=True)
    simulation.run_until(lambda: simulation.as_client(client).finished, 3000.0)
    assigned = [message.task for _, _, message in simulation.sent if isinstance(message, Assign)]
    assert len({(task.frame, task.stage, task.tile) for task in assigned}) == len(assigned)
    assert not [line for line in simulation.logs if "lost" in line or "predicted;" in line]


def test_while_a_result_travels_its_worker_is_given_one_task_more() -> None:
    cluster = started("a", frames=9, settings=Settings(kept_frames=9))
    line = worker(cluster, "a")
    cluster.exchange()
    first, second = [task.task for task in line.worker.tasks]
    cluster.work(line)
    cluster.work(line)  # both are done; the first result begins to come, the other waits behind it
    for task, count in ((first, 1), (first, 1), (second, 1)):
        cluster.handle(Moved(line.peer, 0, task))
        cluster.exchange(job_line(cluster))
        while cluster.deliver(line):
            pass
        assert len(line.worker.tasks) == count
    while line.outbox or line.worker.tasks:
        cluster.work(line)
        cluster.exchange()
    assert client(cluster).finished


def test_silence_is_still_a_loss() -> None:
    """The same link, but nothing is heard of what is on its way."""
    simulation, _ = slow_job(portions=False)
    simulation.run(120.0)
    assert any("lost" in line for line in simulation.logs)


def test_strangers_that_send_something_large_are_told_to_begin() -> None:
    simulation = Simulation()
    node = simulation.worker("pi")
    simulation.run(2.0)
    assert not simulation.machine.knows(b"nobody") and simulation.machine.knows(node.peer)
    (sent,) = simulation.machine.handle(Moved(b"nobody", 0), simulation.now_s)
    assert isinstance(sent.message, Refusal) and not sent.message.final  # type: ignore[union-attr]


def measured(own: float, shared: float, workers: int = 4) -> Simulation:
    """A cluster whose workers have links of so many bytes a second, and share so many."""
    simulation = Simulation()
    simulation.shared_link_bytes_per_s = shared
    for number in range(workers):
        simulation.worker(f"pi{number}").bytes_per_s = own
        simulation.run(12.0)
    simulation.client("job", 2)
    simulation.run(5.0)
    return simulation


def shared_rates(simulation: Simulation) -> set[float]:
    return {worker.shared_link_bytes_per_s for worker in simulation.asked[-1].workers}


@pytest.mark.parametrize(("own", "shared"), [(5e6, 5e6), (3e5, 5e5), (1e7, 2e7)])
def test_a_link_that_workers_share_is_found(own: float, shared: float) -> None:
    simulation = measured(own, shared)
    (found,) = shared_rates(simulation)
    assert found == pytest.approx(shared, rel=0.15)
    assert any("4 workers share one link" in line for line in simulation.logs)


@pytest.mark.parametrize(("own", "shared"), [(5e6, math.inf), (3e5, math.inf), (1e6, 8e6)])
def test_links_that_share_nothing_are_left_alone(own: float, shared: float) -> None:
    assert shared_rates(measured(own, shared)) == {math.inf}


def test_fast_links_and_single_workers_are_not_measured_together() -> None:
    for simulation in (measured(1e8, 1e8), measured(1e6, 1e6, workers=1)):
        assert shared_rates(simulation) == {math.inf}
        probes = [each for _, _, each in simulation.sent if isinstance(each, Probe)]
        assert all(probe.number < FIRST_NUMBER for probe in probes)


def test_workers_that_come_together_are_measured_one_after_another() -> None:
    simulation = Simulation()
    simulation.shared_link_bytes_per_s = 4e6
    for number in range(4):
        simulation.worker(f"pi{number}").bytes_per_s = 4e6
    simulation.run(12.0)
    simulation.client("job", 2)
    simulation.run(5.0)
    for spec in simulation.asked[-1].workers:
        assert spec.link_bytes_per_s == pytest.approx(4e6, rel=0.2)
        assert spec.shared_link_bytes_per_s == pytest.approx(4e6, rel=0.2)


def late_over_a_shared_link() -> Counter[tuple[int, int, int]]:
    """The orders for each task of a job when the link has become far slower than predicted."""
    simulation = Simulation()
    simulation.planning = lambda ask: gridded(simulation.network, ask.workers, rows=3, columns=1)
    simulation.shared_link_bytes_per_s = 5e6
    for number in range(4):
        simulation.worker(f"pi{number}").bytes_per_s = 5e6
    simulation.run(30.0)
    simulation.portions, simulation.shared_link_bytes_per_s = True, 4 * SLOW
    watched = simulation.as_client(simulation.client("job", 5))
    simulation.run_until(lambda: watched.finished, 3000.0)
    orders = [message.task for _, _, message in simulation.sent if isinstance(message, Assign)]
    return Counter((task.frame, task.stage, task.tile) for task in orders)


def test_what_moves_over_a_shared_link_is_not_sent_again() -> None:
    assert set(late_over_a_shared_link().values()) == {1}


def test_a_straggler_behind_a_shared_link_is_helped() -> None:
    """Nothing of its task moves any more: it computes, a thousand times slower than before."""
    simulation = Simulation()
    simulation.planning = lambda ask: gridded(simulation.network, ask.workers, rows=3, columns=1)
    simulation.shared_link_bytes_per_s = 5e6
    nodes = [simulation.worker(f"pi{number}", relative_time=20.0) for number in range(3)]
    for each in nodes:
        each.bytes_per_s = 5e6
    simulation.run(30.0)
    simulation.portions = True
    watched = simulation.as_client(simulation.client("job", 6))
    simulation.run_until(lambda: len(watched.done) == 2)
    simulation.as_worker(nodes[1]).relative_time = 20_000.0
    before_s = simulation.now_s
    simulation.run_until(lambda: watched.finished)
    assert simulation.now_s - before_s < 20.0
    assert any("3 workers share one link" in line for line in simulation.logs)


def test_a_worker_that_does_not_answer_holds_up_the_others_only_for_a_while() -> None:
    simulation = Simulation()
    simulation.worker("mute").frozen = True
    simulation.worker("pi")
    simulation.run(8.0)
    simulation.client("job", 2)
    simulation.run(5.0)
    assert [each.name for each in simulation.asked[-1].workers] == ["pi"]


@pytest.mark.parametrize(
    ("shared", "loaded", "ahead"), [(5e6, 1, 2), (5e6, 3, 1), (math.inf, 1, 1)]
)
def test_who_alone_has_weights_behind_a_shared_link_has_one_task_more(
    shared: float, loaded: int, ahead: int
) -> None:
    """Inputs come late at times, and nobody else fills the time."""
    simulation = Simulation(Settings(prepare=False))
    simulation.planning = lambda ask: gridded(simulation.network, ask.workers, rows=1, columns=1)
    simulation.shared_link_bytes_per_s = shared
    nodes = [simulation.worker(f"pi{number}", relative_time=20.0) for number in range(3)]
    for number, node in enumerate(nodes):
        node.bytes_per_s = 5e6
        simulation.as_worker(node).slow_weights = number >= loaded
    simulation.run(30.0)
    watched, most = simulation.as_client(simulation.client("job", 12)), 0

    def looked() -> bool:
        nonlocal most
        most = max(most, len(simulation.as_worker(nodes[0]).tasks))
        return watched.finished

    simulation.run_until(looked)
    assert most == 1 + ahead


def sharing(simulation: Simulation) -> list[str]:
    """The names of those who are said to share a link."""
    peers = simulation.shares[-1].peers if simulation.shares else ()
    return sorted(simulation.nodes[peer].who.name for peer in peers)  # type: ignore[union-attr]


def test_who_shares_a_link_is_said_with_its_rate() -> None:
    simulation = measured(5e6, 5e6)
    assert sharing(simulation) == ["pi0", "pi1", "pi2", "pi3"]
    assert simulation.shares[-1].bytes_per_s == pytest.approx(5e6, rel=0.15)
    assert not measured(5e6, math.inf).shares


def test_nobody_shares_anything_while_the_link_is_measured() -> None:
    """Or the answers would come one after another because they are told to."""
    simulation = measured(5e6, 5e6)
    simulation.worker("late").bytes_per_s = 5e6
    simulation.run(60.0)
    assert [len(each.peers) for each in simulation.shares[-2:]] == [0, 5]


def test_who_comes_while_a_job_runs_is_believed_to_share_the_link() -> None:
    simulation = Simulation()
    simulation.shared_link_bytes_per_s = 5e6
    nodes = [simulation.worker(f"pi{number}") for number in range(3)]
    for each in nodes:
        each.bytes_per_s = 5e6
    simulation.run(30.0)
    client = simulation.as_client(simulation.client("job", 5000))
    simulation.run(2.0)
    assert sharing(simulation) == ["pi0", "pi1", "pi2"]
    simulation.kill(nodes[0])
    simulation.run(4.0)
    assert sharing(simulation) == ["pi1", "pi2"]
    simulation.worker("late").bytes_per_s = 5e6
    simulation.run(4.0)
    assert sharing(simulation) == ["late", "pi1", "pi2"]
    assert not client.finished


def test_who_is_measured_while_the_shared_link_is_measured_counts_too() -> None:
    """A job waits until all are measured together."""
    simulation = Simulation()
    simulation.shared_link_bytes_per_s = 5e6
    for number in range(3):
        simulation.worker(f"pi{number}").bytes_per_s = 5e6
    simulation.run_until(lambda: any(each.number >= FIRST_NUMBER for each in probes(simulation)))
    (slow,) = (node for node in simulation.nodes.values() if node.who.name == "pi2")  # type: ignore[union-attr]
    simulation.freeze(slow)
    simulation.worker("pi3").bytes_per_s = 5e6
    simulation.client("job", 2)
    simulation.run(1.5)
    simulation.thaw(slow)
    simulation.run_until(lambda: bool(simulation.asked))
    assert len(sharing(simulation)) == 4
    (found,) = shared_rates(simulation)
    assert found == pytest.approx(5e6, rel=0.15)


def probes(simulation: Simulation) -> list[Probe]:
    return [each for _, _, each in simulation.sent if isinstance(each, Probe)]


def test_who_waits_for_its_weights_behind_others_is_not_stuck() -> None:
    """One gets them after another; while bytes move to somebody the next one waits its turn."""
    for moves in (True, False):
        simulation = Simulation(Settings(trace=True, stuck_after_s=20.0, prepare=False))
        simulation.shared_link_bytes_per_s = 5e6
        nodes = [simulation.worker(f"pi{number}") for number in range(3)]
        for each in nodes:
            each.bytes_per_s = 5e6
            simulation.as_worker(each).slow_weights = True
        simulation.run(30.0)
        simulation.client("job", 3)
        simulation.run(1.0)
        assert all(simulation.as_worker(each).unfetched for each in nodes)
        for _ in range(100):
            if moves:
                simulation.handle(Moved(nodes[0].peer, 1000))
            simulation.run(0.5)
        lost = [line for line in simulation.logs if "no progress" in line]
        assert bool(lost) != moves


def test_inputs_that_wait_their_turn_on_a_shared_link_are_not_sent_again() -> None:
    """Nothing moves to their workers for long, while bytes move to another that could help."""
    for moves in (True, False):
        simulation = Simulation()
        simulation.planning = lambda ask, sim=simulation: gridded(  # type: ignore[misc]
            sim.network, ask.workers, rows=2, columns=1
        )
        simulation.shared_link_bytes_per_s = 5e6
        nodes = [simulation.worker(f"pi{number}") for number in range(3)]
        for each in nodes:
            each.bytes_per_s = 5e6
        simulation.run(30.0)
        simulation.client("job", 1)
        simulation.run_until(lambda sim=simulation: len(assigned(sim)) == 2)  # type: ignore[misc]
        busy = [node for node, _ in assigned(simulation)]
        for each in busy:
            simulation.freeze(each)
        idle = next(each for each in nodes if each not in busy)
        for _ in range(15):
            if moves:
                simulation.handle(Moved(idle.peer, 1000))
            simulation.run(0.1)
        assert (len(assigned(simulation)) == 2) == moves


def assigned(simulation: Simulation) -> list[tuple[Node, Assign]]:
    return [(node, each) for _, node, each in simulation.sent if isinstance(each, Assign)]
