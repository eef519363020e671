"""Pictures in bands: each band is a frame of its own, and any worker computes it by itself."""

from __future__ import annotations

from support.coordinator.manual import Line, Manual
from support.coordinator.sharedplans import banded, in_bands
from support.coordinator.started import client, job_line, submit, worker

from ftdist.coordinator.events import Gone
from ftdist.coordinator.settings import Settings
from ftdist.geometry import Region
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.protocol.client_messages import Accepted, Submit
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.shared_messages import Refusal

ROWS = 2
"""A third of the small network's last output, 6x5; of the other one, 12x10, it is four rows."""


def begun(pictures: int = 2, memory_bytes: int = 1 << 20) -> Manual:
    """Workers a and b with their first bands."""
    settings = Settings(band_rows=ROWS, memory_bytes=memory_bytes)
    cluster = Manual(settings, lambda ask: in_bands(cluster.network, ask.workers, ROWS))
    for name in "ab":
        cluster.worker(name)
    cluster.client("job", pictures)
    cluster.plan()
    cluster.exchange()
    return cluster


def tasks_of(line: Line) -> list[tuple[int, Region]]:
    return [(each.task.frame, each.region) for each in line.worker.tasks]


def test_a_client_is_told_of_bands_and_sends_the_rows_of_each() -> None:
    cluster = begun()
    line = job_line(cluster)
    assert line.client.accepted is not None and line.client.accepted.band_rows == ROWS
    cluster.run()
    assert line.client.sent == list(range(6)) and line.client.finished
    assert cluster.logs.count("job job: done, 6 frames in 0.0 s") == 1


def test_the_plan_of_one_band_serves_all_of_them() -> None:
    """A task makes its own band's rows, and is given what these read."""
    cluster = begun(pictures=1)
    bands = NumberedBands(cluster.network, ROWS)
    given = sorted(tasks_of(worker(cluster, "a")) + tasks_of(worker(cluster, "b")))
    assert given == [(number, bands.region(number)) for number in range(3)]
    assert [region.rows for _, region in given] == [(0, 2), (2, 4), (4, 6)]
    assigned = [each for line in cluster.workers() for each in line.worker.tasks]
    held = {each.task.frame: sum(piece.data.nbytes for piece in each.pieces) for each in assigned}
    assert (
        held[0] < held[1] == 24 * 20 * 3
    )  # the middle one is small, and reads all of this picture


def test_no_more_bands_are_wanted_than_memory_holds() -> None:
    """A band takes its rows in and out, not the picture's."""
    one = begun().machine._planner.current
    assert one is not None
    whole = 24 * 20 * 3 + 4 * (6 * 5 * 3 + 12 * 10 * 5)
    assert one.graph.frame_bytes < whole
    cluster = begun(memory_bytes=2 * one.graph.frame_bytes)
    assert client(cluster).sent == [0, 1]
    cluster.run()
    assert client(cluster).finished


def test_another_worker_computes_the_bands_of_one_that_is_lost() -> None:
    cluster = begun()
    lost = worker(cluster, "a")
    had = {frame for frame, _ in tasks_of(lost)}
    cluster.cut(lost)
    cluster.handle(Gone(lost.peer))
    cluster.run()
    done = {each.task.frame for each in worker(cluster, "b").worker.done}
    assert had and had <= done and client(cluster).finished


def test_a_job_goes_on_with_the_bands_that_it_lacks() -> None:
    cluster = begun()
    line = job_line(cluster)
    cluster.cut(line)
    cluster.handle(Gone(line.peer))
    again = Manual(Settings(band_rows=ROWS), cluster.planning)
    again.worker("a")
    line.client.done = dict.fromkeys((0, 1, 4))
    line.client.sent.clear()
    again.exchange(again.connect(line.client))
    again.plan()
    again.run()
    assert sorted(line.client.sent) == [2, 3, 5] and line.client.finished


def test_a_job_that_began_with_other_bands_is_refused() -> None:
    cluster = begun()
    line = submit(cluster, "another", 2)
    assert line.got(Accepted)
    for rows, done in ((3, ((0, 1),)), (ROWS, ((0, 7),)), (0, ((0, 1),))):
        line.inbox.clear()
        cluster.say(line, Submit(PROTOCOL, "third", 2, True, done, rows))
        (refusal,) = line.got(Refusal)
        assert "began with" in refusal.reason and refusal.final


def test_a_plan_that_cuts_bands_further_is_no_plan() -> None:
    cluster = Manual(Settings(band_rows=ROWS), lambda ask: banded(cluster.network, ask.workers))
    cluster.worker("a")
    cluster.client("job", 1)
    cluster.plan()
    assert cluster.logs[-1] == "no plan: the plan cuts bands of pictures further"
