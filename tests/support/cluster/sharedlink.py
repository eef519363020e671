"""Peers of a coordinator behind one link of a given rate: its side is real, but for the sockets.

What is handed to the link goes over it in that order; words back take their own time.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zmq

from ftdist.cluster.channel import Channel
from ftdist.cluster.server import peer_channels
from ftdist.cluster.server.peer_channels import PeerChannels
from ftdist.protocol.limits import FRAME_BYTES
from ftdist.protocol.messages import FROM_COORDINATOR, FROM_EITHER, FROM_WORKER, Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import ModelChunk, ModelRequest
from ftdist.protocol.wire import decode
from ftdist.protocol.worker_messages import Probe

DIGEST = "0" * 32
_SENDMORE = int(zmq.SNDMORE)


class Reader:
    """Pieces of a model that has whatever is asked for."""

    def flaw(self, request: ModelRequest) -> str:
        return ""

    def chunk(self, request: ModelRequest) -> ModelChunk:
        data = np.zeros(request.size, np.uint8)
        return ModelChunk(DIGEST, request.layer, request.offset, data)


class SharedLink:
    """``got`` tells when which peer had which message. `back_s`: how long words take to come back.
    Those who are `frozen` read nothing."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, names: str, bytes_per_s: float, back_s: float = 1e-3
    ) -> None:
        self.now_s = 0.0
        self.got: list[tuple[float, str, Message]] = []
        self.frozen = ""
        self.handed_bytes = 0
        self._rate, self.back_s = bytes_per_s, back_s
        self._free_s = 0.0
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._frames: list[bytes] = []
        self._far = {name: Channel(FROM_COORDINATOR, FRAME_BYTES) for name in names}
        monkeypatch.setattr(peer_channels, "time", self)
        self.channels = PeerChannels({b"r": self}, Reader())  # type: ignore[dict-item, arg-type]
        for name in names:
            self.channels.channel(self.peer(name))

    @staticmethod
    def peer(name: str) -> bytes:
        return b"r" + name.encode()

    def monotonic(self) -> float:
        return self.now_s

    def share(self, names: str) -> None:
        """The link has been measured, and these share it."""
        self.channels.share([self.peer(name) for name in names], self._rate)

    def post(self, name: str, number: int, size: int) -> None:
        """Something like the inputs of a task is sent to a peer."""
        self.channels.send(self.peer(name), Probe(number, np.zeros(size, np.uint8)))

    def ask(self, name: str, offset: int, size: int) -> None:
        """A peer's request for a piece of the model arrives."""
        self.channels.answer(self.peer(name), ModelRequest(DIGEST, 0, offset, size))

    def at(self, name: str, number: int) -> float:
        """When a peer had an input."""
        (found,) = (
            at_s
            for at_s, who, message in self.got
            if who == name and isinstance(message, Probe) and message.number == number
        )
        return found

    def pieces(self, name: str) -> list[float]:
        """When a peer had pieces of the model."""
        return [
            at_s
            for at_s, who, message in self.got
            if who == name and isinstance(message, ModelChunk)
        ]

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.now_s + delay_s, next(self._count), what))

    def run(self, until_s: float = float("inf")) -> None:
        """Lets happen what happens until then."""
        while True:
            later_s = self._later[0][0] if self._later else math.inf
            next_s = min(later_s, max(self.now_s, self.channels.next_s))
            if next_s > until_s or math.isinf(next_s):
                return
            self.now_s = next_s
            if later_s == next_s:
                heapq.heappop(self._later)[2]()
            self.channels.flush()

    # ---- as a socket

    def send(self, frame: Any, flags: int, copy: bool) -> None:
        self._frames.append(bytes(frame))
        if flags & _SENDMORE:
            return
        (name, *frames), self._frames = self._frames, []
        size = sum(map(len, frames))
        self.handed_bytes += size
        self._free_s = max(self._free_s, self.now_s) + size / self._rate
        who = name.decode()
        self.after(self._free_s - self.now_s, lambda: self._arrive(who, frames))

    def _arrive(self, name: str, frames: list[bytes]) -> None:
        if name in self.frozen:
            return
        far = self._far[name]
        message = far.take(_decoded(frames, FROM_COORDINATOR), sum(map(len, frames)), self.now_s)
        assert not isinstance(message, WireError), message
        if message is not None:
            self.got.append((self.now_s, name, message))
        far.flush(lambda answer: self._answer(name, [bytes(each) for each in answer]), self.now_s)

    def _answer(self, name: str, frames: list[bytes]) -> bool:
        size = sum(map(len, frames))

        def come() -> None:
            channel = self.channels.channel(self.peer(name))
            assert channel.take(_decoded(frames, FROM_WORKER), size, self.now_s) is None

        self.after(self.back_s, come)
        return True


def _decoded(frames: list[bytes], expected: frozenset[type[Message]]) -> Message:
    found = decode(frames, expected | FROM_EITHER)
    assert not isinstance(found, WireError)
    return found
