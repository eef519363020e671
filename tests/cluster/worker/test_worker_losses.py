"""Workers that lose their coordinator, are sent away, or are told to stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.cluster.runningworkers import Slow, Workers
from support.cluster.scriptedcoordinator import (
    PATIENCE_S,
    ScriptedCoordinator,
    joined,
    task_id,
    whole_task,
)
from support.cluster.workertasks import at_home, image_of
from support.smallmodels import CHAIN, write_small_model

from ftdist.cluster import backoff
from ftdist.cluster.worker import worker
from ftdist.errors import FtdistError
from ftdist.network.modelfile import Model, load
from ftdist.protocol.shared_messages import Bye, Drain, Refusal
from ftdist.protocol.worker_messages import Hello, Ready, Result


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
        running.hears("joined the cluster")
    assert sum("nothing listens there" in line for line in running.lines) == 1


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
    running.hears("finishes the task that it is computing first")
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
