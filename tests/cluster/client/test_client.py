"""The client on a real socket, with a coordinator that dies, is silent, refuses, or lies."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zmq
from numpy.typing import NDArray
from support.cluster.fakecoordinator import FakeCoordinator, expected
from support.command import GUARD_S
from support.smallmodels import TWO_OUTPUTS, random_image, write_small_model

from ftdist.cluster.client.client import Client, FrameOutputs
from ftdist.cluster.client.exchange import Patience
from ftdist.cluster.client.frames import Dishonest
from ftdist.cluster.transport import CurveKeys
from ftdist.errors import FtdistError, InputError
from ftdist.network.modelfile import Model, load
from ftdist.network.modelheader import Header
from ftdist.protocol.client_messages import (
    Cancelled,
    FrameInput,
    JobFailed,
    JobProgress,
    Received,
    StatusRequest,
    Submit,
)
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.shared_messages import Bye, Drain, Refusal

PATIENT = Patience(first_s=GUARD_S, later_s=GUARD_S, ask_s=0.05, silence_s=GUARD_S)
QUICK = Patience(first_s=GUARD_S, later_s=GUARD_S, ask_s=0.05, silence_s=0.4)
UNASKING = Patience(first_s=GUARD_S, later_s=GUARD_S, ask_s=GUARD_S, silence_s=GUARD_S)
"""A last word may be lost where the client leaves an answer unread: so it asks for none."""

FRAMES = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("model") / "two.ftd", TWO_OUTPUTS))


@pytest.fixture
def fake(model: Model) -> Iterator[FakeCoordinator]:
    made = FakeCoordinator(model)
    made.start()
    yield made
    made.stop()


class Job:
    """Frames of random values, and what came of them."""

    def __init__(self, frames: int = FRAMES) -> None:
        self.loaded: list[int] = []
        self.delivered: list[int] = []
        self.said: list[str] = []
        self.progress: list[JobProgress] = []
        self.are_pictures = False
        self._frames = frames

    def __len__(self) -> int:
        return self._frames

    def load(self, header: Header, frame: int) -> NDArray[Any]:
        self.loaded.append(frame)
        return random_image(64, frame)

    def deliver(self, result: FrameOutputs) -> None:
        total = expected(random_image(64, result.frame).transpose(1, 2, 0))
        assert list(result.outputs) == ["convolutional3", "route4"] and result.seconds == 0.25
        assert all((array == total).all() for array in result.outputs.values())
        self.delivered.append(result.frame)

    def submit(
        self, endpoint: str, done: tuple[int, ...] = (), patience: Patience = PATIENT
    ) -> None:
        with Client(
            endpoint, patience=patience, say=self.said.append, chance=lambda: 1.0
        ) as client:
            for result in client.submit(self, name="job", done=done, progress=self.progress.append):
                self.deliver(result)


def until_heard(fake: FakeCoordinator, kind: type[Message]) -> None:
    """Waits until the coordinator has read such a message, whatever else it reads."""
    deadline = time.monotonic() + GUARD_S
    while not any(isinstance(each, kind) for each in fake.heard):
        assert time.monotonic() < deadline, kinds(fake.heard)
        time.sleep(0.005)  # its thread needs the interpreter


def kinds(heard: list[Message]) -> list[str]:
    return [each.kind for each in heard]


def test_all_frames_are_computed_once_and_acknowledged(fake: FakeCoordinator) -> None:
    job = Job()
    job.submit(fake.endpoint, patience=UNASKING)
    assert sorted(job.delivered) == sorted(fake.computed) == list(range(FRAMES))
    until_heard(fake, Bye)  # sent last, and nobody answers it
    assert kinds(fake.heard)[-1] == "bye", kinds(fake.heard)
    assert sorted(fake.received()) == list(range(FRAMES)) and job.said == []


def test_done_frames_are_neither_sent_nor_computed(fake: FakeCoordinator) -> None:
    job = Job()
    job.submit(fake.endpoint, (0, 1, 4))
    assert sorted(fake.computed) == sorted(job.loaded) == [2, 3, 5]
    assert fake.heard[0] == Submit(PROTOCOL, "job", FRAMES, False, ((0, 2), (4, 5)))


def test_a_coordinator_killed_and_restarted_twice_does_nothing_twice(
    model: Model, fake: FakeCoordinator
) -> None:
    """Killed by a thread of its own, in the middle of the third and of the fifth frame."""
    import threading

    frames = itertools.count(1)
    restarts: list[threading.Thread] = []

    def restart() -> None:
        fake.stop()
        fake.start()

    def before(message: Message) -> list[Message] | None:
        if not isinstance(message, FrameInput) or message.more or next(frames) not in (3, 5):
            return None
        restarts.append(threading.Thread(target=restart))
        restarts[-1].start()
        return []

    fake.before = before
    job = Job()
    job.submit(fake.endpoint)
    for each in restarts:
        each.join()
    assert len(restarts) == 2 and len(job.said) >= 2
    assert sorted(job.delivered) == list(range(FRAMES))
    submits = [each for each in fake.heard if isinstance(each, Submit)]
    assert len(submits) >= 3 and len({each.job for each in submits}) == 1
    done = [sum(stop - start for start, stop in each.done) for each in submits]
    assert done == sorted(done) and done[0] == 0


def test_a_silent_coordinator_is_asked_for_a_sign_and_then_left(fake: FakeCoordinator) -> None:
    silent = iter([True] * 15)

    def before(message: Message) -> list[Message] | None:
        return [] if next(silent, False) else None

    fake.before = before
    job = Job(2)
    job.submit(fake.endpoint, patience=QUICK)
    assert sorted(job.delivered) == [0, 1]
    assert any("the coordinator is silent" in line for line in job.said)
    assert sum(isinstance(each, StatusRequest) for each in fake.heard) >= 2
    assert sum(isinstance(each, Submit) for each in fake.heard) >= 2


def test_a_coordinator_that_does_not_know_the_job_gets_it_again(fake: FakeCoordinator) -> None:
    """It lost the Submit but not the connection: its own status says so."""
    once: Iterator[list[Message]] = iter([[]])
    fake.before = lambda message: next(once, None) if isinstance(message, Submit) else None
    job = Job(2)
    job.submit(fake.endpoint)
    assert sorted(job.delivered) == [0, 1] and job.said == []
    assert sum(isinstance(each, Submit) for each in fake.heard) >= 2


def test_a_coordinator_that_is_only_slow_is_waited_for(
    fake: FakeCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs of life are enough, however long a frame takes: here 80 s between two of them."""
    signs = itertools.count()
    leap_s, leaps = 80.0, 15
    patience = Patience(first_s=1e6, later_s=1e6, ask_s=0.05, silence_s=100.0)
    ahead = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead[0])
    monkeypatch.setattr("ftdist.cluster.client.connection.time", clock)
    held: list[Message] = []

    def before(message: Message) -> list[Message] | None:
        if isinstance(message, FrameInput) and not held:
            held.append(message)
            return []
        if isinstance(message, StatusRequest):
            if next(signs) == leaps:
                return fake._answers(held[0])
            ahead[0] += leap_s
        return None

    fake.before = before
    job = Job(1)
    job.submit(fake.endpoint, patience=patience)
    assert ahead[0] > patience.silence_s
    assert job.delivered == [0] and job.said == []
    assert sum(isinstance(each, Submit) for each in fake.heard) == 1


@pytest.mark.parametrize("farewell", [Drain("it ends"), Refusal("come back later", False)])
def test_a_coordinator_that_is_ending_is_tried_again(
    fake: FakeCoordinator, farewell: Message
) -> None:
    once = iter([[farewell]])
    fake.before = lambda message: next(once, None) if isinstance(message, FrameInput) else None
    job = Job(2)
    job.submit(fake.endpoint)
    assert sorted(job.delivered) == [0, 1] and len(job.said) == 1


def test_a_final_refusal_is_the_end(fake: FakeCoordinator) -> None:
    fake.before = lambda _: [Refusal("you speak protocol 1, I speak 2", True)]
    with pytest.raises(InputError, match="refused: you speak protocol 1"):
        Job().submit(fake.endpoint)


def test_a_failed_job_says_why_and_a_lie_is_named(fake: FakeCoordinator) -> None:
    fake.before = lambda message: (
        [JobFailed("job", ("no memory on pi",))] if isinstance(message, FrameInput) else None
    )
    with pytest.raises(FtdistError, match="no memory on pi"):
        Job().submit(fake.endpoint)
    usual = fake._pieces
    fake.before = lambda message: [] if isinstance(message, FrameInput) and message.frame else None
    fake._pieces = lambda message: usual(message)[:1]  # type: ignore[method-assign]
    with pytest.raises(Dishonest, match="not whole"):
        Job().submit(fake.endpoint, patience=UNASKING)
    until_heard(fake, Cancelled)


def test_what_is_no_coordinator_is_named() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        hurried = Patience(first_s=0.6, ask_s=0.05, silence_s=0.1)
        with (
            Client(f"tcp://127.0.0.1:{port}", patience=hurried) as client,
            pytest.raises(FtdistError, match="is a coordinator there"),
        ):
            next(iter(client.submit(Job())))
        socket.close(0)


def test_a_wrong_address_is_said_soon(fake: FakeCoordinator) -> None:
    fake.stop()
    hurried = Patience(first_s=0.6)
    with (
        Client(fake.endpoint, patience=hurried, chance=lambda: 1.0) as client,
        pytest.raises(FtdistError, match="nothing listens there"),
    ):
        client.status()


def test_status_is_one_question_and_one_answer(fake: FakeCoordinator) -> None:
    with Client(fake.endpoint, patience=PATIENT) as client:
        assert client.status().model == "two"
    assert kinds(fake.heard) == ["status-request"]


@pytest.mark.parametrize("own", ["none", "of another"])
def test_keys_that_do_not_fit_are_said(model: Model, own: str) -> None:
    public, secret = zmq.curve_keypair()
    fake = FakeCoordinator(model)
    fake.keys = CurveKeys(public, secret)
    fake.start()
    keys = CurveKeys(*zmq.curve_keypair(), zmq.curve_keypair()[0]) if own != "none" else None
    words = "requires keys" if own == "none" else "does not take these keys"
    try:
        with (
            Client(fake.endpoint, keys, patience=PATIENT, chance=lambda: 1.0) as client,
            pytest.raises(InputError, match=words),
        ):
            client.status()
    finally:
        fake.stop()
    assert fake.heard == []


def test_a_client_takes_little_memory_however_many_frames(
    fake: FakeCoordinator, tmp_path: Path
) -> None:
    """Frames are loaded when there is room for them on the wire, not all at once."""
    ahead: list[int] = []
    job = Job(40)
    usual = job.load

    def load_counted(header: Header, frame: int) -> NDArray[Any]:
        ahead.append(len(job.loaded) - len(fake.computed))
        return np.asarray(usual(header, frame))

    job.load = load_counted  # type: ignore[method-assign]
    job.submit(fake.endpoint)
    assert sorted(job.delivered) == list(range(40))
    assert max(ahead) < 40


def test_arrays_and_paths_are_inputs(fake: FakeCoordinator, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", random_image(64, 1)[None])
    with Client(fake.endpoint, patience=PATIENT) as client:
        job = client.submit([random_image(64, 0), tmp_path / "one.npy"])
        found = {result.frame: result.outputs for result in job}
    assert job.header is not None and job.header.network.name == "two"
    for frame in (0, 1):
        total = expected(random_image(64, frame).transpose(1, 2, 0))
        assert all((array == total).all() for array in found[frame].values())


def test_inputs_that_do_not_go_together_are_refused_before_anything_is_sent(
    fake: FakeCoordinator, tmp_path: Path
) -> None:
    np.save(tmp_path / "half.npy", np.zeros(3, np.float16))
    with Client(fake.endpoint, patience=PATIENT) as client:
        for inputs, words in (
            ([], "no input"),
            ([np.zeros((64, 64, 3), np.uint8), random_image(64)], "submit them apart"),
            ([tmp_path / "none.npy"], "cannot be read"),
        ):
            with pytest.raises(InputError, match=words):
                client.submit(inputs)
        assert fake.heard == []
        with pytest.raises(InputError, match="the input is float16"):
            list(client.submit([tmp_path / "half.npy"]))


@pytest.mark.parametrize("how", ["cancel", "close", "another"])
def test_a_job_that_is_left_is_cancelled(fake: FakeCoordinator, how: str) -> None:
    """The coordinator has read it when the client is closed. And a result counts as received only
    when the next one is asked for."""
    with Client(fake.endpoint, patience=PATIENT) as client:
        job = client.submit(Job())
        next(iter(job))
        assert not any(isinstance(each, Received) for each in fake.heard)
        if how == "cancel":
            job.cancel()
            assert list(job) == []
        elif how == "another":
            client.submit(Job())
    assert any(isinstance(each, Cancelled) for each in fake.heard)
    assert not any(isinstance(each, Received) for each in fake.heard)


def test_a_job_whose_coordinator_does_not_come_back_is_given_up(fake: FakeCoordinator) -> None:
    """However often it is tried again: what counts is when the coordinator was last heard."""
    patience = Patience(first_s=GUARD_S, later_s=2.0, ask_s=0.05, silence_s=GUARD_S)
    said: list[str] = []
    with Client(fake.endpoint, patience=patience, say=said.append, chance=lambda: 1.0) as client:
        results = iter(client.submit(Job()))
        next(results)
        fake.stop()
        with pytest.raises(FtdistError, match="nothing listens there"):
            list(results)
    assert said
