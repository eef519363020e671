"""What goes out to peers, and the state of each one's channel.

The loop never waits for a peer. What a channel's window does not let out yet stays in its queue,
which holds what the state machine lets be under way (by credit), and requests for pieces of the
model file, which are read only when they can be sent, after all else. A peer that takes nothing for
so long that its queue overflows counts as gone. Peers that share a link take turns (``turns``).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable
from functools import partial

from ftdist.cluster.channel import Channel, Frames, Lets
from ftdist.cluster.server.model_reader import ModelReader
from ftdist.cluster.server.turns import Turns
from ftdist.cluster.transport import Socket, Unreachable, send_encoded
from ftdist.coordinator.events import Peer
from ftdist.protocol.limits import FRAME_BYTES
from ftdist.protocol.messages import FROM_CLIENT, FROM_WORKER, Message
from ftdist.protocol.shared_messages import Beat, Drain, ModelRequest, Refusal
from ftdist.protocol.wire import encode
from ftdist.protocol.worker_messages import Assign, Cancel

MOST_REQUESTS = 16
"""Pieces of the model file that a peer may wait for at a time."""

_SHARED: Peer = b""
"""Stands for all who share a link."""

_EXPECTED = FROM_WORKER | FROM_CLIENT
_MOST_WAITING = 4096


def _always(_: int) -> bool:
    return True


def _never(_: int) -> bool:
    return False


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
        self._requests: dict[Peer, deque[ModelRequest]] = {}
        self._turns = Turns()
        self._touched: dict[Peer, None] = {}
        self._due: dict[Peer, float] = {}
        self._gone: dict[Peer, Channel] = {}
        """Who is gone and was not told yet, with the channel that was theirs."""
        self._told: dict[Peer, Channel] = {}
        """Who was told last: what they had sent before may still come."""

    @property
    def waits(self) -> bool:
        """Whether something could not be sent that may be; then ``flush`` soon."""
        return bool(self._touched)

    @property
    def next_s(self) -> float:
        """When ``flush`` may send more of what waits, if nothing comes before."""
        return min(self._due.values(), default=math.inf)

    @property
    def lost(self) -> bool:
        """Whether ``take_gone`` has peers to tell."""
        return bool(self._gone)

    def channel(self, peer: Peer) -> Channel:
        """The channel of a peer that exists: it sent something. Sends later what it owes.

        What those who are gone have sent before belongs to the channel that they had.
        """
        left = self._gone.get(peer) or self._told.get(peer)
        if left is not None:
            return left
        found = self._channels.get(peer)
        if found is None:
            plain = peer[:1] in self._plain
            found = Channel(_EXPECTED, FRAME_BYTES, plain=plain)
            self._channels[peer] = found
        self._touched[peer] = None
        return found

    def take_gone(self) -> list[Peer]:
        """Peers that have turned out to be gone since the last time."""
        self._told, self._gone = self._gone, {}
        return list(self._told)

    def send(self, peer: Peer, message: Message) -> None:
        """Sends a message, now or later; nothing to those who are gone."""
        channel = self._channels.get(peer)
        if channel is None:
            return
        if isinstance(message, Refusal | Drain):
            channel.clear()
            self._requests.pop(peer, None)
        if isinstance(message, Cancel) and channel.withdraw(message.task):
            return
        tag = message.task if isinstance(message, Assign) else None
        channel.post(message, tag, self._turns.next())
        self._flush(peer, channel)

    def share(self, peers: Iterable[Peer], bytes_per_s: float) -> None:
        """These peers share a link of so many bytes a second; no others do."""
        self._turns.share(peers, bytes_per_s)
        for peer in self._turns.sharing & self._channels.keys():
            self._channels[peer].expect(bytes_per_s)
        self._touched.update(dict.fromkeys(self._channels))

    def answer(self, peer: Peer, request: ModelRequest) -> str:
        """Sends what a request asks for, now or later; else says what is wrong with it."""
        flaw = self._reader.flaw(request)
        waiting = self._requests.setdefault(peer, deque())
        if not flaw and request not in waiting and len(waiting) >= MOST_REQUESTS:
            flaw = f"asked for more than {MOST_REQUESTS} pieces of the model at a time"
        channel = self._channels.get(peer)
        if not flaw and channel is not None:
            if request not in waiting:  # it may have been asked for again, for it takes long
                waiting.append(request)
            self._flush(peer, channel)
        return flaw

    def ping(self, peers: Iterable[Peer] | None = None) -> None:
        """Sends a sign of life to all peers (or some), which tells who is gone."""
        for peer in list(self._channels if peers is None else peers):
            self.send(peer, Beat())

    def flush(self) -> None:
        """Sends what waits and can be sent now."""
        now_s = time.monotonic()
        due = [peer for peer, due_s in self._due.items() if due_s <= now_s]
        touched, self._touched = {**self._touched, **dict.fromkeys(due)}, {}
        shared = self._due.get(_SHARED, math.inf) <= now_s
        for peer in touched:
            channel = self._channels.get(peer)
            if channel is None:
                continue
            if peer in self._turns.sharing:
                self._send_out(peer, channel, _never)
                shared = True
            else:
                self._flush(peer, channel)
        if shared:
            self._flush_shared()

    def _flush(self, peer: Peer, channel: Channel) -> None:
        """Sends what may be sent to a peer."""
        if peer not in self._turns.sharing:
            self._send_out(peer, channel)
            self._send_chunks(peer, channel)
            return
        self._send_out(peer, channel, _never)
        if channel.turn is not None or self._requests.get(peer):
            self._flush_shared()

    def _flush_shared(self) -> None:
        """Sends what those may be sent who share a link, in turn."""
        channels = self._channels
        now_s = time.monotonic()
        room = self._turns.room(channels, now_s)
        for _, peer in self._turns.order(channels):
            if room:
                self._send_out(peer, channels[peer], room.lets)
        loading = [peer for peer in self._turns.sharing if self._requests.get(peer)]
        for peer in sorted(loading, key=self._turns.loading):
            if room and peer in channels and not self._turns.inputs_wait(channels):
                self._send_chunks(peer, channels[peer], room.lets)
        self._note_due(_SHARED, self._turns.take(room, now_s))

    def _send_chunks(self, peer: Peer, channel: Channel, lets: Lets = _always) -> None:
        """Sends what was asked for of the model, while nothing else waits."""
        requests = self._requests.get(peer)
        while requests and not channel.count and lets(0):
            turn = self._turns.loading(peer)
            channel.post_later(partial(self._chunk, requests.popleft()), turn)
            self._send_out(peer, channel, lets)

    def _send_out(self, peer: Peer, channel: Channel, lets: Lets = _always) -> None:
        send = partial(send_encoded, self._sockets[peer[:1]], peer=peer[1:])
        try:
            if not channel.flush(send, time.monotonic(), lets):
                self._touched[peer] = None
        except Unreachable:
            self._lose(peer)
            return
        self._note_due(peer, channel.opens_s)
        if channel.count > _MOST_WAITING:
            self._lose(peer)

    def _note_due(self, peer: Peer, due_s: float) -> None:
        if due_s < math.inf:
            self._due[peer] = due_s
        else:
            self._due.pop(peer, None)

    def _chunk(self, request: ModelRequest) -> Frames:
        return encode(self._reader.chunk(request))

    def _lose(self, peer: Peer) -> None:
        self._requests.pop(peer, None)
        self._touched.pop(peer, None)
        self._due.pop(peer, None)
        self._turns.forget(peer)
        if (channel := self._channels.pop(peer, None)) is not None:
            self._gone[peer] = channel
