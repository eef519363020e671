"""A worker on real sockets, with a coordinator made of a script: it joins and works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq
from support.cluster.runningworkers import Slow, Workers
from support.cluster.scriptedcoordinator import (
    PATIENCE_S,
    ScriptedCoordinator,
    joined,
    task_id,
    whole,
    whole_task,
)
from support.cluster.workertasks import at_home, image_of
from support.smallmodels import CHAIN, write_small_model

from ftdist.cluster import backoff
from ftdist.cluster.server.model_reader import header_bytes
from ftdist.cluster.worker import worker
from ftdist.network.modelfile import Model, load
from ftdist.planning.lowering.predictor import SLACK_BYTES
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.records import Place
from ftdist.protocol.shared_messages import Bye
from ftdist.protocol.worker_messages import (
    Failed,
    Fetch,
    Forget,
    Heartbeat,
    Hello,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Result,
)
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import page_block, resident_bytes
from ftdist.runtime.budget.process_memory import will_hold_bytes


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    monkeypatch.setattr(worker, "measured_rate", lambda _: 1e9)
    made = Workers(tmp_path / "cache")
    yield made
    made.close()


@pytest.fixture
def coordinator(chain: Model) -> Iterator[ScriptedCoordinator]:
    with ScriptedCoordinator(chain) as made:
        yield made


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow()
    monkeypatch.setattr(worker, "TaskRunner", lambda *_: made)
    return made


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
    small = Budget(will_hold_bytes() + SLACK_BYTES + (3 << 20), "--mem")
    workers.start(coordinator.endpoint, budget=small)
    coordinator.welcome()
    task = whole_task(chain, image_of(chain))
    coordinator.send(task)
    assert coordinator.take(Failed).reason == "weights"
    coordinator.prepare()
    ballast = page_block(16 << 20)  # pages of its own, whatever this process has to spare
    ballast[:] = 1
    coordinator.send(task)
    failed = coordinator.take(Failed)
    assert failed.reason == "memory" and failed.needed_bytes > small.bytes, ballast[0]


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


def test_a_coordinator_whose_message_has_no_end_is_cut_off(
    workers: Workers, coordinator: ScriptedCoordinator
) -> None:
    worker_ = workers.start(coordinator.endpoint)
    coordinator.welcome()
    part = bytes(64 << 10)
    coordinator.socket.send(coordinator.peer, zmq.SNDMORE)
    for _ in range(4000):  # a quarter of a gigabyte, of one array of 64 KiB
        coordinator.socket.send(part, zmq.SNDMORE, copy=False)
    coordinator.socket.send(b"")
    worker_.hears("cut off the connection of 127.0.0.1:")
    coordinator.welcome()
