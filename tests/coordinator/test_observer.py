"""What those see who look on: snapshots when they ask, a finished frame when they want one."""

from __future__ import annotations

import math

from support.coordinator.manual import Manual
from support.coordinator.started import client, started, worker

from ftdist.cluster.plain_values import made, plain
from ftdist.coordinator.events import Action, Gone, Log, Look, Pictured, Seen
from ftdist.coordinator.observing.snapshot import DONE, GIVEN, Snapshot
from ftdist.coordinator.settings import Settings
from ftdist.network.graph import INPUT


def look(cluster: Manual, plan_number: int = 0, *, picture: bool = False) -> Snapshot:
    (seen,) = cluster.handle(Look(plan_number, picture))
    assert isinstance(seen, Seen)
    return seen.snapshot


def step(cluster: Manual) -> None:
    """Some worker ends a task, and all hear of it."""
    cluster.exchange()
    if cluster.questions:
        cluster.plan()
    any(cluster.work(line) for line in cluster.workers())
    cluster.exchange()


def lose(cluster: Manual, name: str) -> list[Action]:
    line = worker(cluster, name)
    cluster.cut(line)
    return cluster.handle(Gone(line.peer))


def test_a_snapshot_says_who_computes_what() -> None:
    cluster = started("ab", frames=2)
    shot = look(cluster)
    assert [each.status.name for each in shot.workers] == ["a", "b"]
    (job,) = shot.jobs
    assert (job.status.job, job.status.frames, job.left_s) == ("job", 2, -1.0)
    frame = shot.frames[0]
    assert (frame.job, frame.frame, frame.stage) == ("job", 0, 0)
    assert {tile.state for tile in frame.tiles} == {GIVEN}
    numbers = {each.number for each in shot.workers}
    assert {tile.worker for tile in frame.tiles} == numbers
    covered = sum(tile.region.size for tile in frame.tiles)
    assert covered == frame.height * frame.width
    (task, *_) = shot.workers[0].tasks
    assert (task.job, task.frame, task.tiles) == ("job", 0, len(frame.tiles))


def test_bands_that_are_done_keep_the_worker_that_made_them() -> None:
    cluster = started("ab")
    line = worker(cluster, "b")
    number = next(w.number for w in look(cluster).workers if w.status.name == "b")
    while cluster.work(line):
        pass
    cluster.deliver(line)
    cluster.hand_in(line)
    tiles = look(cluster).frames[0].tiles
    assert [tile.worker for tile in tiles if tile.state == DONE] == [number]


def test_looking_changes_nothing() -> None:
    cluster, other = started("ab", frames=3), started("ab", frames=3)
    while not client(cluster).finished:
        look(cluster, picture=True)
        step(cluster)
        step(other)
    assert client(other).finished
    assert client(cluster).results.keys() == client(other).results.keys()


def test_the_plan_is_shown_to_those_who_do_not_have_it() -> None:
    cluster = started("ab")
    first = look(cluster)
    assert first.plan is not None and first.plan.number == first.plan_number > 0
    assert first.plan.workers == ("a", "b")
    assert {part.worker for stage in first.plan.stages for part in stage} == {0, 1}
    assert look(cluster, first.plan_number).plan is None


def test_a_snapshot_passes_the_pipe_as_it_is() -> None:
    shot = look(started("ab", frames=2))
    assert made(Snapshot, plain(shot)) == shot


def test_totals_count_losses_and_what_moved() -> None:
    cluster = started("ab", frames=2)
    before = look(cluster).totals
    assert (before.joined, before.lost, before.moved_tasks) == (2, 0, 0)
    lose(cluster, "a")
    after = look(cluster).totals
    assert after.lost == 1 and after.moved_tasks > 0
    cluster.run()
    done = look(cluster).totals
    assert done.frames == 2 and done.tasks > 0


def test_a_finished_frame_is_shown_once_to_those_who_want_one() -> None:
    cluster = started("ab", frames=3)
    look(cluster, picture=True)
    cluster.run()
    (picture,) = [each for each in cluster.others if isinstance(each, Pictured)]
    shape = cluster.network.input
    assert {piece.source for piece in picture.inputs} == {INPUT}
    assert sum(piece.region.size for piece in picture.inputs) == shape.height * shape.width
    assert {piece.source for piece in picture.outputs} == cluster.network.output_sources


def test_time_left_follows_the_speed_so_far() -> None:
    cluster = started("a", frames=4, settings=Settings(in_flight=1))
    while not look(cluster).jobs[0].status.finished:
        cluster.now_s += 0.5
        step(cluster)
    (job,) = look(cluster).jobs
    left = (4 - job.status.finished) * job.status.seconds_a_frame
    assert job.left_s > 0 and math.isclose(job.left_s, left)


def test_lines_of_the_log_say_to_programs_what_happened() -> None:
    cluster = started("ab")
    actions = lose(cluster, "a")
    (lost,) = [each for each in actions if isinstance(each, Log) and each.event == "worker-lost"]
    assert dict(lost.about)["worker"] == "a" and lost.text.startswith("worker a: lost")
