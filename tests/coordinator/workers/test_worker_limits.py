"""What workers are given at most: maps of few frames to keep, inputs within their credit."""

from __future__ import annotations

import pytest
from support.coordinator.fakes import FakeWorker
from support.coordinator.manual import Manual
from support.coordinator.started import client, started, worker

from ftdist.coordinator.settings import Settings


def test_a_worker_may_keep_maps_of_few_frames() -> None:
    """While b does nothing, a keeps maps of two frames and does not begin a third."""
    cluster = started("ab", frames=9, settings=Settings(kept_frames=2))
    a, b = worker(cluster, "a"), worker(cluster, "b")
    b.deaf = True
    for _ in range(20):
        cluster.work(a)
        cluster.exchange()
    assert len(a.worker.kept) == 2
    b.deaf = False
    cluster.run()
    assert client(cluster).finished


def test_credit_keeps_a_second_task_away() -> None:
    cluster = Manual()
    line = cluster.connect(FakeWorker("a", cluster.network, credit_bytes=1000))
    cluster.exchange()
    cluster.client("job", 3)
    cluster.plan()
    cluster.exchange()
    assert len(line.worker.tasks) == 1
    cluster.run()
    assert client(cluster).finished


def test_a_worker_keeps_maps_of_others_when_frames_are_finished() -> None:
    """What is finished no longer counts: a goes ahead again as far as before."""
    cluster = started("ab", frames=9, settings=Settings(kept_frames=2))
    a, b = worker(cluster, "a"), worker(cluster, "b")
    while len(client(cluster).done) < 3:
        for line in (a, b):
            cluster.work(line)
        cluster.exchange()
    b.deaf = True
    for _ in range(20):
        cluster.work(a)
        cluster.exchange()
    assert len(a.worker.kept) == 2


@pytest.mark.parametrize(("credit", "tasks"), [(2 * 780, 2), (2 * 780 - 1, 1)])
def test_credit_is_used_to_the_last_byte(credit: int, tasks: int) -> None:
    """Half a picture and the halo of its first stage: 13 rows of 20 columns and 3 channels."""
    cluster = Manual()
    for name in "ab":
        cluster.worker(name, credit_bytes=credit)
    cluster.client("job", 3)
    cluster.plan()
    cluster.exchange()
    assert [len(line.worker.tasks) for line in cluster.workers()] == [tasks, tasks]
