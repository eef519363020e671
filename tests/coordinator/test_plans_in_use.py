"""When plans are asked for, and when they are taken into use."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.coordinator.fakes import FakeWorker
from support.coordinator.manual import Line, Manual
from support.coordinator.sharedplans import banded
from support.coordinator.simulation import Simulation
from support.coordinator.started import client, started, worker

from ftdist.coordinator.events import AskPlan, Gone, Planned
from ftdist.coordinator.settings import Settings
from ftdist.planning.sharing.plan import SharedPlan


def slow_to_prepare(cluster: Manual, name: str) -> Line:
    """A worker joins that gets weights only when told."""
    line = cluster.connect(FakeWorker(name, cluster.network))
    line.worker.slow_weights = True
    cluster.exchange()
    return line


def labels(line: Line) -> list[tuple[int, int]]:
    """(frame, stage) of what a worker has done."""
    return [(assign.task.frame, assign.task.stage) for assign in line.worker.done]


# ---- asking


def test_no_plan_is_asked_for_without_a_job_if_nothing_is_to_be_prepared() -> None:
    cluster = Manual(Settings(prepare=False))
    cluster.worker("a")
    cluster.wait(5.0)
    assert not cluster.questions


def test_without_a_job_a_plan_for_many_frames_is_made_once_nobody_has_come_for_a_while() -> None:
    cluster = Manual()
    cluster.worker("a")
    cluster.wait(2.0)
    cluster.worker("b")
    cluster.wait(2.0)
    assert not cluster.questions
    cluster.wait(2.0)
    (question,) = cluster.questions
    assert len(question.workers) == 2 and question.frames > 1 and question.picture
    cluster.plan()
    assert [line for line in cluster.logs if line.startswith("plan for 2 workers")]
    cluster.wait(20.0)
    assert not cluster.questions, "nothing has changed"
    cluster.client("job", 9, picture=True)
    assert not cluster.questions, "the job has the plan that is there"
    cluster.run()
    assert client(cluster).finished


def test_a_plan_that_was_made_early_is_made_anew_for_other_workers_and_other_jobs() -> None:
    cluster = Manual()
    cluster.worker("a")
    cluster.wait(5.0)
    cluster.plan()
    cluster.worker("b")
    cluster.wait(5.0)
    assert [len(each.workers) for each in cluster.questions] == [2]
    cluster.plan()
    cluster.client("job", 9, picture=False)
    assert [each.picture for each in cluster.questions] == [False]
    cluster.plan()
    cluster.run()
    assert client(cluster).finished


def test_a_fault_in_planning_early_is_tried_again_only_for_a_job() -> None:
    cluster = Manual()
    cluster.worker("a")
    cluster.wait(5.0)
    (ask,) = cluster.questions
    cluster.questions.clear()
    cluster.handle(Planned(ask.number, None, "a fault in planning: KeyError(3)", fault=True))
    cluster.wait(20.0)
    assert not cluster.questions
    job = cluster.client("job", 1)
    assert cluster.questions and job.client.failed is None
    cluster.plan()
    cluster.run()
    assert client(cluster).finished


def test_no_plan_is_asked_for_without_workers() -> None:
    cluster = Manual()
    cluster.client("job", 1)
    cluster.wait(5.0)
    assert not cluster.questions


def test_one_plan_is_asked_for_at_a_time() -> None:
    cluster = Manual()
    cluster.client("job", 5)
    for name in "abc":
        cluster.worker(name)
    assert len(cluster.questions) == 1
    cluster.plan()
    assert [len(question.workers) for question in cluster.questions] == [3]


def test_workers_that_are_being_measured_are_waited_for() -> None:
    cluster = Manual()
    a, b = (cluster.connect(FakeWorker(name, cluster.network)) for name in "ab")
    cluster.hand_in(a)
    cluster.hand_in(b)
    cluster.client("job", 1)
    cluster.exchange(a)
    assert not cluster.questions
    cluster.exchange(b)
    assert [len(question.workers) for question in cluster.questions] == [2]


def test_a_worker_whose_link_takes_long_to_measure_is_not_waited_for() -> None:
    cluster = Manual()
    a, b = (cluster.connect(FakeWorker(name, cluster.network)) for name in "ab")
    cluster.hand_in(a)
    cluster.hand_in(b)
    cluster.client("job", 1)
    cluster.exchange(a)
    b.deaf = True
    cluster.wait(1.5)
    assert [len(question.workers) for question in cluster.questions] == [1]


def test_the_next_job_uses_the_plan_that_is_there() -> None:
    cluster = started("ab", frames=2)
    cluster.run()
    other = cluster.client("other", 2)
    cluster.exchange()
    assert not cluster.questions
    assert worker(cluster, "a").worker.tasks
    cluster.run()
    assert other.client.finished


@pytest.mark.parametrize("frames", [1, 2])
def test_a_plan_is_for_one_frame_or_for_many(frames: int) -> None:
    cluster = started("ab", frames=frames)
    cluster.run()
    cluster.client("other", 3 - frames)
    assert [question.frames for question in cluster.questions] == [3 - frames]


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize(
    ("planning_s", "moved_s", "begins"),
    [(0.7, 0.0, True), (0.5, 0.0, False), (0.5, 0.8, True)],
    ids=["gains at most half", "may gain half", "gains what does not move"],
)
def test_a_frame_begins_by_another_plan_where_planning_takes_longer(
    frames: int, planning_s: float, moved_s: float, begins: bool
) -> None:
    """The plan that is there for two workers predicts 1.2 s, of which bytes move some; planning
    took so long the last time."""

    def planning(ask: AskPlan) -> SharedPlan:
        moved = round(moved_s * sum(each.link_bytes_per_s for each in ask.workers))
        plan = banded(cluster.network, ask.workers)
        return replace(plan, seconds=1.2, sent_bytes=moved, received_bytes=0)

    cluster = Manual(planning=planning)
    for name in "ab":
        cluster.worker(name)
    cluster.client("job", frames)
    cluster.wait(planning_s)
    cluster.plan()
    cluster.run()
    other = cluster.client("other", 3 - frames)
    cluster.exchange()
    assert [question.frames for question in cluster.questions] == [3 - frames]
    assert bool(worker(cluster, "a").worker.tasks) == begins
    kept = begins and frames == 1  # all frames of a job have one arithmetic
    assert cluster.questions[0].arithmetic == (() if kept else None)
    cluster.run()
    assert other.client.finished


def test_a_job_of_one_frame_at_a_time_is_planned_as_one_frame() -> None:
    cluster = Manual(Settings(in_flight=1))
    cluster.worker("a")
    cluster.client("job", 10)
    assert [question.frames for question in cluster.questions] == [1]


def test_pictures_are_planned_apart() -> None:
    cluster = started("ab", frames=2)
    cluster.run()
    other = cluster.client("other", 2, picture=False)
    assert [question.picture for question in cluster.questions] == [False]
    cluster.run()
    assert other.client.finished


# ---- answers


def test_why_there_is_no_plan_is_said_once() -> None:
    cluster = Manual()
    cluster.worker("a")
    line = cluster.client("job", 1)
    for _ in range(3):
        question = cluster.questions.pop()
        cluster.handle(Planned(question.number, None, "needs 50 MiB"))
        cluster.worker("b")
    assert cluster.logs.count("no plan: needs 50 MiB") == 1
    cluster.wait(1.5)
    cluster.exchange()
    assert line.client.progress[-1].text == "needs 50 MiB"


def test_no_plan_is_asked_for_again_until_something_changes() -> None:
    cluster = Manual()
    cluster.worker("a")
    cluster.client("job", 1)
    cluster.handle(Planned(cluster.questions.pop().number, None, "needs 50 MiB"))
    cluster.wait(20.0)
    assert not cluster.questions
    cluster.worker("b")
    assert [len(question.workers) for question in cluster.questions] == [2]
    cluster.run()
    assert client(cluster).finished


def test_an_old_answer_is_no_answer() -> None:
    cluster = Manual()
    a = cluster.worker("a")
    cluster.client("job", 1)
    question = cluster.questions[0]
    cluster.handle(Planned(question.number + 1, banded(cluster.network, question.workers)))
    cluster.exchange()
    assert not a.worker.tasks


def test_a_plan_that_makes_no_sense_is_not_used() -> None:
    cluster = Manual()
    cluster.worker("a")
    line = cluster.client("job", 1)
    question = cluster.questions.pop()
    plan = banded(cluster.network, question.workers, (0, 2, 5))
    cluster.handle(Planned(question.number, plan))
    assert any(text.startswith("no plan: the plan's tiles do not make") for text in cluster.logs)
    assert not line.client.failed


def test_a_plan_for_others_is_not_used() -> None:
    cluster = Manual()
    cluster.worker("a")
    cluster.client("job", 1)
    first = cluster.questions.pop()
    cluster.worker("b")
    cluster.handle(Planned(first.number, None, "-"))
    second = cluster.questions.pop()
    cluster.handle(Planned(second.number, banded(cluster.network, first.workers)))
    assert "no plan: the plan is for other workers" in cluster.logs


# ---- taking into use


def test_a_new_worker_is_used_once_it_has_its_weights() -> None:
    cluster = started("a", frames=30, settings=Settings(in_flight=2))
    b = slow_to_prepare(cluster, "b")
    cluster.plan()
    for _ in range(12):
        cluster.work(worker(cluster, "a"))
        cluster.exchange()
    assert labels(worker(cluster, "a"))
    assert not b.worker.tasks
    b.outbox.extend(b.worker.fetch_weights())
    cluster.run()
    assert labels(b)
    assert client(cluster).finished
    assert any(text.startswith("plan for 2 workers") for text in cluster.logs)


def test_frames_in_flight_keep_their_plan() -> None:
    cluster = started("a", frames=6, settings=Settings(in_flight=2))
    cluster.worker("b")
    cluster.run()
    b = worker(cluster, "b")
    assert client(cluster).finished
    assert {frame for frame, _ in labels(b)} == {2, 3, 4, 5}


def test_a_new_plan_is_used_at_once_when_the_old_one_is_of_no_use() -> None:
    """Though its worker has no weights yet."""
    cluster = started("a", frames=3)
    a = worker(cluster, "a")
    cluster.cut(a)
    cluster.handle(Gone(a.peer))
    b = slow_to_prepare(cluster, "b")
    cluster.plan()
    cluster.exchange()
    assert cluster.logs[-1].startswith("plan for 1 worker")
    b.outbox.extend(b.worker.fetch_weights())
    cluster.run()
    assert client(cluster).finished


def test_a_plan_whose_workers_are_gone_is_asked_for_again() -> None:
    cluster = started("a", frames=20)
    b = slow_to_prepare(cluster, "b")
    question = cluster.questions.pop()
    assert len(question.workers) == 2
    a = worker(cluster, "a")
    for line in (a, b):
        cluster.cut(line)
        cluster.handle(Gone(line.peer))
    cluster.handle(Planned(question.number, banded(cluster.network, question.workers)))
    cluster.worker("c")
    cluster.run()
    assert client(cluster).finished


def test_a_note_of_the_plan_is_said() -> None:
    cluster = Manual()
    cluster.worker("a")
    cluster.client("job", 1)
    question = cluster.questions.pop()
    plan = replace(banded(cluster.network, question.workers), note="a alone would be faster")
    cluster.handle(Planned(question.number, plan))
    assert cluster.logs[-1].endswith("s a frame predicted; a alone would be faster")


# ---- speeds


def test_shares_follow_speeds_that_turn_out_otherwise() -> None:
    """Both said that they are equally fast; b is three times slower."""
    sim = Simulation(Settings(replan_after_s=1.0))
    sim.worker("a", relative_time=30.0)
    sim.worker("b", relative_time=90.0)
    watched = sim.as_client(sim.client("job", 60))
    sim.run_until(lambda: watched.finished)
    assert len(sim.asked) > 1
    last = {spec.name: spec.relative_time for spec in sim.asked[-1].workers}
    assert last["b"] / last["a"] == pytest.approx(3.0, rel=0.15)
    nodes = list(sim.nodes.values())
    rows = [
        [assign.region.rows.size for assign in sim.as_worker(node).done if assign.task.frame == 59]
        for node in nodes[:2]
    ]
    assert sum(rows[0]) > 2 * sum(rows[1])


@pytest.mark.parametrize(
    ("planning_s", "pause_s"),
    [(0.01, 3.0), (0.5, 5.0)],
    ids=["as often as allowed", "a tenth of the time at most"],
)
def test_speeds_are_not_planned_for_all_the_time(planning_s: float, pause_s: float) -> None:
    sim = Simulation(Settings(replan_after_s=3.0), planning_s=planning_s)
    sim.worker("a", relative_time=30.0)
    changing = sim.as_worker(sim.worker("b", relative_time=30.0))
    watched = sim.as_client(sim.client("job", 30))

    def change() -> None:
        changing.relative_time = 120.0 if changing.relative_time < 100 else 30.0
        sim.after(0.5, change)

    change()
    started_s = sim.now_s
    sim.run_until(lambda: watched.finished)
    assert 2 <= len(sim.asked) <= 1 + (sim.now_s - started_s) / pause_s


def test_speeds_that_are_as_believed_change_no_plan() -> None:
    sim = Simulation(Settings(replan_after_s=1.0))
    for name in "ab":
        sim.worker(name, relative_time=30.0, macs_per_s=1e10 / 30.0)
    watched = sim.as_client(sim.client("job", 50))
    sim.run_until(lambda: watched.finished)
    assert len(sim.asked) == 1


def test_a_fault_in_planning_ends_the_job_and_the_next_one_tries_anew() -> None:
    cluster = Manual()
    cluster.worker("a")
    lines = [cluster.client(name, 2) for name in ("one", "two")]
    cluster.exchange()
    ask = cluster.questions.pop(0)
    cluster.handle(Planned(ask.number, None, "a fault in planning: KeyError(3)", fault=True))
    cluster.exchange()
    one, two = (line.client for line in lines)
    assert one.failed is not None and one.failed.reasons == ("a fault in planning: KeyError(3)",)
    assert two.failed is None
    cluster.plan()
    for _ in range(4):
        cluster.run()
    assert two.finished


def test_a_job_keeps_the_arithmetic_of_its_first_plan() -> None:
    """A worker comes in the middle of a job: the question says by which arithmetic it goes on."""
    cluster = Manual()
    a = cluster.worker("a")
    cluster.client("job", 3)
    first = cluster.questions.pop()
    assert first.arithmetic is None
    cluster.handle(Planned(first.number, banded(cluster.network, first.workers)))
    cluster.exchange()
    assert cluster.work(a)
    cluster.worker("b")
    (second,) = cluster.questions
    assert second.arithmetic == ()
    cluster.run()
    assert client(cluster).finished
