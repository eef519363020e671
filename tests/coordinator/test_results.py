"""Results that are wrong, late, doubled or somebody else's: each tile is accepted once."""

from __future__ import annotations

import numpy as np
import pytest
from support.coordinator.started import client, started, status, worker

from ftdist.coordinator.events import Gone
from ftdist.coordinator.tasks import assignments
from ftdist.geometry import Region
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import Refusal
from ftdist.protocol.worker_messages import Assign, Failed, Fetch, Result

# ---- results


def test_a_result_may_come_in_parts() -> None:
    cluster = started("ab")
    while any(cluster.work(line, parts=3) for line in cluster.workers()):
        cluster.exchange()
    assert client(cluster).finished


def test_a_doubled_result_counts_once() -> None:
    cluster = started("ab")
    a = worker(cluster, "a")
    cluster.work(a)
    result = a.outbox[0]
    cluster.exchange(a)
    for _ in range(5):
        cluster.say(a, result)
    assert status(cluster).late == 5
    cluster.run()
    assert client(cluster).finished


def test_a_result_of_somebody_else_does_not_count() -> None:
    cluster = started("ab")
    a, b = worker(cluster, "a"), worker(cluster, "b")
    cluster.work(a)
    stolen = a.outbox.pop()
    cluster.say(b, stolen)
    assert status(cluster).late == 1
    assert not a.got(Assign)
    assert not b.got(Refusal)
    cluster.say(a, stolen)
    cluster.run()
    assert client(cluster).finished


def test_a_result_of_a_lost_worker_does_not_count() -> None:
    cluster = started("ab")
    a = worker(cluster, "a")
    cluster.work(a)
    late = a.outbox.pop()
    cluster.handle(Gone(a.peer))
    actions = cluster.say(a, late)
    assert [type(action.message) for action in actions] == [Refusal]  # type: ignore[union-attr]
    cluster.run()
    assert client(cluster).finished


def test_a_result_from_before_a_new_hello_does_not_count() -> None:
    """The same connection, but the worker began anew: attempts have other numbers."""
    cluster = started("a")
    a = worker(cluster, "a")
    cluster.work(a)
    late = a.outbox.pop()
    cluster.say(a, a.worker.hello())
    cluster.exchange()
    cluster.say(a, late)
    assert status(cluster).late == 1
    cluster.run()
    assert client(cluster).finished


def _wrong(result: Result, flaw: str) -> Result:
    first, *rest = result.pieces
    source, region, data = first.source, first.region, first.data
    top, bottom, left, right = region
    changed = {
        "nothing": [],
        "a part": [Piece(source, Region(top, bottom - 1, left, right), data[:-1])],
        "twice": [first, first],
        "another map": [Piece(source + 1, region, data)],
        "elsewhere": [Piece(source, Region(top + 50, bottom + 50, left, right), data)],
        "channels": [Piece(source, region, data[..., :1])],
        "dtype": [Piece(source, region, data.astype(np.uint8))],
        "more": [
            Piece(source, Region(top, bottom + 1, left, right), np.concatenate([data, data[:1]]))
        ],
    }
    pieces = (*changed[flaw], *rest)
    return Result(result.task, False, pieces, 0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize(
    "flaw",
    ["nothing", "a part", "twice", "another map", "elsewhere", "channels", "dtype", "more"],
)
def test_who_sends_a_wrong_result_is_sent_away_for_good(flaw: str) -> None:
    cluster = started("ab")
    a = worker(cluster, "a")
    cluster.work(a)
    result = a.outbox.pop()
    assert isinstance(result, Result)
    cluster.say(a, _wrong(result, flaw))
    (refusal,) = a.got(Refusal)
    assert refusal.final
    assert "wrong result" in refusal.reason
    cluster.cut(a)
    cluster.run()
    assert client(cluster).finished


def test_a_failure_that_nobody_waits_for_is_dropped() -> None:
    cluster = started("ab")
    a = worker(cluster, "a")
    task = a.worker.tasks[0].task
    cluster.work(a)
    cluster.exchange()
    cluster.say(a, Failed(task, "error", "too late", 0))
    cluster.run()
    assert client(cluster).finished
    assert status(cluster).workers[0].failed == 0


def test_what_is_fetched_is_checked_too() -> None:
    cluster = started("ab")
    for name in "ab":
        cluster.work(worker(cluster, name))
    cluster.exchange()
    b = worker(cluster, "b")
    b.outbox.append(b.worker.fail("error"))
    cluster.hand_in(b)
    (fetch,) = b.got(Fetch)
    cluster.say(b, Result(fetch.task, False, (), 0.0, 0.0, 0.0, 0))
    assert b.got(Refusal)[0].final
    cluster.cut(b)
    cluster.run()
    assert client(cluster).finished


def test_attempts_are_told_apart_when_their_numbers_begin_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assignments, "_ATTEMPTS", 8)
    cluster = started("ab", frames=6)
    cluster.run()
    assert client(cluster).finished
    numbers = [assign.task.attempt for line in cluster.workers() for assign in line.worker.done]
    assert max(numbers) == 7
