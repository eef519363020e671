"""Clients go and come back, and several of them share the cluster."""

from __future__ import annotations

import pytest
from support.coordinator.fakeclients import FakeClient
from support.coordinator.manual import Line, Manual
from support.coordinator.started import client, job_line, started, submit, wanted, worker

from ftdist.coordinator.events import Gone, Unreadable
from ftdist.coordinator.settings import Settings
from ftdist.protocol.client_messages import Cancelled, FrameInput, JobResult, Received
from ftdist.protocol.shared_messages import Bye, ModelRequest, Refusal
from ftdist.protocol.worker_messages import Assign, Cancel

# ---- clients that go and come


def back(cluster: Manual) -> Line:
    """The client connects again, and submits its job."""
    line = job_line(cluster)
    cluster.cut(line)
    again = cluster.connect(line.who)
    cluster.lines[line.peer].who = FakeClient("nobody", 0, cluster.network)
    cluster.hand_in(again)
    return again


def test_results_are_sent_again_to_a_client_that_comes_back() -> None:
    cluster = started("ab", frames=2)
    cluster.cut(job_line(cluster))
    while any(cluster.work(each) for each in cluster.workers()):
        cluster.exchange(*cluster.workers())
    again = back(cluster)
    assert {message.frame for message in again.got(JobResult)} == {0, 1}
    cluster.run()
    assert again.client.finished
    assert again.client.sent == [0, 1]


def test_what_a_client_has_is_not_computed() -> None:
    """As after a restart of the coordinator: it knows only what the client says."""
    cluster = Manual()
    cluster.worker("a")
    who = FakeClient("job", 6, cluster.network)
    who.done.update(dict.fromkeys([0, 1, 4]))
    line = cluster.connect(who)
    cluster.run()
    assert line.client.finished
    assert sorted(line.client.sent) == [2, 3, 5]
    assert not cluster.machine._table.jobs


def test_a_client_that_has_all_is_done_at_once() -> None:
    cluster = Manual()
    who = FakeClient("job", 2, cluster.network)
    who.done.update(dict.fromkeys([0, 1]))
    line = cluster.connect(who)
    cluster.exchange()
    assert line.client.accepted
    assert not line.client.sent
    assert not cluster.machine._table.jobs


def test_frames_that_were_wanted_are_wanted_again() -> None:
    cluster = Manual()
    cluster.worker("a")
    submit(cluster, "job", 3)
    again = back(cluster)
    assert wanted(again) == [0]
    cluster.run()
    assert again.client.finished


def test_half_a_frame_of_a_lost_client_does_not_count() -> None:
    cluster = Manual()
    cluster.worker("a")
    line = submit(cluster, "job", 1)
    line.client.pieces = 2
    first, _ = line.client.input(0)
    cluster.say(line, first)
    again = back(cluster)
    again.client.pieces = 3
    cluster.run()
    assert again.client.finished


def test_a_frame_in_flight_that_the_client_has_is_given_up() -> None:
    cluster = started("a", frames=2)
    line = job_line(cluster)
    line.client.done[0] = None
    cluster.say(line, line.client.submit())
    assert [message.task.frame for message in worker(cluster, "a").got(Cancel)] == [0]
    cluster.run()
    assert line.client.finished


def test_a_job_goes_on_without_its_client_for_a_while() -> None:
    cluster = started("a", frames=20, settings=Settings(in_flight=2, orphan_s=5.0))
    line = job_line(cluster)
    cluster.cut(line)
    cluster.handle(Gone(line.peer))
    assert "job job: its client is gone" in cluster.logs
    while any(cluster.work(each) for each in cluster.workers()):
        cluster.exchange(*cluster.workers())
    assert len(cluster.machine._table.jobs["job"].results) == 2
    cluster.wait(4.0)
    assert cluster.machine._table.jobs
    cluster.wait(3.0)
    assert not cluster.machine._table.jobs
    assert "gone for" in cluster.logs[-1]


@pytest.mark.parametrize("how", ["bye", "gone", "garbage"])
def test_a_client_may_go_in_several_ways(how: str) -> None:
    cluster = started("a", frames=2)
    line = job_line(cluster)
    if how == "bye":
        cluster.say(line, Bye("enough"))
    elif how == "gone":
        cluster.handle(Gone(line.peer))
    else:
        cluster.handle(Unreadable(line.peer, "garbage"))
        assert line.got(Refusal)[-1].final
    assert cluster.machine._table.jobs["job"].client is None
    again = back(cluster)
    cluster.run()
    assert again.client.finished


def test_a_later_client_takes_over() -> None:
    """The connection of the first one may be broken without anybody knowing yet."""
    cluster = started("a", frames=2)
    line = job_line(cluster)
    second = cluster.connect(FakeClient("job", 2, cluster.network))
    cluster.hand_in(second)
    line.inbox.clear()
    cluster.say(line, Received("job", 0))
    assert not cluster.machine._table.jobs["job"].done.count
    cluster.run()
    assert second.client.finished
    assert not line.got(JobResult)


def test_a_cancelled_job_is_dropped() -> None:
    cluster = started("ab", frames=5)
    line = job_line(cluster)
    cluster.say(line, Cancelled("job"))
    assert not cluster.machine._table.jobs
    assert all(each.got(Cancel) for each in cluster.workers())
    cluster.run()
    assert not any(each.got(Assign) or each.worker.tasks for each in cluster.workers())
    assert "job job: cancelled" in cluster.logs


def test_frames_of_an_unknown_job_are_answered() -> None:
    """The client of a coordinator that was restarted submits its job again."""
    cluster = Manual()
    line = submit(cluster, "job", 2)
    cluster.say(line, FrameInput("other", 0, False, ()))
    (refusal,) = line.got(Refusal)
    assert not refusal.final
    assert "submit it again" in refusal.reason


def test_what_is_said_of_an_unknown_job_does_no_harm() -> None:
    cluster = Manual()
    line = submit(cluster, "job", 2)
    for message in (Received("other", 0), Cancelled("other"), Received("job", 1)):
        cluster.say(line, message)
    assert not line.got(Refusal)
    assert cluster.machine._table.jobs["job"].done.count == 0


# ---- several jobs


def test_jobs_are_served_in_order() -> None:
    cluster = started("a", frames=3)
    second = cluster.client("second", 2)
    assert second.client.sent == []
    cluster.wait(1.5)
    cluster.exchange()
    assert second.client.progress[-1].text == "waiting for job job"
    cluster.run()
    assert second.client.finished


def test_a_client_that_lets_all_wait_is_passed_by() -> None:
    cluster = Manual(Settings(patience_s=5.0))
    cluster.worker("a")
    first = submit(cluster, "first", 2)
    first.client.silent = True
    second = submit(cluster, "second", 2)
    cluster.run()
    assert not second.client.finished
    for _ in range(4):
        cluster.wait(2.0)
        cluster.run()
    assert second.client.finished
    first.client.silent = False
    cluster.say(first, first.client.submit())
    cluster.run()
    assert first.client.finished


def test_a_job_whose_client_is_gone_does_not_block_others() -> None:
    cluster = Manual()
    cluster.worker("a")
    first = submit(cluster, "first", 2)
    cluster.handle(Gone(first.peer))
    second = submit(cluster, "second", 2)
    cluster.run()
    assert second.client.finished


def test_the_same_name_again_is_another_job() -> None:
    """Late results and kept maps of the first one are of no use to the second."""
    cluster = started("ab", frames=3)
    line = job_line(cluster)
    for each in cluster.workers():
        cluster.work(each)
    cluster.say(line, line.client.other_frames())
    line.inbox.clear()
    line.outbox.append(line.client.submit())
    cluster.run()
    assert line.client.finished


def test_a_complete_frame_that_the_client_has_is_not_computed() -> None:
    """It waited for a plan when the client came back with its result from elsewhere."""
    cluster = Manual()
    line = cluster.client("job", 2)
    assert line.client.sent == [0]
    line.client.done[0] = None
    cluster.say(line, line.client.submit())
    cluster.worker("a")
    cluster.run()
    assert line.client.finished
    assert {assign.task.frame for assign in worker(cluster, "a").worker.done} == {1}


def test_a_result_that_the_client_has_is_not_sent_again() -> None:
    """It came, but the client was gone before it could say so."""
    cluster = started("a", frames=2)
    client(cluster).keeps_quiet = True
    cluster.run()
    assert sorted(client(cluster).done) == [0, 1]
    cluster.say(job_line(cluster), client(cluster).submit())
    cluster.exchange()
    assert not client(cluster).results
    assert not cluster.machine._table.jobs


def test_a_client_may_ask_for_the_models_header() -> None:
    """The loop answers; a stranger who asks is told to say hello first."""
    cluster = Manual()
    line = cluster.client("job", 2)
    stranger = cluster.connect(FakeClient("none", 1, cluster.network))
    for each in (line, stranger):
        cluster.say(each, ModelRequest("0" * 32, -1, 0, 100))
    assert not line.got(Refusal)
    assert stranger.got(Refusal)
