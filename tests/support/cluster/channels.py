"""A socket of a test with its connections: whole messages in and out, whatever their size."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

from ftdist.cluster.channel import Channel
from ftdist.cluster.transport import Received, Socket, Unreachable, receive, send_encoded
from ftdist.protocol.limits import FRAME_BYTES
from ftdist.protocol.messages import Message
from ftdist.protocol.scalars import WireError

MOST_BYTES = 4 * FRAME_BYTES


class ChannelEnd:
    """Speaks on one socket with any number of peers, of whom `expected` messages may come."""

    def __init__(self, socket: Socket, expected: frozenset[type[Message]]) -> None:
        self.socket = socket
        self._expected = expected
        self._channels: dict[bytes, Channel] = {}

    def send(self, message: Message, peer: bytes = b"") -> None:
        """Sends a message, as far as it may be sent now; the rest goes out by ``receive``."""
        self._of(peer).post(message)
        self._flush(peer)

    def receive(self) -> Received | None:
        """The next message that is whole; None when nothing more has come."""
        while (received := receive(self.socket, self._expected)) is not None:
            peer, found = received.peer, received.message
            message: Message | WireError | None = found
            if not isinstance(found, WireError):
                message = self._of(peer).take(found, received.bytes, time.monotonic())
            with suppress(Unreachable):
                self._flush(peer)
            if message is not None:
                return received._replace(message=message)
        return None

    def _of(self, peer: bytes) -> Channel:
        endpoint = self.socket.last_endpoint
        assert isinstance(endpoint, bytes)
        plain = not endpoint.startswith(b"tcp:")
        made = Channel(self._expected, MOST_BYTES, plain=plain)
        return self._channels.setdefault(peer, made)

    def _flush(self, peer: bytes) -> None:
        send = partial(send_encoded, self.socket, peer=peer or None)
        self._of(peer).flush(send, time.monotonic())
