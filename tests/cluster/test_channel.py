"""Two ends of a connection joined by a link of a given rate; no sockets, and the link's clock."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.cluster.channel import LIGHT_BYTES, Channel
from ftdist.geometry import Region
from ftdist.protocol.limits import FRAME_BYTES, PORTION_BYTES
from ftdist.protocol.messages import FROM_COORDINATOR, FROM_EITHER, Message
from ftdist.protocol.records import Group, Piece, TaskId
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Beat, Opening, Portion, Refusal, Taken
from ftdist.protocol.wire import decode, encode
from ftdist.protocol.worker_messages import Assign, Cancel, Forget, Probe

EXPECTED = FROM_COORDINATOR


class Link:
    """Carries frames from `near` to `far`, and answers back, each in order at a rate."""

    def __init__(self, bytes_per_s: float, latency_s: float = 0.0) -> None:
        self.near, self.far = (Channel(EXPECTED, 4 * FRAME_BYTES) for _ in range(2))
        self.now_s = 0.0
        self.got: list[tuple[float, Message]] = []
        self.largest = 0
        self._rate, self._latency_s = bytes_per_s, latency_s
        self._ways: dict[bool, deque[tuple[float, list[Any]]]] = {True: deque(), False: deque()}
        self._free_s = {True: 0.0, False: 0.0}

    def _sender(self, down: bool) -> Any:
        def send(frames: list[Any]) -> bool:
            size = sum(memoryview(each).nbytes for each in frames)
            self.largest = max(self.largest, size)
            self._free_s[down] = max(self._free_s[down], self.now_s) + size / self._rate
            due_s = self._free_s[down] + self._latency_s
            self._ways[down].append((due_s, [bytes(each) for each in frames]))
            return True

        return send

    @property
    def busy(self) -> bool:
        self.near.flush(self._sender(True), self.now_s)
        self.far.flush(self._sender(False), self.now_s)
        return any(self._ways.values())

    def step(self) -> None:
        """The next frames arrive."""
        down = min(
            (way for way in self._ways if self._ways[way]), key=lambda w: self._ways[w][0][0]
        )
        self.now_s, frames = self._ways[down].popleft()
        end = self.far if down else self.near
        size = sum(map(len, frames))
        message = end.take(decode(frames, EXPECTED | FROM_EITHER), size, self.now_s)
        assert not isinstance(message, WireError), message
        if message is not None:
            self.got.append((self.now_s, message))

    def run(self) -> None:
        while self.busy:
            self.step()

    def met(self) -> None:
        """Both ends have said something before."""
        for end in (self.near, self.far):
            end.post(Beat())
        self.run()
        self.got.clear()


def large(count: int, number: int = 0) -> Probe:
    return Probe(number, np.arange(count, dtype=np.uint32).view(np.uint8)[:count])


def assign(number: int, *sizes: int) -> Assign:
    """An order with pieces of so many values."""
    pieces = tuple(
        Piece(-1, Region(n, n + 1, 0, size), np.full((1, size, 1), n, np.float32))
        for n, size in enumerate(sizes)
    )
    groups = (Group(0, 1, 1, 1, 0, False),)
    task = TaskId("job", 0, 0, 0, number)
    return Assign(task, "0" * 32, groups, Region(0, 1, 0, 1), 1, pieces, (), (), False)


@given(
    st.lists(st.integers(0, 300_000) | st.sampled_from([LIGHT_BYTES, PORTION_BYTES]), max_size=8),
    st.sampled_from([3e4, 2.5e5, 1e7, 1e9]),
    st.sampled_from([0.0, 0.02]),
)
def test_whatever_is_sent_comes_whole_and_in_order(
    sizes: list[int], rate: float, latency_s: float
) -> None:
    link = Link(rate, latency_s)
    sent = [large(size, number) for number, size in enumerate(sizes)]
    for each in sent:
        link.near.post(each)
    link.run()
    assert [m.number for _, m in link.got if isinstance(m, Probe)] == list(range(len(sizes)))
    for (_, message), before in zip(link.got, sent, strict=True):
        assert isinstance(message, Probe) and np.array_equal(message.data, before.data)
    assert link.largest <= PORTION_BYTES + LIGHT_BYTES
    assert link.near.count == link.near.waiting_bytes == 0


@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=60))
def test_portions_run_across_arrays(sizes: list[int]) -> None:
    link = Link(1e6)
    link.near.post(assign(0, *sizes))
    link.run()
    ((_, message),) = link.got
    assert isinstance(message, Assign)
    for number, (piece, size) in enumerate(zip(message.pieces, sizes, strict=True)):
        assert piece.data.shape == (1, size, 1) and (piece.data == number).all()
        assert not piece.data.flags.writeable


@pytest.mark.parametrize("bits_per_s", [0.25e6, 1e6, 2e6, 10e6, 30e6])
def test_signs_of_life_pass_megabytes(bits_per_s: float) -> None:
    """A beat that is posted among megabytes comes within a moment, once the rate is known."""
    link = Link(bits_per_s / 8, latency_s=0.005)
    for number in range(4):
        link.near.post(large(1 << 20, number))
    beats: list[float] = []
    while link.busy:
        if len(beats) <= link.now_s:
            beats.append(link.now_s)
            link.near.post(Beat())
        link.step()
    came = [s for s, message in link.got if isinstance(message, Beat)]
    first_s = 8 * (320 << 10) / bits_per_s  # the first window, sent before anything was known
    waits = [came_s - sent_s for sent_s, came_s in zip(beats, came, strict=True)]
    assert max(waits) < max(first_s, 1.0)
    assert max(waits[len(waits) // 2 :]) < 1.0


@pytest.mark.parametrize("bits_per_s", [2e6, 10e6, 100e6, 1e9])
def test_the_link_is_never_idle_for_long(bits_per_s: float) -> None:
    link = Link(bits_per_s / 8, latency_s=0.001)
    for number in range(4):
        link.near.post(large(4 << 20, number))
    link.run()
    assert link.now_s < 1.05 * (16 << 20) * 8 / bits_per_s


def test_small_messages_do_not_pass_large_ones() -> None:
    link = Link(1e6)
    messages: list[Message] = [
        large(1 << 20),
        Forget("a", 0, ()),
        large(100_000, 1),
        Forget("b", 0, ()),
    ]
    for each in messages:
        link.near.post(each)
    link.run()
    assert [type(each) for _, each in link.got] == [type(each) for each in messages]


def test_a_message_that_has_not_begun_is_withdrawn() -> None:
    link = Link(1e6)
    first, second = assign(1, *[60_000] * 9), assign(2, *[60_000] * 9)
    for each in (first, second):
        link.near.post(each, each.task)
    assert link.busy
    assert link.near.withdraw(second.task) and not link.near.withdraw(first.task)
    link.near.post(Cancel(first.task))
    link.run()
    assert [type(each) for _, each in link.got] == [Assign, Cancel]


def test_what_is_cleared_does_not_hold_up_the_last_word() -> None:
    link = Link(1e5)
    link.near.post(large(8 << 20))
    assert link.busy
    link.near.clear()
    link.near.post(Refusal("lost", False))
    link.run()
    assert [type(each) for _, each in link.got] == [Refusal] and link.now_s < 4


def test_within_a_process_nothing_is_cut_or_answered() -> None:
    ends = [Channel(EXPECTED, FRAME_BYTES, plain=True) for _ in range(2)]
    sent: list[list[Any]] = []
    ends[0].post(large(8 << 20))
    assert ends[0].flush(lambda frames: not sent.append(frames), 0.0)  # type: ignore[func-returns-value]
    (frames,) = sent
    message = decode(frames, EXPECTED)
    assert ends[1].take(message, 8 << 20, 0.0) is message
    ends[1].flush(lambda frames: pytest.fail("an answer"), 0.0)


def test_a_transport_that_is_full_is_tried_again() -> None:
    near = Channel(EXPECTED, FRAME_BYTES)
    near.post(large(100_000))
    near.post(Beat())
    assert not near.flush(lambda _: False, 0.0)
    sent: list[Any] = []
    assert near.flush(lambda frames: not sent.append(frames), 0.0)  # type: ignore[func-returns-value]
    kinds = [type(decode(frames, EXPECTED | FROM_EITHER)) for frames in sent]
    assert kinds[:3] == [Beat, Opening, Portion]


# ---- what others may get wrong


def opening(message: Message) -> Opening:
    header, *arrays = encode(message)
    return Opening(np.frombuffer(header, np.uint8), tuple(each.nbytes for each in arrays))


def portion(count: int) -> Portion:
    return Portion(0.0, (np.zeros(count, np.uint8),))


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([portion(5)], "no message"),
        ([opening(large(100)), portion(101)], "more than it lacks"),
        ([opening(large(100)), opening(large(100))], "before the last one is whole"),
        ([Opening(np.zeros(9, np.uint8), (5,))], "header"),
        ([Opening(np.zeros(0, np.uint8), (5,))], "header"),
        ([Opening(opening(large(100)).header, (99,))], "99 bytes"),
        ([Opening(opening(large(100)).header, (100, 1))], "more frames"),
        ([Opening(opening(large(100)).header, (FRAME_BYTES, FRAME_BYTES))], "more than"),
        ([opening(portion(9))], "not expected"),
    ],
)
def test_nonsense_is_refused_at_once(messages: list[Message], complaint: str) -> None:
    end = Channel(EXPECTED, FRAME_BYTES)
    found = [end.take(each, 100, 0.0) for each in messages]
    assert found[:-1] == [None] * (len(found) - 1)
    assert isinstance(found[-1], WireError) and complaint in str(found[-1])


def test_more_cannot_be_taken_than_was_sent() -> None:
    end = Channel(EXPECTED, FRAME_BYTES)
    end.post(large(200_000))
    assert end.flush(lambda _: True, 0.0) and end.under_way_bytes
    assert end.take(Taken(end.under_way_bytes, 0.0), 100, 0.1) is None
    found = end.take(Taken(400_000, 0.1), 100, 0.2)
    assert isinstance(found, WireError) and "more was taken" in str(found)


def test_what_was_taken_of_who_was_here_before_is_no_complaint() -> None:
    """A transport reconnects by itself, and brings what it had for a coordinator that is gone."""
    end = Channel(EXPECTED, FRAME_BYTES)
    assert end.take(Taken(0, 0.0), 100, 0.0) is None, "it only tells its clock"
    assert end.take(Taken(1, 0.0), 100, 0.0) == Taken(1, 0.0)


@given(st.data())
def test_any_order_of_packets_is_a_message_or_a_complaint(data: st.DataObject) -> None:
    end = Channel(EXPECTED, 1 << 20)
    packets = st.one_of(
        st.builds(portion, st.integers(0, 5000)),
        st.integers(0, 5000).map(lambda n: opening(large(n))),
        st.builds(Taken, st.integers(0, 1 << 40)),
        st.builds(
            Opening,
            st.binary(max_size=50).map(lambda b: np.frombuffer(b, np.uint8)),
            st.lists(st.integers(0, FRAME_BYTES), min_size=1, max_size=4).map(tuple),
        ),
    )
    for each in data.draw(st.lists(packets, max_size=20)):
        found = end.take(each, 100, 0.0)
        assert found is None or isinstance(found, Probe | Taken | WireError)


@pytest.mark.parametrize("bits_per_s", [2e6, 10e6, 30e6])
@pytest.mark.parametrize("later_s", [0.0, 0.3, 0.7])
def test_both_ways_at_once_are_busy_to_the_end(bits_per_s: float, later_s: float) -> None:
    """Words of what was taken wait behind what is sent the other way, which halts neither."""
    link = Link(bits_per_s / 8, latency_s=0.003)
    link.met()
    count = max(4, int(bits_per_s / 1e6))
    for number in range(count):
        link.near.post(large(1 << 20, number))
    back = [large(1 << 20, count + number) for number in range(count)]
    while link.busy or back:
        if link.now_s >= later_s:
            while back:
                link.far.post(back.pop())
        link.step()
    ended_s = {True: 0.0, False: 0.0}
    for at_s, message in link.got:
        assert isinstance(message, Probe)
        ended_s[message.number < count] = at_s
    least_s = 8 * count * (1 << 20) / bits_per_s
    assert ended_s[True] < 1.1 * least_s and ended_s[False] - later_s < 1.1 * least_s
