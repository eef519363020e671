"""Tasks that fail: who tries next, when a job is given up, what planning learns of it."""

from __future__ import annotations

from support.coordinator.fakes import FakeWorker
from support.coordinator.manual import Manual
from support.coordinator.started import client, started, status, worker

from ftdist.coordinator.events import Planned
from ftdist.coordinator.settings import Settings
from ftdist.protocol.worker_messages import Prepare

MIB = 1 << 20


# ---- errors


def test_a_task_that_fails_on_three_workers_fails_its_job_with_their_last_words() -> None:
    cluster = started("abcd")
    failed = worker(cluster, "a").worker.tasks[0].task
    for _ in range(3):
        holder = next(
            line
            for line in cluster.workers()
            if any((t.task.stage, t.task.tile) == (0, failed.tile) for t in line.worker.tasks)
        )
        while (holder.worker.tasks[0].task.stage, holder.worker.tasks[0].task.tile) != (
            0,
            failed.tile,
        ):
            cluster.work(holder)
        holder.outbox.append(holder.worker.fail("error"))
        cluster.exchange()
    words = client(cluster).failed
    assert words is not None
    assert len(words.reasons) == 3
    names = [reason.partition(":")[0] for reason in words.reasons]
    assert len(set(names)) == 3
    assert all("could not" in reason for reason in words.reasons)
    assert not status(cluster).jobs


def test_a_task_that_fails_goes_to_another_worker() -> None:
    cluster = started("ab")
    a, b = worker(cluster, "a"), worker(cluster, "b")
    failed = a.worker.tasks[0].task
    a.outbox.append(a.worker.fail("error"))
    cluster.exchange()
    assert failed.tile in [assign.task.tile for assign in b.worker.tasks]
    cluster.run()
    assert client(cluster).finished


def test_an_only_worker_tries_as_often() -> None:
    cluster = started("a")
    a = worker(cluster, "a")
    for _ in range(2):
        a.outbox.append(a.worker.fail("error"))
        cluster.exchange()
        assert a.worker.tasks
    assert client(cluster).failed is None
    a.outbox.append(a.worker.fail("error"))
    cluster.exchange()
    assert client(cluster).failed is not None
    failed = client(cluster).failed
    assert failed is not None and failed.reasons == ("a: a could not",) * 3


def test_the_next_job_goes_on_when_one_fails() -> None:
    cluster = started("a", settings=Settings(attempts=1))
    other = cluster.client("other", 2)
    a = worker(cluster, "a")
    a.outbox.append(a.worker.fail("error"))
    cluster.run()
    assert other.client.finished


# ---- memory


def test_a_task_that_needs_too_much_is_planned_smaller() -> None:
    """Said with figures, never tried again there, and planning believes the worker."""
    cluster = started("a", frames=3)
    a = worker(cluster, "a")
    a.outbox.append(a.worker.fail("memory", 70 * MIB))
    cluster.exchange()
    (prefetched,) = a.worker.tasks
    assert prefetched.task.frame == 1
    line = (
        "worker a: frame 0, layers 0..1 needs 70.0 MiB, the budget is 64.0 MiB: "
        "a could not; planning smaller tasks"
    )
    assert line in cluster.logs
    a.outbox.append(a.worker.fail("memory", 70 * MIB))
    cluster.exchange()
    assert not a.worker.tasks
    (question,) = cluster.questions
    assert question.workers[0].baseline_bytes == (20 + 6) * MIB
    cluster.wait(1.5)
    cluster.exchange()
    assert client(cluster).progress[-1].text == line
    cluster.plan()
    cluster.exchange()
    cluster.wait(1.5)
    cluster.exchange()
    assert client(cluster).progress[-1].text == ""
    cluster.run()
    assert client(cluster).finished


def test_a_part_that_is_too_large_goes_to_others_meanwhile() -> None:
    cluster = started("ab", frames=3)
    a, b = worker(cluster, "a"), worker(cluster, "b")
    tile = a.worker.tasks[0].task.tile
    a.outbox.append(a.worker.fail("memory", 70 * MIB))
    cluster.exchange(a)
    cluster.questions.clear()  # planning takes its time
    for _ in range(100):
        if not any(cluster.work(line) for line in (a, b)):
            break
        cluster.exchange()
    assert client(cluster).finished
    first_stage = [(t.task.frame, t.task.tile) for t in a.worker.done if t.task.stage == 0]
    assert all(each != tile for frame, each in first_stage if frame > 1)


def test_progress_tells_the_client_why_there_is_no_plan() -> None:
    cluster = started("a")
    a = worker(cluster, "a")
    a.outbox.append(a.worker.fail("memory", 70 * MIB))
    cluster.exchange()
    question = cluster.questions.pop()
    cluster.handle(Planned(question.number, None, "a needs 80 MiB"))
    cluster.wait(1.5)
    cluster.exchange()
    assert client(cluster).progress[-1].text == "a needs 80 MiB"


# ---- weights, kept maps


def test_weights_that_went_missing_are_got_again() -> None:
    cluster = started("a")
    a = worker(cluster, "a")
    a.outbox.append(a.worker.lose_weights())
    cluster.hand_in(a)
    (prepare,) = a.got(Prepare)
    assert prepare.layers == (0,)
    cluster.run()
    assert client(cluster).finished
    assert status(cluster).workers[0].failed == 0


def test_weights_that_go_missing_again_and_again_are_an_error() -> None:
    cluster = started("a")
    a = worker(cluster, "a")
    for _ in range(20):
        if not a.worker.tasks:
            break
        a.outbox.append(a.worker.lose_weights())
        cluster.exchange()
    assert client(cluster).failed is not None


def test_a_task_waits_for_its_weights() -> None:
    cluster = Manual()
    line = cluster.connect(FakeWorker("a", cluster.network))
    line.worker.slow_weights = True
    cluster.exchange()
    cluster.client("job", 1)
    cluster.plan()
    cluster.exchange()
    assert not line.worker.tasks
    (prepare,) = line.worker.unfetched
    assert prepare.layers == (0, 2, 3, 4, 6, 8)
    assert prepare.header_bytes == 1000
    line.outbox.extend(line.worker.fetch_weights())
    cluster.run()
    assert client(cluster).finished


def test_kept_maps_that_went_missing_are_made_again() -> None:
    cluster = started("a")
    a = worker(cluster, "a")
    cluster.work(a)
    cluster.exchange()
    assert a.worker.tasks[0].kept
    a.outbox.extend(a.worker.lose_kept())
    cluster.run()
    assert client(cluster).finished
    assert [assign.task.stage for assign in a.worker.done] == [0, 0, 1, 2]
    assert status(cluster).workers[0].failed == 0


def test_kept_maps_that_nobody_spoke_of_are_an_error() -> None:
    cluster = started("a", settings=Settings(attempts=1))
    a = worker(cluster, "a")
    assert not a.worker.tasks[0].kept
    a.outbox.append(a.worker.fail("kept"))
    cluster.exchange()
    assert client(cluster).failed is not None
