"""While a plan is searched for workers begin to get weights, and no more than planning's time lets.

A worker's link is fast where a test does not say otherwise.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.coordinator.manual import Line, Manual
from support.coordinator.sharedplans import gridded, model_of, small_network
from support.coordinator.simulation import Simulation
from support.coordinator.started import client, started

from ftdist.coordinator.events import Origin
from ftdist.coordinator.plans.loading_ahead import loaded_ahead
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.workers.shared_link import FIRST_NUMBER
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.worker_messages import Assign, Hello, Prepare, Probe

MODEL = model_of(small_network())
WHOLE = sum(MODEL.weight_bytes.values())


def idle(names: str = "ab", wait_s: float = 2.0) -> Manual:
    """Workers without weights, there for a while, and no job yet, for which nothing is prepared."""
    cluster = Manual(
        Settings(prepare=False), planning=lambda ask: gridded(cluster.network, ask.workers)
    )
    for name in names:
        cluster.worker(name).worker.slow_weights = True
    cluster.wait(wait_s)
    return cluster


def told(line: Line) -> list[tuple[int, ...]]:
    """The layers whose weights a worker was told to get, order by order."""
    found = [*line.worker.unfetched, *line.got(Prepare)]
    return [each.layers for each in found]


def test_the_weights_of_layers_count() -> None:
    """A convolution has weights and biases: 4 of 3x3x3, 6 of 3x3x4..."""
    assert MODEL.weight_bytes == {0: 448, 2: 888, 3: 112, 4: 888, 6: 260, 8: 1308}
    assert MODEL.weighted == tuple(MODEL.weight_bytes)


def test_weights_come_while_a_plan_is_searched_for() -> None:
    cluster = idle()
    cluster.client("job", 1)
    assert cluster.questions
    assert [told(line) for line in cluster.workers()] == [[MODEL.weighted]] * 2
    for line in cluster.workers():
        line.worker.slow_weights = False
        line.outbox.extend(line.worker.fetch_weights())
    cluster.exchange()
    cluster.plan()
    cluster.exchange()
    assert not any(told(line) for line in cluster.workers())  # they have them
    cluster.run()
    assert client(cluster).finished


def test_no_weights_come_without_a_job_if_nothing_is_to_be_prepared() -> None:
    assert not any(told(line) for line in idle(wait_s=20.0).workers())


def test_weights_are_there_before_the_job() -> None:
    """All workers get theirs; and the link that all share is measured when these have come."""
    simulation = Simulation()
    simulation.shared_link_bytes_per_s = 5e6
    for name in "abc":
        simulation.worker(name).bytes_per_s = 5e6
    simulation.run(30.0)
    told = [node for _, node, each in simulation.sent if isinstance(each, Prepare)]
    assert {node.peer for node in told} == set(simulation.nodes)
    late = simulation.worker("d")
    late.bytes_per_s = 5e6
    simulation.as_worker(late).slow_weights = True
    simulation.run(10.0)
    assert simulation.as_worker(late).unfetched
    probes = len([each for *_, each in simulation.sent if isinstance(each, Probe)])
    fifth = simulation.worker("e")
    fifth.bytes_per_s = 5e6
    simulation.run(10.0)
    shared = [each for *_, each in simulation.sent if isinstance(each, Probe)][probes:]
    assert not [each for each in shared if each.number >= FIRST_NUMBER], "weights are on the link"
    count = len(simulation.sent)
    job = simulation.client("job", 9)
    simulation.run_until(lambda: simulation.as_client(job).finished, 600.0)
    early = {node.who for _, node, each in simulation.sent[:count] if isinstance(each, Prepare)}
    used = {node.who for _, node, each in simulation.sent[count:] if isinstance(each, Assign)}
    assert used and used <= early


def test_no_weights_come_while_workers_join() -> None:
    """A link is measured while nothing else is on it."""
    cluster = idle(wait_s=0.0)
    cluster.client("job", 1)
    assert cluster.questions and not any(told(line) for line in cluster.workers())


def test_no_weights_come_ahead_where_a_plan_serves() -> None:
    """They would hold up what is computed by it."""
    cluster = started("a", frames=2)
    cluster.run()
    late = cluster.worker("b")
    late.worker.slow_weights = True
    cluster.wait(2.0)
    cluster.client("other", 2)
    assert len(cluster.questions[0].workers) == 2 and not told(late)
    cluster.exchange()
    assert cluster.workers()[0].worker.tasks


@pytest.mark.parametrize("plan", [False, True], ids=["no plan", "a plan"])
def test_a_plan_of_others_leaves_a_worker_with_what_it_got(*, plan: bool) -> None:
    """Its job ends well, whoever loads."""
    cluster = idle("ab")
    cluster.client("job", 1)
    question = cluster.questions[0]
    _, b = cluster.workers()
    if not plan:
        cluster.cut(b)
    cluster.plan(gridded(cluster.network, question.workers))
    for line in cluster.workers():
        line.worker.slow_weights = False
        line.outbox.extend(line.worker.fetch_weights())
    cluster.run()
    assert client(cluster).finished


def worker(number: int, rate: float, *, crowded: bool = False, local: bool = False) -> Worker:
    hello = Hello(PROTOCOL, f"w{number}", "1", 1 << 26, 1 << 24, 1 << 20, 1, "avx2", True, 1e10)
    found = Worker(number, b"", "", local, Origin(), hello.name, hello, 1.0, 0.0, 0.0)
    found.link_bytes_per_s = rate
    found.crowded_bytes_per_s = rate / 8 if crowded else math.inf
    return found


@given(
    links=st.lists(st.tuples(st.floats(1.0, 1e5), st.booleans(), st.booleans()), max_size=6),
    held=st.sets(st.sampled_from(MODEL.weighted)),
    shared=st.floats(1.0, 1e5),
    planning_s=st.floats(0.0, 20.0),
)
def test_no_more_comes_than_links_carry_while_planning_takes(
    links: list[tuple[float, bool, bool]], held: set[int], shared: float, planning_s: float
) -> None:
    workers = [
        worker(number, rate, crowded=crowded, local=local)
        for number, (rate, crowded, local) in enumerate(links)
    ]
    for each in workers:
        each.layers |= held
    found = dict(loaded_ahead(workers, MODEL, shared, planning_s))
    seconds = max(planning_s, 2.0)
    lacking = [layer for layer in MODEL.weighted if layer not in held]
    together = 0
    for each, layers in found.items():
        size = sum(MODEL.weight_bytes[layer] for layer in layers)
        together += size if each.crowded else 0
        assert not each.local
        assert size <= seconds * each.link_bytes_per_s
        assert list(layers) == lacking[: len(layers)]
    assert together <= seconds * shared
    crowded = [each for each in workers if each.crowded and not each.local]
    assert [each for each in found if each.crowded] in ([], crowded[:1])


def test_of_those_who_share_a_link_the_first_gets_all_of_it() -> None:
    """A link that carries the model in 2 s, of which each would have a quarter."""
    workers = [worker(number, WHOLE, crowded=True) for number in range(4)]
    found = loaded_ahead(workers, MODEL, WHOLE / 2, 0.0)
    assert list(found) == [(workers[0], MODEL.weighted)]


def test_a_shared_link_is_not_idle_while_a_plan_is_searched_for() -> None:
    """Who is told first computes first."""
    simulation = Simulation(Settings(prepare=False), planning_s=5.0)
    simulation.shared_link_bytes_per_s = 5e6
    for name in "abcd":
        simulation.worker(name).bytes_per_s = 5e6
        simulation.run(12.0)
    job = simulation.client("job", 2)
    simulation.run(4.0)
    told_s = [(at, node) for at, node, each in simulation.sent if isinstance(each, Prepare)]
    assert len(told_s) == 1 and told_s[0][0] < simulation.now_s - 3.5
    simulation.run_until(lambda: simulation.as_client(job).finished, 600.0)
    first = next(node for _, node, message in simulation.sent if isinstance(message, Assign))
    assert first is told_s[0][1]
