"""What passes between the process that serves the page and the one that it shows.

The page asks, and there is at most one question open, so that neither side ever holds more than one
answer for the other: a page that is slow sees less, and delays nobody. Messages are msgpack behind
their length; both ends are one program.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Any

import msgpack

from ftdist.cluster.plain_values import made, plain
from ftdist.coordinator.observing.snapshot import Snapshot
from ftdist.geometry import Region

_LENGTH = struct.Struct(">I")
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Ask:
    """The page wants to see how things are. It has plan `plan_number` and the log up to
    `after_line`. `picture`: it wants the next frame that is finished, too."""

    plan_number: int
    after_line: int
    picture: bool


@dataclass(frozen=True, slots=True)
class LineShown:
    """A line of the log: its number, the time of day in seconds, and what it says."""

    number: int
    time_s: float
    level: str
    event: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer to Ask."""

    snapshot: Snapshot
    lines: tuple[LineShown, ...]


@dataclass(frozen=True, slots=True)
class PieceShown:
    """A region of a map with its values as they lie in memory, `step` rows and columns apart."""

    source: int
    region: Region
    step: int
    dtype: str
    shape: tuple[int, int, int]
    values: bytes


@dataclass(frozen=True, slots=True)
class PictureShown:
    """A frame that was finished: its input as colours of 0 to 255, and the outputs where they are
    small enough."""

    job: str
    frame: int
    seconds: float
    inputs: tuple[PieceShown, ...]
    outputs: tuple[PieceShown, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong in the page; the log says so, for the page has no other voice."""

    text: str


Message = Ask | Trouble | Shown | PictureShown
_KINDS: dict[str, Any] = {each.__name__: each for each in (Ask, Trouble, Shown, PictureShown)}


class Pipe:
    """One end of a connected pair of sockets that never waits; `ended` when the other is gone."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._out = memoryview(b"")
        self._in = bytearray()
        self.ended = False

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def waits(self) -> bool:
        """Whether something could not be sent yet."""
        return bool(self._out) and not self.ended

    def send(self, message: Message) -> None:
        """Sends a message, now or by ``flush``."""
        body = msgpack.packb([type(message).__name__, plain(message)])
        self._out = memoryview(b"".join((self._out, _LENGTH.pack(len(body)), body)))
        self.flush()

    def flush(self) -> None:
        """Sends what the system takes of what waits."""
        try:
            while self._out:
                self._out = self._out[self._socket.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:
            self.ended, self._out = True, memoryview(b"")

    def receive(self) -> list[Any]:
        """The messages that have come."""
        try:
            while data := self._socket.recv(_READ_BYTES):
                self._in += data
            self.ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        found = []
        while len(self._in) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._in)
            end = _LENGTH.size + size
            if len(self._in) < end:
                break
            kind, value = msgpack.unpackb(memoryview(self._in)[_LENGTH.size : end])
            del self._in[:end]
            found.append(made(_KINDS[kind], value))
        return found

    def close(self) -> None:
        self._socket.close()
