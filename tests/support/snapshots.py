"""Snapshots of a cluster at work, as metrics, for tests that need all of them."""

from __future__ import annotations

from ftdist.coordinator.events import Look, Seen
from ftdist.network.task import Task
from ftdist.page.metrics import PageCounts, as_text
from ftdist.page.subject import Subject
from ftdist.planning.profile import DEFAULT
from support.coordinator.manual import Manual
from support.coordinator.started import started


def subject_of(cluster: Manual) -> Subject:
    return Subject("coordinator", cluster.network, DEFAULT, Task(), (), 64 << 20, 1)


def busy_metrics() -> str:
    """The metrics of two workers, a job and a plan."""
    cluster = started("ab", frames=3)
    (seen,) = cluster.handle(Look())
    assert isinstance(seen, Seen)
    shot = seen.snapshot
    page = PageCounts(streams=1, refused=0, resident_bytes=1)
    return as_text(subject_of(cluster), shot, shot.plan, 1 << 20, page)
