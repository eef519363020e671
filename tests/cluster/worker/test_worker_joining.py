"""How a worker introduces itself: keys, what it says of itself, the coordinator's own one."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.cluster.runningworkers import ROOMY, Workers
from support.cluster.scriptedcoordinator import PATIENCE_S, ScriptedCoordinator, joined, whole_task
from support.cluster.workertasks import at_home, image_of
from support.smallmodels import CHAIN, write_small_model

from ftdist.cluster import backoff
from ftdist.cluster.keys import coordinator_keys, make_coordinator, make_peer
from ftdist.cluster.process import StopRequest
from ftdist.cluster.server.authentication import AllowListAuthenticator
from ftdist.cluster.transport import make_context
from ftdist.cluster.worker import hello, worker
from ftdist.cluster.worker.hello import Capabilities, make_hello, measured_rate, warm_up
from ftdist.cluster.worker.worker import LocalWorker, WorkerSettings, run_worker
from ftdist.errors import BudgetError, InputError
from ftdist.network.modelfile import Model, load
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.shared_messages import Bye
from ftdist.protocol.worker_messages import Heartbeat, Ready, Welcome
from ftdist.runtime.budget.limits import Budget, budget
from ftdist.runtime.budget.memory import resident_bytes


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


def test_a_key_that_is_not_allowed_is_said_and_tried_again(
    workers: Workers, chain: Model, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    make_coordinator(folder)
    own = make_peer(folder, "pi1")
    allowed = folder / "allowed" / "pi1.key"
    text = allowed.read_text()
    allowed.unlink()
    context = make_context()
    gate = AllowListAuthenticator(context, folder / "allowed", lambda _: None)
    with ScriptedCoordinator(chain, keys=coordinator_keys(folder), context=context) as coordinator:
        running = workers.start(coordinator.endpoint, keys=own)
        assert gate.socket.poll(int(PATIENCE_S * 1e3))
        gate.answer()
        assert "does not accept this worker's key" in running.hears("key")
        allowed.write_text(text)
        gate.reread()
        until_s = time.monotonic() + PATIENCE_S
        while not coordinator.socket.poll(10):
            gate.answer()
            assert time.monotonic() < until_s, "an allowed key does not help"
        coordinator.welcome()
        running.hears("joined the cluster")
        running.stop.request()
        running.ended()
    gate.stop()
    context.destroy(0)


def test_a_coordinator_that_wants_keys_is_said(
    workers: Workers, chain: Model, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    make_coordinator(folder)
    own = make_peer(folder, "pi1")
    with ScriptedCoordinator(chain, keys=coordinator_keys(folder)) as strict:
        workers.start(strict.endpoint).hears("it requires keys")
    with ScriptedCoordinator(chain) as plain:
        workers.start(plain.endpoint, keys=own).hears("not the one in this worker")


def test_without_keys_only_this_machine_is_worked_for(tmp_path: Path) -> None:
    settings = WorkerSettings("tcp://192.0.2.1:5555", ROOMY, 1, "w", tmp_path)
    with pytest.raises(InputError, match="keys"):
        run_worker(settings, lambda _: None, StopRequest())
    with pytest.raises(InputError, match="is not the address of a coordinator"):
        run_worker(replace(settings, endpoint="here"), lambda _: None, StopRequest())


def test_a_budget_that_leaves_no_room_is_refused_at_once() -> None:
    with pytest.raises(BudgetError, match=r"holds .* without any task") as caught:
        make_hello(Capabilities("w", budget("20M"), 1, 1e9))
    assert caught.value.smallest_bytes > resident_bytes()


def test_credit_is_a_share_of_what_is_left() -> None:
    warm_up()
    held = resident_bytes()
    small = make_hello(Capabilities("w", Budget(held + (64 << 20), ""), 1, 1e9))
    large = make_hello(Capabilities("w", Budget(held + (4 << 30), ""), 1, 1e9))
    assert 6 << 20 < small.credit_bytes < 8 << 20
    assert large.credit_bytes == 64 << 20


def test_a_quota_of_the_processor_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hello, "_rate", lambda: 1e10)
    for quota, threads, rate in ((None, 2, 1e10), (0.5, 1, 5e9), (0.5, 2, 2.5e9), (4.0, 2, 1e10)):
        monkeypatch.setattr(hello, "processor_quota", lambda quota=quota: quota)
        assert measured_rate(threads) == pytest.approx(rate)


def test_the_measured_rate_is_that_of_a_processor() -> None:
    assert 1e7 < measured_rate(1) < 1e13


def test_the_coordinators_own_worker_needs_no_port_and_no_files(
    chain: Model, tmp_path: Path
) -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    context = make_context()
    with ScriptedCoordinator(chain, "inproc://own", context=context) as coordinator:
        own = LocalWorker(Capabilities("own", ROOMY, 1, 1e9), chain, said.put)
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
        own = LocalWorker(Capabilities("own", ROOMY, 1, 1e9), chain, lambda _: None)
        own.start(context, "inproc://again")
        coordinator.welcome(heartbeat_s=0.05)
        coordinator.send(Welcome(PROTOCOL, 2, 60.0, 60.0))
        for _ in range(3):
            assert coordinator.take(Heartbeat).tasks == 0
        own.close()
    context.destroy(0)
