"""Workers join: who is taken, how their links are measured, what they are told."""

from __future__ import annotations

from typing import Any

import pytest
from support.coordinator.fakes import CLOCK_S, FakeWorker
from support.coordinator.manual import Line, Manual
from support.coordinator.simulation import Simulation

from ftdist.coordinator.events import Arrived, Revoked, Unreadable
from ftdist.coordinator.settings import Settings
from ftdist.protocol.client_messages import StatusRequest, WorkerStatus
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.records import TaskId
from ftdist.protocol.shared_messages import Refusal, Taken
from ftdist.protocol.worker_messages import Heartbeat, Probe, Result, Welcome


def states(cluster: Manual) -> dict[str, WorkerStatus]:
    """What the status says of each worker."""
    asker = next((line for line in cluster.lines.values() if line.peer == b"asker"), None)
    if asker is None:
        asker = Line(b"asker", FakeWorker("asker", cluster.network))
        cluster.lines[b"asker"] = asker
    cluster.say(asker, StatusRequest(PROTOCOL))
    return {each.name: each for each in asker.inbox.pop().workers}  # type: ignore[union-attr]


def test_a_worker_is_welcomed_and_measured() -> None:
    cluster = Manual(Settings(heartbeat_s=2.0))
    line = cluster.connect(FakeWorker("pi", cluster.network, threads=4))
    cluster.hand_in(line)
    welcome, probe = line.inbox
    assert isinstance(welcome, Welcome)
    assert (welcome.heartbeat_s, welcome.lost_after_s) == (2.0, 5.0)
    assert isinstance(probe, Probe)
    assert probe.data.size == 0
    assert states(cluster)["pi"].state == "measuring link"
    cluster.exchange()
    assert states(cluster)["pi"].state == "idle"
    assert cluster.logs == ["worker pi: joins, 4 threads, avx2, 64 MiB"]


def test_a_link_is_no_faster_than_its_round_trips_allow() -> None:
    """Answers to nothing take 10 ms, as on a board that is held up; those to ballast 4 ms."""
    cluster = Manual()
    line = cluster.connect(FakeWorker("pi", cluster.network))
    cluster.hand_in(line)
    while states(cluster)["pi"].state != "idle":
        probe = line.inbox[-1]
        assert isinstance(probe, Probe)
        cluster.now_s += 0.004 if probe.data.size else 0.010
        cluster.deliver(line)
        cluster.hand_in(line)
    assert states(cluster)["pi"].link_bytes_per_s == pytest.approx((256 << 10) / 0.0005)


def test_links_are_measured() -> None:
    sim = Simulation()
    node = sim.worker("pi")
    node.bytes_per_s, node.latency_s = 1e6, 0.02
    sim.client("job", 1)
    sim.run(2.0)
    (spec,) = sim.asked[0].workers
    assert spec.latency_s == pytest.approx(0.02, rel=0.1)
    assert spec.link_bytes_per_s == pytest.approx(1e6, rel=0.1)


def test_the_coordinators_own_worker_needs_no_link() -> None:
    cluster = Manual()
    line = cluster.connect(FakeWorker("own", cluster.network), local=True)
    cluster.hand_in(line)
    assert [type(message) for message in line.inbox] == [Welcome]
    cluster.client("job", 1)
    (spec,) = cluster.questions[0].workers
    assert spec.latency_s == 0
    assert spec.link_bytes_per_s == float("inf")
    assert states(cluster)["own"].link_bytes_per_s == 0


def test_clocks_are_compared() -> None:
    sim = Simulation()
    sim.worker("pi", relative_time=100.0)
    client = sim.as_client(sim.client("job", 1))
    sim.run_until(lambda: client.finished)
    computed = [span for span in sim.traced if span.what == "task"]
    assert computed
    assert all(span.start_s < CLOCK_S < CLOCK_S + 100 for span in computed)
    assert all(span.end_s - span.start_s > 0.01 for span in computed)


def test_planning_is_told_what_workers_said() -> None:
    cluster = Manual(Settings(reference_macs_per_s=1e10, kept_frames=5))
    said: dict[str, Any] = {"threads": 3, "budget_bytes": 1 << 27, "baseline_bytes": 1 << 25}
    cluster.worker("pi", macs_per_s=2e9, credit_bytes=1234, **said)
    cluster.client("job", 7, picture=False)
    (question,) = cluster.questions
    (spec,) = question.workers
    assert (spec.name, spec.credit_bytes, spec.relative_time) == ("pi", 1234, 5.0)
    assert (spec.threads, spec.budget_bytes, spec.baseline_bytes) == (3, 1 << 27, 1 << 25)
    assert (question.frames, question.picture, question.kept_frames) == (7, False, 5)


def test_planning_is_told_of_the_fastest_first() -> None:
    cluster = Manual()
    for name, macs_per_s, threads in (("a", 1e9, 1), ("b", 4e9, 1), ("c", 3e9, 2)):
        cluster.worker(name, macs_per_s=macs_per_s, threads=threads)
    cluster.client("job", 1)
    assert [spec.name for spec in cluster.questions[0].workers] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"protocol": PROTOCOL + 1}, "protocol"),
        ({"fused": False, "instruction_set": "sse2"}, "sse2 has no fused multiply-add"),
    ],
)
def test_a_worker_that_does_not_fit_is_refused_for_good(said: dict[str, Any], reason: str) -> None:
    cluster = Manual()
    line = cluster.connect(FakeWorker("old", cluster.network, **said))
    cluster.hand_in(line)
    (refusal,) = line.inbox
    assert isinstance(refusal, Refusal)
    assert refusal.final
    assert reason in refusal.reason
    assert not states(cluster)
    assert reason in cluster.logs[-1]


def test_workers_without_fused_arithmetic_are_taken_if_told_to() -> None:
    cluster = Manual(Settings(mix_unfused=True))
    cluster.worker("old", fused=False)
    assert list(states(cluster)) == ["old"]


def test_no_more_workers_are_taken_than_allowed() -> None:
    cluster = Manual(Settings(most_workers=1))
    cluster.worker("a")
    line = cluster.connect(FakeWorker("b", cluster.network))
    cluster.hand_in(line)
    (refusal,) = line.inbox
    assert isinstance(refusal, Refusal)
    assert not refusal.final


def test_workers_of_one_name_are_told_apart() -> None:
    cluster = Manual()
    for _ in range(3):
        cluster.worker("pi")
    assert list(states(cluster)) == ["pi", "pi-2", "pi-3"]


def test_a_second_hello_is_answered_again() -> None:
    """A worker that got no answer in time asks once more."""
    cluster = Manual()
    line = cluster.worker("pi")
    line.outbox.append(line.worker.hello())
    cluster.hand_in(line)
    assert [type(message) for message in line.inbox] == [Welcome]
    assert list(states(cluster)) == ["pi"]


def test_a_worker_that_begins_anew_is_another_one() -> None:
    """Its process is the same, but it does not know any more what it was given."""
    cluster = Manual()
    line = cluster.worker("pi")
    cluster.client("job", 1)
    cluster.plan()
    cluster.exchange()
    assert line.worker.tasks
    line.outbox.append(line.worker.hello())
    cluster.exchange()
    assert any("pi: said hello again; 1 task given" in text for text in cluster.logs)
    assert list(states(cluster)) == ["pi"]
    client = next(each for each in cluster.lines.values() if each.peer != line.peer).client
    cluster.run()
    assert client.finished


# ---- who is no worker


def stranger(cluster: Manual) -> Line:
    line = Line(b"stranger", FakeWorker("stranger", cluster.network))
    cluster.lines[line.peer] = line
    return line


@pytest.mark.parametrize(
    "message",
    [
        Heartbeat(1, 0, 0, 0),
        Result(TaskId("job-1.0", 0, 0, 0, 0), False, (), 0.0, 0.0, 0.0, 0),
        Taken(1, 0.0),
    ],
    ids=["heartbeat", "result", "taken of who was here before"],
)
def test_who_is_not_registered_is_told_to_reconnect(message: Any) -> None:
    cluster = Manual()
    line = stranger(cluster)
    cluster.say(line, message)
    (refusal,) = line.inbox
    assert isinstance(refusal, Refusal)
    assert not refusal.final
    assert "not registered" in refusal.reason


def test_strangers_are_not_answered_each_time() -> None:
    cluster = Manual()
    line = stranger(cluster)
    for _ in range(1000):
        cluster.say(line, Heartbeat(1, 0, 0, 0))
    assert len(line.inbox) == 1
    cluster.now_s += 1.0
    cluster.say(line, Heartbeat(1, 0, 0, 0))
    assert len(line.inbox) == 2


def test_refusals_are_not_remembered_for_ever() -> None:
    cluster = Manual()
    for number in range(5000):
        message = Heartbeat(1, 0, 0, 0)
        cluster.machine.handle(Arrived(b"stranger%d" % number, message), cluster.now_s)
    assert len(cluster.machine._roster._refused) <= 1024


def test_what_is_no_message_ends_a_worker_for_good() -> None:
    cluster = Manual()
    line = cluster.worker("pi")
    cluster.handle(Unreadable(line.peer, "garbage"))
    (refusal,) = line.inbox
    assert isinstance(refusal, Refusal)
    assert refusal.final
    assert "garbage" in refusal.reason
    assert not states(cluster)


def test_what_is_no_message_from_a_stranger_is_answered_once() -> None:
    cluster = Manual()
    line = stranger(cluster)
    for _ in range(1000):
        cluster.handle(Unreadable(line.peer, "garbage"))
    assert len(line.inbox) == 1


def test_a_key_that_is_no_longer_allowed_ends_its_workers_and_jobs() -> None:
    cluster = Manual()
    gone, stays = cluster.worker("a", key="K1"), cluster.worker("b", key="K2")
    lost, kept = cluster.client("one", 2, key="K1"), cluster.client("two", 2, key="K2")
    for line in (gone, stays, lost, kept):
        line.inbox.clear()
    cluster.handle(Revoked("K1"))
    assert list(states(cluster)) == ["b"]
    for line, final in ((gone, False), (lost, True)):  # a worker goes on asking
        (refusal,) = line.got(Refusal)
        assert refusal.final == final
        assert "key" in refusal.reason
    assert not stays.got(Refusal)
    assert not kept.got(Refusal)
    assert [text for text in cluster.logs if text.startswith("job one: its key")]
    assert not [text for text in cluster.logs if text.startswith("job two: its key")]


def test_no_key_is_no_key_to_revoke() -> None:
    cluster = Manual()
    cluster.worker("a")
    cluster.handle(Revoked(""))
    assert list(states(cluster)) == ["a"]
