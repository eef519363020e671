"""What people are told: progress, status, log lines, the time line, and the last word."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.coordinator.fakeclients import FakeClient
from support.coordinator.fakes import FakeWorker
from support.coordinator.manual import Line, Manual
from support.coordinator.sharedplans import banded, gridded, model_of, small_network
from support.coordinator.simulation import Simulation
from support.coordinator.started import client, started, status, worker

from ftdist.coordinator.events import Arrived, Ended, Stop
from ftdist.coordinator.plans.task_graph import TaskGraph
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.network import architectures
from ftdist.protocol.client_messages import JobProgress, Status, StatusRequest
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.shared_messages import Beat, Drain, Refusal
from ftdist.protocol.wire import encode
from ftdist.protocol.worker_messages import Heartbeat

MIB = 1 << 20


# ---- progress


def test_progress_comes_with_finished_frames_but_not_too_often() -> None:
    sim = Simulation()
    sim.worker("a", relative_time=1.0)
    node = sim.client("job", 200)
    watched = sim.as_client(node)
    started_s = sim.now_s
    sim.run_until(lambda: watched.finished)
    told = [s for s, to, m in sim.sent if to is node and isinstance(m, JobProgress)]
    gaps = [later - earlier for earlier, later in pairwise(told[:-1])]
    assert min(gaps) >= 0.25 - 1e-9  # but for the last word, which comes with the last frame
    assert watched.progress[-1].finished == 200
    assert len(told) >= (sim.now_s - started_s) / 1.1
    counts = [progress.finished for progress in watched.progress]
    assert counts == sorted(counts)


def test_progress_comes_once_a_second_when_nothing_happens() -> None:
    cluster = Manual()
    line = cluster.client("job", 3)
    line.inbox.clear()
    cluster.wait(10.0)
    assert 9 <= len(line.got(JobProgress)) <= 11
    assert {progress.text for progress in line.got(JobProgress)} == {"waiting for workers"}


def test_progress_counts_bytes_over_the_wire() -> None:
    """Two workers in bands: out go the frame and halos, back come halos and outputs."""
    sim = Simulation()
    for name in "ab":
        sim.worker(name, relative_time=30.0)
    watched = sim.as_client(sim.client("job", 4))
    sim.run_until(lambda: watched.finished)
    network = sim.network
    graph = TaskGraph(network, banded(network, sim.asked[0].workers), picture=True)
    sent = sum(task.sent_bytes for task in graph.tasks)
    received = sum(task.returned_bytes for task in graph.tasks)
    last = watched.progress[-1]
    assert last.finished
    assert (last.sent_bytes, last.received_bytes) == (
        last.finished * sent,
        last.finished * received,
    )


def test_bytes_within_the_process_are_none_of_the_wires() -> None:
    cluster = Manual()
    own = cluster.worker("own", local=True)
    cluster.client("job", 2)
    cluster.plan()
    cluster.exchange()
    while not client(cluster).done:
        cluster.work(own)
        cluster.exchange()
    cluster.wait(1.5)
    cluster.exchange()
    assert client(cluster).progress[-1].sent_bytes == 0
    assert client(cluster).progress[-1].finished == 1


@pytest.mark.parametrize("what", ["plan", "weights", "client"])
def test_progress_says_what_a_job_waits_for(what: str) -> None:
    cluster = Manual()
    line = cluster.connect(FakeWorker("a", cluster.network))
    line.worker.slow_weights = True
    cluster.exchange()
    job = cluster.client("job", 2) if what != "client" else silent(cluster)
    if what == "weights":
        cluster.plan()
    cluster.exchange()
    cluster.wait(1.5)
    cluster.exchange()
    texts = {
        "plan": "waiting for a plan",
        "weights": "waiting for weights to reach the workers",
        "client": "waiting for its inputs",
    }
    assert job.client.progress[-1].text == texts[what]


def silent(cluster: Manual) -> Line:
    who = FakeClient("job", 2, cluster.network)
    who.silent = True
    return cluster.connect(who)


# ---- status


def test_status_before_anything() -> None:
    cluster = Manual()
    line = Line(b"asker", FakeWorker("nobody", cluster.network))
    cluster.lines[line.peer] = line
    cluster.say(line, StatusRequest(PROTOCOL))
    assert line.inbox.pop() == Status("small", "no plan", (), (), 0)


def test_status_of_another_protocol_is_refused() -> None:
    cluster = Manual()
    line = cluster.worker("a")
    cluster.say(line, StatusRequest(PROTOCOL + 1))
    (refusal,) = line.got(Refusal)
    assert "protocol" in refusal.reason


def test_status_while_a_job_runs() -> None:
    cluster = started("ab", frames=5)
    a, b = worker(cluster, "a"), worker(cluster, "b")
    while not client(cluster).done:
        for line in (a, b):
            cluster.work(line)
        cluster.exchange()
    cluster.say(a, Heartbeat(5, 1, 30 * MIB, 33 * MIB))
    found = status(cluster)
    assert found.plan.startswith("3 stages, 6 tasks, 1 s a frame")
    one, two = found.workers
    assert (one.name, one.state, one.instruction_set) == ("a", "running", "avx2")
    assert (one.budget_bytes, one.peak_bytes) == (64 * MIB, 33 * MIB)
    done, left = len(a.worker.done), len(a.worker.tasks)
    assert (one.finished, one.failed, one.tasks) == (done, 0, left)
    assert one.share == two.share == 0.5
    assert one.link_bytes_per_s > 0
    (job,) = found.jobs
    assert (job.job, job.finished, job.frames) == ("job", 1, 5)
    assert job.bytes_a_frame > 0
    assert job.classic_bytes_a_frame == model_of(small_network()).classic_bytes


def test_status_says_who_fetches_weights() -> None:
    cluster = Manual()
    line = cluster.connect(FakeWorker("a", cluster.network))
    line.worker.slow_weights = True
    cluster.exchange()
    cluster.client("job", 1)
    cluster.plan()
    cluster.exchange()
    assert status(cluster).workers[0].state == "loading weights"


def test_a_budget_that_is_exceeded_is_said_once() -> None:
    cluster = Manual()
    line = cluster.worker("a", budget_bytes=32 * MIB)
    for peak in (31, 32, 33, 34):
        cluster.say(line, Heartbeat(1, 0, 30 * MIB, peak * MIB))
    said = [text for text in cluster.logs if "more than its budget" in text]
    assert said == ["worker a: its process held 33.0 MiB, more than its budget of 32.0"]


def test_the_classic_scheme_moves_ten_megabytes_of_first16() -> None:
    network = architectures.load("yolov2-first16").network
    model = ModelInfo(network.name, network, "0" * 32, 1000)
    assert model.classic_bytes == pytest.approx(10.03e6, rel=1e-3)


def test_the_status_of_many_workers_comes_in_parts() -> None:
    cluster = Manual()
    for number in range(100):
        cluster.worker(f"w{number}")
    line = Line(b"asker", FakeWorker("nobody", cluster.network))
    cluster.lines[b"asker"] = line
    cluster.say(line, StatusRequest(PROTOCOL))
    parts = [part for part in line.inbox if isinstance(part, Status)]
    assert len(parts) == len(line.inbox)
    assert [part.more for part in parts] == [True, False]
    workers = [each for part in parts for each in part.workers]
    assert workers[99].name == "w99"
    assert all(encode(part) for part in parts)


# ---- the time line


def test_every_task_is_on_the_time_line() -> None:
    sim = Simulation(
        Settings(trace=True, speculate=False),
        planning=lambda ask: gridded(sim.network, ask.workers),
    )
    for name in "ab":
        sim.worker(name, relative_time=10.0)
    watched = sim.as_client(sim.client("job", 2))
    sim.run_until(lambda: watched.finished)
    tasks = [span for span in sim.traced if span.job and not span.track.startswith("client")]
    assert len(tasks) == 4 * 2 * 18
    for track in "ab":
        spans = [span for span in sim.traced if span.track == track and span.what == "task"]
        spans.sort(key=lambda span: span.start_s)
        for earlier, later in pairwise(spans):
            assert earlier.end_s <= later.start_s + 1e-3
    assert {span.name for span in tasks} >= {
        "frame 0, layers 0..1, tile 1 of 6",
        "frame 1, layers 5..8, tile 6 of 6",
    }


def test_planning_weights_and_the_client_are_on_the_time_line() -> None:
    sim = Simulation(Settings(trace=True), planning=lambda ask: gridded(sim.network, ask.workers))
    sim.worker("a", relative_time=10.0)
    watched = sim.as_client(sim.client("job", 3))
    sim.run_until(lambda: watched.finished)
    sim.run(1.0)  # until the last word of it has arrived
    found = {(span.track, span.what, span.name) for span in sim.traced if span.what != "task"}
    assert ("coordinator", "plan", "plan for 1 worker") in found
    assert [name for track, what, name in found if (track, what) == ("a", "weights")]
    for number in range(3):
        assert ("client of job", "receive", f"frame {number}") in found
        assert ("client of job", "send", f"result of frame {number}") in found
    for kind in ("receive", "send"):
        times = [
            (span.start_s, span.end_s)
            for span in sim.traced
            if (span.track, span.what) == ("client of job", kind)
        ]
        assert len(times) == 3 and all(a[1] <= b[0] for a, b in pairwise(sorted(times)))


def test_nothing_is_traced_unless_told() -> None:
    cluster = started("a", frames=1)
    cluster.run()
    assert not cluster.others


# ---- the end


def test_the_end_is_told_to_all() -> None:
    cluster = started("ab", frames=3)
    actions = cluster.handle(Stop())
    assert isinstance(actions[-1], Ended)
    for line in cluster.workers():
        assert line.got(Drain)
    job = next(line for line in cluster.lines.values() if line not in cluster.workers())
    assert job.got(JobProgress)[-1].text == "the coordinator ends"


def test_after_the_end_nothing_happens() -> None:
    cluster = started("ab", frames=3)
    cluster.handle(Stop())
    assert cluster.machine.next_s == float("inf")
    assert cluster.say(worker(cluster, "a"), Heartbeat(0, 0, 0, 0)) == []


def test_workers_hear_a_beat_each_second() -> None:
    cluster = Manual()
    line = cluster.worker("a")
    line.deaf = True
    cluster.wait(2.25)
    assert len(line.got(Beat)) == 2


def test_status_says_how_long_a_frame_takes() -> None:
    """From the first frame's beginning to the last one's end, over all frames."""
    sim = Simulation(Settings(in_flight=1, trace=True))
    sim.worker("a", relative_time=10.0, macs_per_s=1e9)
    node = sim.client("job", 6)
    watched = sim.as_client(node)
    sim.run_until(lambda: len(watched.done) == 4)
    sim.handle(Arrived(node.peer, StatusRequest(PROTOCOL)))
    sim.run(0.01)
    assert watched.status is not None
    (job,) = watched.status.jobs
    whole_s = sum(span.end_s - span.start_s for span in sim.traced if span.what == "task") / 4
    spans = [span for span in sim.traced if span.what == "task"]
    took_s = max(span.end_s for span in spans) - min(span.start_s for span in spans)
    assert job.seconds_a_frame == pytest.approx(took_s / 4, rel=0.05)
    assert job.seconds_a_frame >= whole_s


def test_a_worker_that_was_killed_for_memory_is_named() -> None:
    cluster = Manual()
    cluster.worker("a", oom_kills=3)
    cluster.worker("b")
    killed = "killed 3 times for lack of memory"
    said = [text for text in cluster.logs if "killed" in text]
    assert said == [f"worker a: joins, 1 thread, avx2, 64 MiB; {killed}"]
    assert [each.state for each in status(cluster).workers] == ["idle, died 3x", "idle"]
