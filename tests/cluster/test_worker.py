"""A worker on real sockets, with a coordinator made of a script: it joins, works, loses, leaves."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from scriptedcoordinator import PATIENCE_S, ScriptedCoordinator, joined, task_id, whole, whole_task
from smallmodels import CHAIN, write_small_model
from workertasks import at_home, image_of

from ftdist.cluster import pauses, worker
from ftdist.cluster.chunks import header_bytes
from ftdist.cluster.demands import Task
from ftdist.cluster.introduction import Abilities, introduce, measured_rate, warm_up
from ftdist.cluster.keys import make_coordinator, make_peer
from ftdist.cluster.process import Stop
from ftdist.cluster.transport import make_context
from ftdist.cluster.worker import LocalWorker, WorkerSettings, run_worker
from ftdist.coordinator.messages import (
    PROTOCOL,
    Bye,
    Drain,
    Failed,
    Fetch,
    Forget,
    Heartbeat,
    Hello,
    Place,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Refusal,
    Result,
    Welcome,
)
from ftdist.errors import BudgetError, FtdistError, InputError
from ftdist.network.modelfile import Model, load
from ftdist.runtime.limits import Budget, budget
from ftdist.runtime.memory import resident_bytes

ROOMY = Budget(1 << 40, "--mem")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


class Running:
    """A worker in a thread: what it says, how it ends."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.stop = Stop()
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.lines: list[str] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(settings,))
        self.thread.start()

    def _run(self, settings: WorkerSettings) -> None:
        try:
            run_worker(settings, self.said.put, self.stop)
        except BaseException as error:
            self.error = error

    def hears(self, part: str) -> str:
        """The next line said that contains a part."""
        while True:
            self.lines.append(self.said.get(timeout=PATIENCE_S))
            if part in self.lines[-1]:
                return self.lines[-1]

    def ended(self) -> BaseException | None:
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive(), "the worker does not end"
        return self.error


class Workers:
    """Starts workers, and stops those that are left."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.running: list[Running] = []

    def start(self, endpoint: str, **more: Any) -> Running:
        fields: dict[str, Any] = {"budget": ROOMY, "threads": 1, "name": "w", "cache": self.cache}
        self.running.append(Running(WorkerSettings(endpoint=endpoint, **fields | more)))
        return self.running[-1]

    def close(self) -> None:
        for each in self.running:
            each.stop.request()
            each.stop.request()
        for each in self.running:
            each.ended()


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    monkeypatch.setattr(pauses, "FIRST_S", 0.01)
    monkeypatch.setattr(worker, "measured_rate", lambda _: 1e9)
    made = Workers(tmp_path / "cache")
    yield made
    made.close()


@pytest.fixture
def coordinator(chain: Model) -> Iterator[ScriptedCoordinator]:
    with ScriptedCoordinator(chain) as made:
        yield made


class Slow:
    """In place of what runs tasks: each ends when the test says so."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.progress = 0

    def run(self, task: Task, waiting_bytes: int) -> list[Result | Failed]:
        self.progress += 1
        self.begun.release()
        assert self.go_on.acquire(timeout=PATIENCE_S)
        return [Result(task.assign.task, False, (), 0.0, 0.0, 0.0, 0)]

    def let_go(self) -> None: ...


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow()
    monkeypatch.setattr(worker, "TaskRunner", lambda *_: made)
    return made


# ---- joining and working


def test_a_worker_without_files_joins_and_computes(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model
) -> None:
    running = workers.start(coordinator.endpoint, name="pi1", threads=2)
    hello = coordinator.welcome()
    assert (hello.protocol, hello.name, hello.threads) == (PROTOCOL, "pi1", 2)
    assert hello.budget_bytes == 1 << 40 and 0 < hello.baseline_bytes <= 2 * resident_bytes()
    assert 0 < hello.credit_bytes < hello.budget_bytes and hello.macs_per_s == 1e9
    assert coordinator.prepare() == Ready(chain.digest, (0, 1, 2, 3))
    for picture in (False, True):
        image = image_of(chain, picture=picture)
        coordinator.send(whole_task(chain, image))
        found = joined(coordinator.whole_result(), chain, 3)
        assert np.array_equal(found, at_home(chain, image)[3])
    running.hears("worker pi1: ")
    running.hears("as worker 1")
    running.hears("weights of 4 layers")


def test_what_is_kept_travels_when_it_is_fetched(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model
) -> None:
    workers.start(coordinator.endpoint)
    coordinator.welcome()
    coordinator.prepare()
    image = image_of(chain)
    coordinator.send(replace(whole_task(chain, image), returns=(), keep=True))
    (result,) = coordinator.whole_result()
    assert result.pieces == ()
    fetch = Fetch(task_id(), (Place(3, whole(chain, 3)),))
    coordinator.send(fetch)
    found = joined(coordinator.whole_result(), chain, 3)
    assert np.array_equal(found, at_home(chain, image)[3])
    coordinator.send(Forget("job", 1, ()), fetch)
    assert coordinator.take(Failed).reason == "kept"


def test_while_a_task_runs_probes_are_answered_and_hearts_beat(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model, slow: Slow
) -> None:
    workers.start(coordinator.endpoint)
    coordinator.welcome(heartbeat_s=0.05)
    coordinator.prepare()
    image = image_of(chain)
    coordinator.send(*(whole_task(chain, image, task_id(tile)) for tile in range(2)))
    assert slow.begun.acquire(timeout=PATIENCE_S)
    coordinator.send(Probe(5, np.zeros(100_000, np.uint8)))
    assert coordinator.take(ProbeReply).number == 5
    while (beat := coordinator.take(Heartbeat)).tasks < 2:
        pass
    assert beat.progress == 1 and beat.peak_bytes >= beat.resident_bytes > 0
    slow.go_on.release()
    assert coordinator.take(Result).task == task_id(0)
    slow.go_on.release()
    assert coordinator.take(Result).task == task_id(1)


def test_a_task_without_weights_or_memory_fails_by_name(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model
) -> None:
    small = Budget(resident_bytes() + (3 << 20), "--mem")
    workers.start(coordinator.endpoint, budget=small)
    coordinator.welcome()
    task = whole_task(chain, image_of(chain))
    coordinator.send(task)
    assert coordinator.take(Failed).reason == "weights"
    coordinator.prepare()
    ballast = np.ones(16 << 20, np.uint8)
    coordinator.send(task)
    failed = coordinator.take(Failed)
    assert failed.reason == "memory" and failed.needed_bytes > small.bytes, ballast[0]


# ---- losing the coordinator


def test_a_coordinator_that_comes_back_finds_the_worker_with_its_weights(
    workers: Workers, chain: Model
) -> None:
    with ScriptedCoordinator(chain) as first:
        running = workers.start(first.endpoint)
        first.welcome()
        first.prepare()
        assert first.requests
        endpoint = first.endpoint
    assert "tries again" in running.hears("the connection ended")
    with ScriptedCoordinator(chain, endpoint) as second:
        second.welcome()
        assert second.prepare() == Ready(chain.digest, (0, 1, 2, 3))
        assert second.requests == []
        image = image_of(chain)
        second.send(whole_task(chain, image))
        found = joined(second.whole_result(), chain, 3)
        assert np.array_equal(found, at_home(chain, image)[3])


def test_a_worker_that_was_killed_fetches_only_the_rest(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model
) -> None:
    first = workers.start(coordinator.endpoint)
    coordinator.welcome()
    coordinator.prepare(0)
    first.stop.request()
    coordinator.take(Bye)
    first.ended()
    asked = len(coordinator.requests)
    workers.start(coordinator.endpoint)
    coordinator.welcome()
    coordinator.prepare()
    assert {each.layer for each in coordinator.requests[asked:]} == set(chain.blobs) - {0}


def test_silence_makes_the_worker_connect_again(
    workers: Workers, coordinator: ScriptedCoordinator
) -> None:
    running = workers.start(coordinator.endpoint)
    coordinator.welcome(heartbeat_s=0.02, lost_after_s=0.1)
    before = coordinator.peer
    running.hears("silent")
    coordinator.take(Hello)
    assert coordinator.peer != before


@pytest.mark.parametrize("word", [Refusal("say hello again", final=False), Drain("updates")])
def test_a_worker_that_is_sent_away_comes_back(
    workers: Workers, coordinator: ScriptedCoordinator, word: Refusal | Drain
) -> None:
    running = workers.start(coordinator.endpoint)
    coordinator.welcome()
    coordinator.send(word)
    running.hears("tries again")
    coordinator.take(Hello)


def test_a_final_refusal_ends_the_worker_with_its_reason(
    workers: Workers, coordinator: ScriptedCoordinator
) -> None:
    running = workers.start(coordinator.endpoint)
    coordinator.take(Hello)
    coordinator.send(Refusal("protocol 1 is too old, update ftdist", final=True))
    error = running.ended()
    assert isinstance(error, FtdistError) and "protocol 1 is too old" in str(error)


def test_what_was_given_before_a_loss_is_not_answered_after_it(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model, slow: Slow
) -> None:
    running = workers.start(coordinator.endpoint)
    coordinator.welcome()
    coordinator.prepare()
    image = image_of(chain)
    coordinator.send(*(whole_task(chain, image, task_id(tile)) for tile in range(2)))
    assert slow.begun.acquire(timeout=PATIENCE_S)
    coordinator.send(Refusal("lost", final=False))
    running.hears("lost")
    slow.go_on.release()
    coordinator.welcome()
    coordinator.prepare()
    coordinator.send(whole_task(chain, image, task_id(7)))
    assert slow.begun.acquire(timeout=PATIENCE_S)
    slow.go_on.release()
    assert coordinator.take(Result).task == task_id(7)


def test_nobody_there_is_said_once_and_waited_for(workers: Workers, chain: Model) -> None:
    with ScriptedCoordinator(chain) as nobody:
        endpoint = nobody.endpoint
    running = workers.start(endpoint)
    running.hears("tries again")
    with ScriptedCoordinator(chain, endpoint) as coordinator:
        coordinator.welcome()
        running.hears("belongs to the cluster")
    assert sum("the connection ended" in line for line in running.lines) == 1


# ---- leaving


def test_told_to_stop_it_ends_the_task_that_runs_and_no_other(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model, slow: Slow
) -> None:
    running = workers.start(coordinator.endpoint)
    coordinator.welcome()
    coordinator.prepare()
    image = image_of(chain)
    coordinator.send(*(whole_task(chain, image, task_id(tile)) for tile in range(2)))
    assert slow.begun.acquire(timeout=PATIENCE_S)
    running.stop.request()
    running.hears("ends the task that it is at")
    slow.go_on.release()
    assert coordinator.take(Result).task == task_id(0)
    assert "stop" in coordinator.take(Bye).reason
    assert running.ended() is None


def test_told_twice_it_does_not_wait(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model, slow: Slow
) -> None:
    running = workers.start(coordinator.endpoint)
    coordinator.welcome()
    coordinator.prepare()
    coordinator.send(whole_task(chain, image_of(chain)))
    assert slow.begun.acquire(timeout=PATIENCE_S)
    running.stop.request()
    running.stop.request()
    coordinator.take(Bye)
    slow.go_on.release()
    assert running.ended() is None


def test_it_can_be_stopped_while_nobody_is_there(workers: Workers, chain: Model) -> None:
    with ScriptedCoordinator(chain) as nobody:
        endpoint = nobody.endpoint
    running = workers.start(endpoint)
    running.hears("tries again")
    running.stop.request()
    assert running.ended() is None


# ---- what is not trusted


def test_nonsense_is_passed_over_and_work_goes_on(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model
) -> None:
    running = workers.start(coordinator.endpoint)
    coordinator.welcome()
    generator = np.random.default_rng(0)
    for number in range(300):
        frames = [generator.bytes(int(size)) for size in generator.integers(0, 60, number % 4 + 1)]
        coordinator.send_raw(*frames)
    coordinator.send_raw(b"\x91\xa5hello")
    coordinator.send_raw(*[b"x"] * 300)
    coordinator.prepare()
    image = image_of(chain)
    coordinator.send(whole_task(chain, image))
    found = joined(coordinator.whole_result(), chain, 3)
    assert np.array_equal(found, at_home(chain, image)[3])
    running.hears("makes no sense")
    assert running.said.empty() or "makes no sense" not in running.said.get()


def test_a_cache_that_cannot_hold_the_model_is_said_on_both_sides(
    workers: Workers, coordinator: ScriptedCoordinator, chain: Model
) -> None:
    running = workers.start(coordinator.endpoint, cache_bytes=1000)
    coordinator.welcome()

    coordinator.send(Prepare(chain.digest, header_bytes(chain), (0, 1)))
    assert "allow the cache more" in coordinator.take(Bye).reason
    running.hears("allow the cache more")
    coordinator.take(Hello)


# ---- keys


def test_a_key_that_is_not_allowed_is_said_and_tried_again(
    workers: Workers, chain: Model, tmp_path: Path
) -> None:
    from ftdist.cluster.keys import coordinator_keys
    from ftdist.cluster.security import Gatekeeper

    folder = tmp_path / "keys"
    make_coordinator(folder)
    own = make_peer(folder, "pi1")
    allowed = folder / "allowed" / "pi1.key"
    text = allowed.read_text()
    allowed.unlink()
    context = make_context()
    gate = Gatekeeper(context, folder / "allowed", lambda _: None)
    with ScriptedCoordinator(chain, keys=coordinator_keys(folder), context=context) as coordinator:
        running = workers.start(coordinator.endpoint, keys=own)
        assert gate.socket.poll(PATIENCE_S * 1e3)
        gate.answer()
        assert "does not accept this worker's key" in running.hears("key")
        allowed.write_text(text)
        gate.reread()
        poller = zmq.Poller()
        poller.register(gate.socket)
        poller.register(coordinator.socket, zmq.POLLIN)
        while coordinator.socket not in dict(poller.poll(PATIENCE_S * 1e3)):
            gate.answer()
        coordinator.welcome()
        running.hears("belongs")
        running.stop.request()
        running.ended()
    gate.stop()
    context.destroy(0)


def test_a_coordinator_that_wants_keys_is_said(
    workers: Workers, chain: Model, tmp_path: Path
) -> None:
    from ftdist.cluster.keys import coordinator_keys

    folder = tmp_path / "keys"
    make_coordinator(folder)
    own = make_peer(folder, "pi1")
    with ScriptedCoordinator(chain, keys=coordinator_keys(folder)) as strict:
        workers.start(strict.endpoint).hears("only workers with keys")
    with ScriptedCoordinator(chain) as plain:
        workers.start(plain.endpoint, keys=own).hears("other keys than this worker was told")


def test_without_keys_only_this_machine_is_worked_for(tmp_path: Path) -> None:
    settings = WorkerSettings("tcp://192.0.2.1:5555", ROOMY, 1, "w", tmp_path)
    with pytest.raises(InputError, match="keys"):
        run_worker(settings, lambda _: None, Stop())
    with pytest.raises(InputError, match="names no coordinator"):
        run_worker(replace(settings, endpoint="here"), lambda _: None, Stop())


# ---- what it says of itself, and the worker in the coordinator's own process


def test_a_budget_that_leaves_no_room_is_refused_at_once() -> None:
    with pytest.raises(BudgetError, match=r"holds .* without any task") as caught:
        introduce(Abilities("w", budget("20M"), 1, 1e9))
    assert caught.value.smallest_bytes > resident_bytes()


def test_credit_is_a_share_of_what_is_left() -> None:
    warm_up()
    held = resident_bytes()
    small = introduce(Abilities("w", Budget(held + (64 << 20), ""), 1, 1e9))
    large = introduce(Abilities("w", Budget(held + (4 << 30), ""), 1, 1e9))
    assert 6 << 20 < small.credit_bytes < 8 << 20
    assert large.credit_bytes == 64 << 20


def test_a_quota_of_the_processor_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from ftdist.cluster import introduction

    monkeypatch.setattr(introduction, "_rate", lambda: 1e10)
    for quota, threads, rate in ((None, 2, 1e10), (0.5, 1, 5e9), (0.5, 2, 2.5e9), (4.0, 2, 1e10)):
        monkeypatch.setattr(introduction, "processor_quota", lambda quota=quota: quota)
        assert measured_rate(threads) == pytest.approx(rate)


def test_the_measured_rate_is_that_of_a_processor() -> None:
    assert 1e7 < measured_rate(1) < 1e13


def test_the_coordinators_own_worker_needs_no_port_and_no_files(
    chain: Model, tmp_path: Path
) -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    context = make_context()
    with ScriptedCoordinator(chain, "inproc://own", context=context) as coordinator:
        own = LocalWorker(Abilities("own", ROOMY, 1, 1e9), chain, said.put)
        own.start(context, "inproc://own")
        coordinator.welcome()
        assert coordinator.prepare() == Ready(chain.digest, (0, 1, 2, 3))
        assert coordinator.requests == []
        image = image_of(chain)
        coordinator.send(whole_task(chain, image))
        found = joined(coordinator.whole_result(), chain, 3)
        assert np.array_equal(found, at_home(chain, image)[3])
        own.close()
        coordinator.take(Bye)
    context.destroy(0)


def test_a_welcome_after_a_restart_of_the_local_socket(chain: Model) -> None:
    """A second Welcome changes nothing, and the worker stays."""
    context = make_context()
    with ScriptedCoordinator(chain, "inproc://again", context=context) as coordinator:
        own = LocalWorker(Abilities("own", ROOMY, 1, 1e9), chain, lambda _: None)
        own.start(context, "inproc://again")
        coordinator.welcome(heartbeat_s=0.05)
        coordinator.send(Welcome(PROTOCOL, 2, 60.0, 60.0))
        for _ in range(3):
            assert coordinator.take(Heartbeat).tasks == 0
        own.close()
    context.destroy(0)
