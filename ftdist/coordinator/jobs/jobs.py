"""A job: which frames its client has, which are asked for, on their way, or ready for it.

Each frame is in one place at a time: not asked for yet, *wanted* of the client, *complete* here
and waiting for a plan, *in_flight* through the workers, among the *results*, or *done*: received.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ftdist.coordinator.events import Origin, Peer
from ftdist.coordinator.jobs.frames import Frame
from ftdist.protocol.client_messages import JobResult, Submit
from ftdist.protocol.interval_set import IntervalSet
from ftdist.protocol.limits import FRAME_BYTES, TENSORS
from ftdist.protocol.pieces import parcels
from ftdist.protocol.records import Piece
from ftdist.protocol.regions import Collector


@dataclass(frozen=True, slots=True)
class Terms:
    """What kind of job a plan is for."""

    picture: bool
    many: bool


@dataclass(slots=True)
class FrameResult:
    """The network's outputs of one frame, kept until the client has them."""

    pieces: list[Piece]
    seconds: float


@dataclass(slots=True, eq=False)
class Job:
    """A client's frames. `serial`: jobs of lower serials come first.

    `client` is None while it is gone, since `orphan_s`. `heard_s`: when it was last heard of, or
    something was sent to it. `made`: frames whose result exists or existed, here or there.
    For the time line: `asked_s` and `delivered_s`, since when a frame or a result is on its way,
    and `transferred_s`, when the last one of a kind had arrived.
    """

    name: str
    serial: int
    client: Peer | None
    key: str
    frames: int
    picture: bool
    heard_s: float
    origin: Origin = field(default_factory=Origin)
    orphan_s: float = 0.0
    begun_s: float | None = None
    ended_s: float = 0.0
    done: IntervalSet = field(default_factory=IntervalSet)
    made: IntervalSet = field(default_factory=IntervalSet)
    wanted: dict[int, Collector] = field(default_factory=dict)
    complete: dict[int, list[Piece]] = field(default_factory=dict)
    in_flight: dict[int, Frame] = field(default_factory=dict)
    results: dict[int, FrameResult] = field(default_factory=dict)
    computed: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    restarts: int = 0
    news: bool = True
    told_s: float = float("-inf")
    asked_s: dict[int, float] = field(default_factory=dict)
    delivered_s: dict[int, float] = field(default_factory=dict)
    transferred_s: dict[str, float] = field(default_factory=dict)
    _cursor: int = 0

    @property
    def many(self) -> bool:
        return self.frames > 1

    @property
    def over(self) -> bool:
        """Whether the client has all results."""
        return self.done.count == self.frames

    @property
    def computing(self) -> bool:
        """Whether workers have something to do for it."""
        return bool(self.in_flight or self.complete)

    @property
    def unbegun(self) -> int:
        """Frames that no plan is used for yet."""
        return self.frames - self.made.count - len(self.in_flight)

    @property
    def held(self) -> int:
        """Frames that take room here, or will when they arrive."""
        return len(self.wanted) + len(self.complete) + len(self.in_flight) + len(self.results)

    def label(self) -> str:
        """A name for the next frame that begins; with the frame's number no other has it."""
        return f"job-{self.serial}.{self.restarts}"

    def next_frame(self) -> int | None:
        """The next frame to ask for."""
        self._cursor = self.made.first_missing(self._cursor)
        while any(self._cursor in each for each in (self.wanted, self.complete, self.in_flight)):
            self._cursor = self.made.first_missing(self._cursor + 1)
        return self._cursor if self._cursor < self.frames else None

    def submitted(self, message: Submit) -> list[Frame]:
        """The client says what it has; returns frames on their way that it does not need."""
        self.wanted.clear()
        self._cursor = 0
        for start, stop in message.done:
            self.done.add(start, stop)
            self.made.add(start, stop)
        for number in [each for each in self.results if each in self.done]:
            del self.results[number]
        for number in [each for each in self.complete if each in self.done]:
            del self.complete[number]
        useless = [frame for frame in self.in_flight.values() if frame.number in self.done]
        for frame in useless:
            del self.in_flight[frame.number]
        return useless

    def client_gone(self, now_s: float) -> None:
        """The client is gone: frames asked for will not come, those that are here go on."""
        self.client = None
        self.orphan_s = now_s
        self.wanted.clear()
        self._cursor = 0

    def finish(self, frame: Frame, now_s: float) -> None:
        """All outputs of a frame are here."""
        del self.in_flight[frame.number]
        self.made.add(frame.number, frame.number + 1)
        begun_s = now_s if frame.begun_s is None else frame.begun_s
        self.results[frame.number] = FrameResult(frame.results(), now_s - begun_s)
        self.begun_s = begun_s if self.begun_s is None else self.begun_s
        self.ended_s = now_s
        self.computed += 1
        self.sent_bytes += frame.sent_bytes
        self.received_bytes += frame.received_bytes
        self.news = True

    def received(self, number: int) -> None:
        """The client has a frame's result."""
        if self.results.pop(number, None) is not None:
            self.done.add(number, number + 1)

    def result_messages(self, number: int) -> Iterator[JobResult]:
        """A frame's result, in as many messages as it takes."""
        result = self.results[number]
        found = list(parcels(result.pieces, FRAME_BYTES, TENSORS))
        for index, parcel in enumerate(found):
            more = index + 1 < len(found)
            yield JobResult(self.name, number, more, tuple(parcel), result.seconds)
