"""A worker's conversation by itself: a clock of numbers, no socket, nothing computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from support.cluster.scriptedcoordinator import task_id

from ftdist.cluster.backoff import Backoff
from ftdist.cluster.worker.session import MOST_TASKS, WELCOME_S, Session
from ftdist.cluster.worker.task_inputs import Task
from ftdist.geometry import Region
from ftdist.network.modelfile import Model
from ftdist.protocol.client_messages import Accepted
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Group, Piece, Place, TaskId
from ftdist.protocol.shared_messages import Beat, Drain, ModelChunk, ModelRequest, Refusal
from ftdist.protocol.worker_messages import (
    Assign,
    Cancel,
    Failed,
    Fetch,
    Forget,
    Heartbeat,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Result,
    Welcome,
)

DIGEST = "ab" * 16
REQUEST = ModelRequest(DIGEST, 0, 0, 10)


class FakeTasks:
    """Tasks that wait until the test says what comes of them."""

    def __init__(self) -> None:
        self.waiting: list[Task] = []
        self.outcome: list[Result | Failed] = []
        self.progress = 0

    @property
    def count(self) -> int:
        return len(self.waiting)

    def submit(self, task: Task) -> None:
        self.waiting.append(task)

    def cancel(self, name: TaskId) -> bool:
        before = len(self.waiting)
        self.waiting = [task for task in self.waiting if task.assign.task != name]
        return len(self.waiting) < before

    def collect(self) -> list[Result | Failed]:
        found, self.outcome = self.outcome, []
        return found


class FakeWeights:
    """Weights of layers 0 to 3 of one model; a list of what was wanted."""

    def __init__(self) -> None:
        self.wanted: list[Prepare] = []
        self.to_ask: list[ModelRequest] = []
        self.steps = 0

    def prepare(self, wanted: Prepare) -> bool:
        self.wanted.append(wanted)
        return True

    def take(self, chunk: ModelChunk) -> bool:
        return chunk.offset == 0

    def step(self) -> bool:
        self.steps = max(0, self.steps - 1)
        return self.steps > 0

    def requests(self, now_s: float) -> list[ModelRequest]:
        found, self.to_ask = self.to_ask, []
        return found

    def ready(self) -> list[Ready]:
        found = [Ready(each.model, each.layers) for each in self.wanted]
        self.wanted.clear()
        return found

    def model(self, digest: str, first: int, stop: int) -> Model | None:
        return object() if digest == DIGEST and stop <= 4 else None  # type: ignore[return-value]

    def lose_connection(self) -> None: ...

    def close(self) -> None: ...


class Rig:
    """A session with what lies beside it, at time 0, welcomed unless told otherwise."""

    def __init__(self, *, welcomed: bool = True) -> None:
        self.tasks, self.weights = FakeTasks(), FakeWeights()
        self.session = Session(self.weights, self.tasks, lambda: (10, 20), 0.0)
        if welcomed:
            self.session.handle(Welcome(PROTOCOL, 7, 1.0, 2.5), 0.0)

    def send(self, *messages: Message, at: float = 0.0) -> list[Message]:
        return [answer for each in messages for answer in self.session.handle(each, at)]


def assign(tile: int = 0, *, stop: int = 2, digest: str = DIGEST, bytes_: int = 4) -> Assign:
    pieces = (Piece(-1, Region(0, 1, 0, 1), np.zeros((1, 1, bytes_ // 4), np.float32)),)
    groups = (Group(0, stop, 1, 1, 0, False),)
    return Assign(task_id(tile), digest, groups, Region(0, 1, 0, 1), 1, pieces, (), (), keep=False)


def beats(messages: Sequence[Message]) -> list[Heartbeat]:
    return [each for each in messages if isinstance(each, Heartbeat)]


def test_a_heartbeat_comes_with_the_welcome_and_then_in_time() -> None:
    rig = Rig()
    rig.tasks.progress = 5
    assert rig.session.tick(0.0) == [Heartbeat(5, 0, 10, 20)]
    assert rig.session.next_s(0.0) == 1.0
    assert rig.session.tick(0.9) == []
    assert len(beats(rig.session.tick(1.0))) == 1
    assert beats(rig.session.tick(1.5)) == []


def test_a_probe_is_answered_with_the_clock_even_before_the_welcome() -> None:
    probe = Probe(3, np.zeros(5, np.uint8))
    assert Rig(welcomed=False).send(probe, at=4.5) == [ProbeReply(3, 4.5)]
    assert Rig().send(probe, at=4.5) == [ProbeReply(3, 4.5)]


def test_silence_ends_the_session_and_any_message_breaks_it() -> None:
    rig = Rig()
    rig.send(Beat(), at=2.0)
    rig.session.tick(4.5)
    assert rig.session.ending is None
    rig.session.tick(4.6)
    assert rig.session.ending is not None and not rig.session.ending.final
    assert "silent for 2.6 s" in rig.session.ending.reason


def test_no_answer_to_a_hello_ends_the_session() -> None:
    rig = Rig(welcomed=False)
    assert rig.session.next_s(0.0) == WELCOME_S
    rig.session.tick(WELCOME_S)
    assert rig.session.ending is None
    rig.session.tick(WELCOME_S + 0.1)
    assert rig.session.ending is not None and "no answer" in rig.session.ending.reason


@pytest.mark.parametrize("final", [False, True])
def test_a_refusal_ends_the_session(final: bool) -> None:
    for rig in (Rig(), Rig(welcomed=False)):
        rig.send(Refusal("too old", final))
        assert rig.session.ending is not None
        assert (rig.session.ending.reason, rig.session.ending.final) == ("too old", final)


def test_a_coordinator_that_drains_is_come_back_to() -> None:
    rig = Rig()
    rig.send(Drain("night"))
    assert rig.session.ending is not None and not rig.session.ending.final
    assert "night" in rig.session.ending.reason


def test_intervals_that_make_no_sense_are_bounded() -> None:
    rig = Rig(welcomed=False)
    rig.session.handle(Welcome(PROTOCOL, 1, 0.0, 0.0), 0.0)
    assert len(beats(rig.session.tick(0.0))) == 1
    assert rig.session.next_s(0.0) > 0.01
    rig.session.tick(0.03)
    assert rig.session.ending is None


def test_a_task_goes_to_the_thread_and_its_result_comes_back() -> None:
    rig = Rig()
    assert rig.send(assign(3), at=1.0) == []
    (task,) = rig.tasks.waiting
    assert task.assign.task == task_id(3) and task.received_s == 1.0
    result = Result(task_id(3), False, (), 1.0, 1.0, 2.0, 9)
    rig.tasks.outcome.append(result)
    assert result in rig.session.tick(1.1)


def test_a_task_without_its_weights_fails_for_that_reason() -> None:
    rig = Rig()
    for each in (assign(stop=5), assign(digest="0" * 32)):
        (answer,) = rig.send(each)
        assert isinstance(answer, Failed) and answer.reason == "weights"
    assert rig.tasks.waiting == []


def test_tasks_do_not_pile_up() -> None:
    rig = Rig()
    assert rig.send(*(assign(tile) for tile in range(MOST_TASKS))) == []
    (answer,) = rig.send(assign(MOST_TASKS))
    assert isinstance(answer, Failed) and len(rig.tasks.waiting) == MOST_TASKS


def test_a_cancelled_task_is_dropped_without_an_answer() -> None:
    rig = Rig()
    rig.send(assign(1), assign(2))
    assert rig.send(Cancel(task_id(1)), Cancel(task_id(9))) == []
    assert [task.assign.task.tile for task in rig.tasks.waiting] == [2]


def test_who_leaves_takes_no_more_tasks() -> None:
    rig = Rig()
    rig.session.leaving = True
    assert rig.send(assign()) == [] and rig.tasks.waiting == []


def test_weights_are_asked_for_and_announced() -> None:
    rig = Rig()
    rig.weights.to_ask.append(REQUEST)
    rig.send(Prepare(DIGEST, 100, (0, 1)))
    found = rig.session.tick(0.5)
    assert REQUEST in found and Ready(DIGEST, (0, 1)) in found


def test_checking_weights_goes_on_without_waiting() -> None:
    rig = Rig()
    rig.weights.steps = 2
    rig.session.tick(0.5)
    assert rig.session.next_s(0.5) == 0.5
    rig.session.tick(0.5)
    assert rig.session.next_s(0.5) > 0.5


def test_what_is_kept_is_fetched_and_forgotten() -> None:
    rig = Rig()
    rig.send(assign())
    kept = rig.tasks.waiting[0].maps
    piece = Piece(1, Region(0, 2, 0, 2), np.ones((2, 2, 1), np.float32))
    kept.add("job", 0, piece)
    fetch = Fetch(task_id(), (Place(1, Region(0, 1, 0, 2)),))
    (answer,) = rig.send(fetch, at=3.0)
    assert isinstance(answer, Result) and answer.pieces[0].region == Region(0, 1, 0, 2)
    assert rig.send(Forget("job", 1, ())) == []
    (answer,) = rig.send(fetch)
    assert isinstance(answer, Failed) and answer.reason == "kept"


def test_what_has_no_place_in_the_conversation_is_counted_and_passed_over() -> None:
    early = Rig(welcomed=False)
    assert early.send(assign(), Prepare(DIGEST, 1, ()), Cancel(task_id())) == []
    assert early.session.odd == 3 and early.tasks.waiting == []
    rig = Rig()
    second = Welcome(PROTOCOL, 8, 9.0, 9.0)
    stray = ModelChunk(DIGEST, 0, 1, np.zeros(1, np.uint8))
    assert rig.send(second, stray, Accepted("j", DIGEST, 1, (1, 1, 1), ())) == []
    assert rig.session.odd == 3 and rig.session.welcome == Welcome(PROTOCOL, 7, 1.0, 2.5)
    assert rig.session.ending is None


def test_pauses_grow_to_a_limit_and_begin_anew() -> None:
    longest = Backoff(lambda: 0.0)
    assert [longest.next_s() for _ in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    longest.reset()
    assert longest.next_s() == 0.5
    assert Backoff(lambda: 1.0).next_s() == 0.25
