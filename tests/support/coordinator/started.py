"""Clusters in which work has begun, for tests that say what happens then."""

from __future__ import annotations

from typing import Any

from ftdist.coordinator.settings import Settings
from ftdist.protocol.client_messages import Status, StatusRequest, WantFrame
from ftdist.protocol.limits import PROTOCOL
from support.coordinator.fakeclients import FakeClient
from support.coordinator.fakes import FakeWorker
from support.coordinator.manual import Line, Manual, Planning


def started(
    workers: str = "ab",
    frames: int = 1,
    settings: Settings | None = None,
    planning: Planning | None = None,
) -> Manual:
    """Workers, named by letters, that have their first tasks; of a banded plan if none is given."""
    cluster = Manual(settings, planning)
    for name in workers:
        cluster.worker(name)
    cluster.client("job", frames)
    cluster.plan()
    cluster.exchange()
    return cluster


def worker(cluster: Manual, name: str) -> Line:
    """The worker of that name that is there."""
    return next(line for line in cluster.workers() if line.worker.name == name and not line.cut)


def client(cluster: Manual) -> FakeClient:
    """The only client."""
    (found,) = (each.client for each in cluster.lines.values() if not is_worker(each))
    return found


def is_worker(line: Line) -> bool:
    return isinstance(line.who, FakeWorker)


def job_line(cluster: Manual) -> Line:
    """The line of the first client."""
    return next(line for line in cluster.lines.values() if isinstance(line.who, FakeClient))


def submit(cluster: Manual, job: str, frames: int, *, key: str = "", **traits: Any) -> Line:
    """A client's Submit arrives; what it is sent is not delivered yet."""
    line = cluster.connect(FakeClient(job, frames, cluster.network, **traits), key=key)
    cluster.hand_in(line)
    return line


def wanted(line: Line) -> list[int]:
    """The frames that a client is being asked for."""
    return [frame for message in line.got(WantFrame) for frame in message.frames]


def status(cluster: Manual) -> Status:
    """What anybody may ask."""
    asker = next(iter(cluster.lines.values()))
    cluster.say(asker, StatusRequest(PROTOCOL))
    answer = asker.inbox.pop()
    assert isinstance(answer, Status)
    return answer
