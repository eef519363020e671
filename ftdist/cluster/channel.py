"""One connection's two ways: small messages whole, large ones in portions, signs of life between.

A message whose arrays are large is opened by its header and then travels in portions, of which only
a *window* is under way at a time. Messages keep their order, but for signs of life, which pass
between two portions: a heartbeat never waits for megabytes. Whoever receives says what it has taken
in (Taken), which is what opens the window, tells how fast the link is, and is a sign of life too.

No socket and no clock: ``flush`` is given what sends, and the time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ftdist.cluster.incoming import Incoming
from ftdist.cluster.window import Window
from ftdist.protocol.client_messages import JobProgress, Status, StatusRequest
from ftdist.protocol.messages import Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Beat, Opening, Portion, Taken
from ftdist.protocol.wire import encode
from ftdist.protocol.worker_messages import Heartbeat

LIGHT_BYTES = 32 << 10
"""Messages of up to so many bytes do not count in the window: most need no answer."""

_SIGNS = (Heartbeat, Beat, JobProgress, Status, StatusRequest)
"""Messages that pass others, and say nothing that a later one does not say too."""

Frames = list[Any]
Make = Callable[[], Frames]
Send = Callable[[Frames], bool]
"""Hands frames to the transport; False when it takes no more for now."""

Lets = Callable[[int], bool]
"""Whether so many bytes may be sent now, as far as other connections are concerned. A large message
is not begun, and can be withdrawn, until it lets 0 bytes out."""

Turn = tuple[int, int]
"""When a large message may be sent, compared with those of other connections: lower ones first."""

FIRST: Turn = (0, 0)


class Channel:
    """What goes out over one connection, and what comes in.

    `expected` are the messages that may come, each of at most `most_bytes`. `plain`: within this
    process nothing is cut, copied or answered. `moved_s`: when its owner last said that bytes move;
    `told_left`: whether it said then that some are left.
    """

    moved_s = float("-inf")
    told_left = False

    def __init__(
        self, expected: frozenset[type[Message]], most_bytes: int, *, plain: bool = False
    ) -> None:
        self._out = _Outgoing(plain=plain)
        self._in = Incoming(expected, most_bytes)
        self._plain = plain
        self._owed = self._met = False

    @property
    def count(self) -> int:
        """Messages that are not sent yet, wholly."""
        return self._out.count

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the other side has not taken yet."""
        return self._out.waiting_bytes

    @property
    def opened(self) -> Message | None:
        """The message that has begun to come, without its values."""
        return self._in.message

    @property
    def turn(self) -> Turn | None:
        """The lowest turn of the large messages that wait here; None if none does."""
        return self._out.turn

    @property
    def opens_s(self) -> float:
        """When ``flush`` may send more of what waits, if nothing comes before; else infinity."""
        return self._out.opens_s

    @property
    def under_way_bytes(self) -> int:
        """Large bytes that were sent, and of which there is no word yet."""
        return self._out.window.under_way_bytes

    def expect(self, bytes_per_s: float) -> None:
        """So much the link is known to carry."""
        self._out.window.expect(bytes_per_s)

    def post(self, message: Message, tag: Hashable = None, turn: Turn = FIRST) -> None:
        """One more message to send; ValueError when it breaks its own limits."""
        frames = encode(message)
        if isinstance(message, _SIGNS):
            self._out.signs[type(message)] = frames
        else:
            large = _size(frames) > LIGHT_BYTES
            self._out.queue.append((tag, turn if large else None, frames))

    def post_later(self, make: Make, turn: Turn = FIRST) -> None:
        """One more message, whose frames are made when its turn comes."""
        self._out.queue.append((None, turn, make))

    def withdraw(self, tag: Hashable) -> bool:
        """Takes back the message of this tag, if nothing of it is sent yet; whether it was so."""
        return self._out.withdraw(tag)

    def clear(self) -> None:
        """Nothing more of what waits is sent."""
        self._out.clear()

    def flush(self, send: Send, now_s: float, lets: Lets = lambda _: True) -> bool:
        """Sends what may be sent now; False when the transport took no more: try again soon."""
        if self._owed:
            if not send(encode(Taken(self._in.total, now_s))):
                return False
            self._owed = False
        return self._out.flush(send, now_s, lets)

    def take(self, message: Message, size_bytes: int, now_s: float) -> Message | WireError | None:
        """What came, in so many bytes: a message that is whole now, or nothing yet.

        Who has taken something where nothing was sent means one who was here before, to whom the
        transport was connected: that is not of this connection, and goes to whom strangers go.
        """
        if not self._plain and _counts(message, size_bytes):
            self._in.total += size_bytes
            self._owed = True
        elif not self._plain and not self._met:
            self._owed = True  # it tells the clock while nothing else is on its way
        self._met = True
        match message:
            case Taken() if message.total and self._out.window.unused:
                return message
            case Taken():
                known = self._out.window.take(message.total, message.clock_s, now_s)
                return None if known else WireError("more was taken than was sent")
            case Opening():
                return self._in.open(message)
            case Portion():
                self._out.window.hear_clock(message.clock_s, now_s)
                return self._in.fill(message)
        return message


def _counts(message: Message, size_bytes: int) -> bool:
    return size_bytes > LIGHT_BYTES or isinstance(message, Portion)


class _Outgoing:
    """Messages in their order; `signs` pass them. The rest of one that is opened comes first."""

    def __init__(self, *, plain: bool) -> None:
        self.window = Window()
        self.signs: dict[type, Frames] = {}
        self.queue: deque[tuple[Hashable, Turn | None, Frames | Make]] = deque()
        self._plain = plain
        self._turn: Turn | None = None
        self.opens_s = math.inf
        self._rest: deque[memoryview] = deque()
        self._next: tuple[Frames, int] | None = None

    @property
    def count(self) -> int:
        return len(self.queue) + bool(self._rest) + (self._next is not None)

    @property
    def turn(self) -> Turn | None:
        turns = [turn for _, turn, _ in self.queue if turn is not None]
        if self._turn is not None and (self._rest or self._next is not None):
            turns.append(self._turn)
        return min(turns, default=None)

    @property
    def waiting_bytes(self) -> int:
        found = self.window.under_way_bytes + sum([each.nbytes for each in self._rest])
        if self._next is not None:
            found += self._next[1]
        return found + sum([_size(item) for *_, item in self.queue if isinstance(item, list)])

    def withdraw(self, tag: Hashable) -> bool:
        for entry in self.queue:
            if entry[0] == tag:
                self.queue.remove(entry)
                return True
        return False

    def clear(self) -> None:
        self.signs.clear()
        self.queue.clear()
        self._rest.clear()
        self._next = None

    def flush(self, send: Send, now_s: float, lets: Lets) -> bool:
        self.opens_s = math.inf
        while self.signs:
            kind, frames = next(iter(self.signs.items()))
            if not send(frames):
                return False
            del self.signs[kind]
        while self._next is not None or self.queue or self._rest:
            if self._next is None:
                if not self._rest and self.queue[0][1] is not None and not lets(0):
                    return True
                self._next = self._make(now_s)
            frames, weight = self._next
            if weight and not self.window.lets(weight, now_s):
                self.opens_s = self.window.opens_s(weight, now_s)
                return True
            if weight and not lets(weight):
                return True
            if not send(frames):
                return False
            if weight:
                self.window.send(weight, now_s)
            self._next = None
        return True

    def _make(self, now_s: float) -> tuple[Frames, int]:
        """What to send next, and as how many bytes it counts."""
        if self._rest:
            frames = encode(Portion(now_s, tuple(self._cut(self.window.portion_bytes))))
            return frames, _size(frames)
        _, self._turn, item = self.queue.popleft()
        frames = item if isinstance(item, list) else item()
        size = _size(frames)
        if self._plain or size <= LIGHT_BYTES:
            return frames, 0
        if size > self.window.portion_bytes and len(frames) > 1:
            views = [memoryview(each).cast("B") for each in frames[1:]]
            self._rest.extend(view for view in views if view.nbytes)
            sizes = tuple(view.nbytes for view in views)
            frames = encode(Opening(np.frombuffer(frames[0], np.uint8), sizes))
            size = _size(frames)
        return frames, size if size > LIGHT_BYTES else 0

    def _cut(self, most: int) -> list[Any]:
        """The next bytes of the message that is open, at most so many."""
        found = []
        while most and self._rest:
            view = self._rest[0]
            found.append(np.frombuffer(view[:most], np.uint8))
            if view.nbytes <= most:
                self._rest.popleft()
            else:
                self._rest[0] = view[most:]
            most -= found[-1].nbytes
        return found


def _size(frames: Sequence[Any]) -> int:
    return sum([memoryview(each).nbytes for each in frames])
