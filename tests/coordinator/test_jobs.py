"""Jobs: submitted, their frames asked for as there is room, results delivered until received."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.coordinator.manual import Manual
from support.coordinator.started import client, job_line, started, submit, wanted

from ftdist.coordinator.jobs import jobs
from ftdist.coordinator.settings import Settings
from ftdist.geometry import Region
from ftdist.network.graph import INPUT
from ftdist.protocol.client_messages import (
    Accepted,
    FrameInput,
    JobFailed,
    JobResult,
    Received,
    Submit,
)
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import Refusal

# ---- submitting


def test_a_job_is_accepted_with_all_that_a_client_must_know() -> None:
    cluster = Manual()
    line = submit(cluster, "job", 3)
    (accepted,) = line.got(Accepted)
    assert (accepted.job, accepted.model, accepted.model_header_bytes) == ("job", "0" * 32, 1000)
    assert accepted.input == (24, 20, 3)
    named = {(each.source, each.height, each.width, each.channels) for each in accepted.outputs}
    assert named == {(6, 12, 10, 5), (8, 6, 5, 3)}


def test_one_frame_is_wanted_before_there_is_a_plan() -> None:
    """It may come while planning goes on; more is not promised yet."""
    cluster = Manual()
    assert wanted(submit(cluster, "job", 3)) == [0]


@pytest.mark.parametrize("pieces", [1, 2, 24])
def test_a_frame_may_come_in_pieces(pieces: int) -> None:
    cluster = started("ab", frames=1)
    line = submit(cluster, "other", 2)
    line.client.pieces = pieces
    cluster.run()
    assert line.client.finished


@pytest.mark.parametrize("picture", [True, False])
def test_frames_are_pictures_or_not(picture: bool) -> None:
    cluster = Manual()
    cluster.worker("a")
    line = cluster.client("job", 2, picture=picture)
    cluster.plan()
    cluster.exchange()
    dtypes = {p.data.dtype for t in cluster.workers()[0].worker.tasks for p in t.pieces}
    assert dtypes == {np.dtype(np.uint8 if picture else np.float32)}
    cluster.run()
    assert line.client.finished


def test_another_protocol_is_refused() -> None:
    cluster = Manual()
    line = submit(cluster, "job", 1)
    cluster.say(line, Submit(PROTOCOL + 1, "new", 1, True, ()))
    (refusal,) = line.got(Refusal)
    assert refusal.final
    assert "protocol" in refusal.reason


@pytest.mark.parametrize("other", [{"frames": 4}, {"frames": 3, "picture": False}])
def test_another_job_of_the_same_name_is_refused(other: dict[str, Any]) -> None:
    cluster = Manual()
    first = submit(cluster, "job", 3)
    second = submit(cluster, "job", **other)
    (refusal,) = second.got(Refusal)
    assert refusal.final
    assert "another name" in refusal.reason
    assert not first.got(Refusal)


def test_somebody_elses_job_is_not_taken_over() -> None:
    cluster = Manual()
    submit(cluster, "job", 3, key="K1")
    (refusal,) = submit(cluster, "job", 3, key="K2").got(Refusal)
    assert refusal.final
    assert submit(cluster, "job", 3, key="K1").got(Accepted)


def test_only_so_many_jobs_wait() -> None:
    cluster = Manual(Settings(most_jobs=2))
    for name in ("one", "two"):
        assert submit(cluster, name, 1).got(Accepted)
    (refusal,) = submit(cluster, "three", 1).got(Refusal)
    assert not refusal.final


# ---- the window


def test_two_frames_a_worker_and_one_are_in_flight() -> None:
    cluster = started("ab", frames=20)
    assert sorted(client(cluster).sent) == [0, 1, 2, 3, 4]


def test_as_many_frames_are_in_flight_as_told() -> None:
    cluster = started("ab", frames=20, settings=Settings(in_flight=1))
    assert client(cluster).sent == [0]


def test_no_more_frames_are_wanted_than_memory_holds() -> None:
    """A frame of the banded plan takes its input, halos and outputs: under 8 KB of 24."""
    cluster = started("ab", frames=20, settings=Settings(memory_bytes=24_000))
    assert client(cluster).sent == [0, 1, 2]


def test_one_frame_is_always_wanted() -> None:
    cluster = started("ab", frames=3, settings=Settings(memory_bytes=1))
    assert client(cluster).sent == [0]
    cluster.run()
    assert client(cluster).finished


def test_results_that_are_not_received_take_room() -> None:
    cluster = started("ab", frames=20)
    client(cluster).keeps_quiet = True
    cluster.run()
    assert sorted(client(cluster).results) == [0, 1, 2, 3, 4]
    for frame in range(5):
        cluster.say(job_line(cluster), Received("job", frame))
    client(cluster).keeps_quiet = False
    cluster.run()
    assert client(cluster).finished


def test_what_was_not_wanted_is_dropped() -> None:
    cluster = started("ab", frames=20, settings=Settings(in_flight=1))
    line = job_line(cluster)
    for message in line.client.input(7):
        cluster.say(line, message)
    assert not line.got(JobFailed)
    assert cluster.machine._table.stray == 1
    assert not cluster.machine._table.jobs["job"].complete


def test_a_frame_comes_once() -> None:
    cluster = started("ab", frames=1)
    line = job_line(cluster)
    for message in line.client.input(0):
        cluster.say(line, message)
    assert cluster.machine._table.stray == 1
    cluster.run()
    assert line.client.finished


def _input(
    rows: tuple[int, int], width: int = 20, channels: int = 3, dtype: str = "uint8"
) -> Piece:
    region = Region(*rows, 0, width)
    return Piece(INPUT, region, np.zeros((rows[1] - rows[0], width, channels), dtype))


@pytest.mark.parametrize(
    "pieces",
    [
        (_input((0, 23)),),
        (),
        (_input((0, 25)),),
        (_input((0, 24), width=21),),
        (_input((0, 24), channels=4),),
        (_input((0, 24), dtype="float32"),),
        (_input((0, 12)), _input((11, 24))),
        (Piece(0, Region(0, 24, 0, 20), np.zeros((24, 20, 3), np.uint8)),),
    ],
    ids=["short", "none", "long", "wide", "deep", "float", "twice", "map"],
)
def test_a_frame_that_is_none_fails_its_job(pieces: tuple[Piece, ...]) -> None:
    cluster = Manual()
    line = submit(cluster, "job", 3)
    cluster.say(line, FrameInput("job", 0, False, pieces))
    (failed,) = line.got(JobFailed)
    assert "frame 0" in failed.reasons[0]
    assert not cluster.machine._table.jobs


# ---- results


def test_a_large_result_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FRAME_BYTES", 1000)
    cluster = started("ab", frames=1)
    line = job_line(cluster)
    while any(cluster.work(each) for each in cluster.workers()):
        cluster.exchange(*cluster.workers())
    parts = line.got(JobResult)
    assert len(parts) > 1
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    for part in parts:
        assert sum(piece.data.nbytes for piece in part.pieces) <= 1000 or len(part.pieces) == 1
    cluster.run()
    assert line.client.finished


def test_a_job_is_over_when_all_is_received() -> None:
    cluster = started("a", frames=2)
    cluster.run()
    assert client(cluster).finished
    assert not cluster.machine._table.jobs
    assert cluster.logs[-1].startswith("job job: done, 2 frames in")


def test_workers_forget_what_is_finished() -> None:
    cluster = started("ab", frames=4)
    cluster.run()
    for line in cluster.workers():
        assert not line.worker.kept
        assert line.worker.forgotten == {("job-1.0", frame) for frame in range(4)}
