"""What goes out to peers, and the state of each one's connection.

The loop never waits for a peer. What a connection's window does not let out yet stays in its queue,
which holds what the state machine lets be under way (by credit), and requests for pieces of the
model file, which are read only when they can be sent. A peer that takes nothing for so long that
its queue overflows counts as gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

from ftdist.cluster.channel import Channel, Frames
from ftdist.cluster.server.model_reader import ModelReader
from ftdist.cluster.transport import Socket, Unreachable, send_encoded
from ftdist.coordinator.events import Peer
from ftdist.protocol.limits import FRAME_BYTES
from ftdist.protocol.messages import FROM_CLIENT, FROM_WORKER, Message
from ftdist.protocol.shared_messages import Beat, Drain, ModelRequest, Refusal
from ftdist.protocol.wire import encode
from ftdist.protocol.worker_messages import Assign, Cancel

MOST_REQUESTS = 16
"""Pieces of the model file that a peer may wait for at a time."""

_EXPECTED = FROM_WORKER | FROM_CLIENT
_MOST_WAITING = 4096


class PeerChannels:
    """The peers of some ROUTER sockets; `sockets` by the first byte of a peer's name. Those of the
    sockets `plain` are in this process."""

    def __init__(
        self, sockets: dict[bytes, Socket], reader: ModelReader, plain: bytes = b""
    ) -> None:
        self._sockets = sockets
        self._reader = reader
        self._plain = plain
        self._channels: dict[Peer, Channel] = {}
        self._requests: dict[Peer, int] = {}
        self._touched: dict[Peer, None] = {}
        self._gone: list[Peer] = []

    @property
    def waits(self) -> bool:
        """Whether something could not be sent that may be; then ``flush`` soon."""
        return bool(self._touched)

    @property
    def lost(self) -> bool:
        """Whether ``take_gone`` has peers to tell."""
        return bool(self._gone)

    def channel(self, peer: Peer) -> Channel:
        """The connection of a peer that exists: it sent something. Sends later what it owes."""
        found = self._channels.get(peer)
        if found is None:
            plain = peer[:1] in self._plain
            found = Channel(_EXPECTED, FRAME_BYTES, plain=plain)
            self._channels[peer] = found
        self._touched[peer] = None
        return found

    def take_gone(self) -> list[Peer]:
        """Peers that have turned out to be gone since the last time."""
        gone, self._gone = self._gone, []
        return gone

    def send(self, peer: Peer, message: Message) -> None:
        """Sends a message, now or later; nothing to those who are gone."""
        channel = self._channels.get(peer)
        if channel is None:
            return
        if isinstance(message, Refusal | Drain):
            channel.clear()
        if isinstance(message, Cancel) and channel.withdraw(message.task):
            return
        channel.post(message, message.task if isinstance(message, Assign) else None)
        self._flush(peer, channel)

    def answer(self, peer: Peer, request: ModelRequest) -> str:
        """Sends what a request asks for, now or later; else says what is wrong with it."""
        flaw = self._reader.flaw(request)
        waiting = self._requests.get(peer, 0)
        if not flaw and waiting >= MOST_REQUESTS:
            flaw = f"asked for more than {MOST_REQUESTS} pieces of the model at a time"
        channel = self._channels.get(peer)
        if not flaw and channel is not None:
            self._requests[peer] = waiting + 1
            channel.post_later(partial(self._chunk, peer, request))
            self._flush(peer, channel)
        return flaw

    def ping(self, peers: Iterable[Peer] | None = None) -> None:
        """Sends a sign of life to all peers (or some), which tells who is gone."""
        for peer in list(self._channels if peers is None else peers):
            self.send(peer, Beat())

    def flush(self) -> None:
        """Sends what waits and can be sent now."""
        touched, self._touched = self._touched, {}
        for peer in touched:
            channel = self._channels.get(peer)
            if channel is not None:
                self._flush(peer, channel)

    def _flush(self, peer: Peer, channel: Channel) -> None:
        send = partial(send_encoded, self._sockets[peer[:1]], peer=peer[1:])
        try:
            if not channel.flush(send, time.monotonic()):
                self._touched[peer] = None
        except Unreachable:
            self._lose(peer)
            return
        if channel.count > _MOST_WAITING:
            self._lose(peer)

    def _chunk(self, peer: Peer, request: ModelRequest) -> Frames:
        self._requests[peer] -= 1
        return encode(self._reader.chunk(request))

    def _lose(self, peer: Peer) -> None:
        self._requests.pop(peer, None)
        self._touched.pop(peer, None)
        if self._channels.pop(peer, None) is not None:
            self._gone.append(peer)
