"""What goes out to peers: sent at once where the connection takes it, else kept in a short queue.

The loop never waits for a peer. A queue holds what the state machine lets be under way (by credit),
and requests for pieces of the model file, which are read only when they can be sent. A peer that
takes nothing for so long that its queue overflows counts as gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from ftdist.cluster.chunks import Chunks
from ftdist.cluster.transport import Socket, Unreachable, send_encoded
from ftdist.coordinator.events import Peer
from ftdist.coordinator.messages import Beat, JobProgress, Message, ModelRequest, Status
from ftdist.coordinator.wire import encode

MOST_REQUESTS = 16
"""Pieces of the model file that a peer may wait for at a time."""

_MOST_WAITING = 4096
_SIGNS = (Beat, JobProgress, Status)
"""Messages that say nothing that a later one does not say too."""

_Encoded = list[Any]


class Mail:
    """Sends to the peers of some ROUTER sockets; `doors` by the first byte of a peer's name."""

    def __init__(self, doors: dict[bytes, Socket], chunks: Chunks) -> None:
        self._doors = doors
        self._chunks = chunks
        self._queues: dict[Peer, deque[_Encoded | ModelRequest]] = {}
        self._peers: set[Peer] = set()
        self._gone: list[Peer] = []

    @property
    def waits(self) -> bool:
        """Whether something waits for a peer to take it; then ``flush`` soon."""
        return bool(self._queues)

    @property
    def lost(self) -> bool:
        """Whether ``take_gone`` has peers to tell."""
        return bool(self._gone)

    def know(self, peer: Peer) -> None:
        """A peer exists: it sent something."""
        self._peers.add(peer)

    def take_gone(self) -> list[Peer]:
        """Peers that have turned out to be gone since the last time."""
        gone, self._gone = self._gone, []
        return gone

    def send(self, peer: Peer, message: Message) -> None:
        """Sends a message, now or later; nothing to those who are gone."""
        late = peer in self._queues and isinstance(message, _SIGNS)
        if peer in self._peers and not late:
            self._post(peer, encode(message))

    def answer(self, peer: Peer, request: ModelRequest) -> str:
        """Sends what a request asks for, now or later; else says what is wrong with it."""
        flaw = self._chunks.flaw(request)
        waiting = sum(isinstance(each, ModelRequest) for each in self._queues.get(peer, ()))
        if not flaw and waiting >= MOST_REQUESTS:
            flaw = f"asked for more than {MOST_REQUESTS} pieces of the model at a time"
        if not flaw:
            self._post(peer, request)
        return flaw

    def knock(self, peers: Iterable[Peer] | None = None) -> None:
        """Sends a sign of life to all peers (or some), which tells who is gone."""
        for peer in list(self._peers if peers is None else peers):
            self.send(peer, Beat())

    def flush(self) -> None:
        """Sends what waits and can be sent now."""
        for peer, queue in list(self._queues.items()):
            while queue and self._try(peer, queue[0]):
                queue.popleft()
            if not queue:
                self._queues.pop(peer, None)

    def _post(self, peer: Peer, item: _Encoded | ModelRequest) -> None:
        queue = self._queues.get(peer)
        if queue is None:
            if not self._try(peer, item):
                self._queues[peer] = deque([item])
        elif len(queue) < _MOST_WAITING:
            queue.append(item)
        else:
            self._lose(peer)

    def _try(self, peer: Peer, item: _Encoded | ModelRequest) -> bool:
        """Whether an item is done with: sent, or its peer is gone."""
        buffers = encode(self._chunks.chunk(item)) if isinstance(item, ModelRequest) else item
        try:
            return send_encoded(self._doors[peer[:1]], buffers, peer[1:])
        except Unreachable:
            self._lose(peer)
            return True

    def _lose(self, peer: Peer) -> None:
        self._queues.pop(peer, None)
        if peer in self._peers:
            self._peers.discard(peer)
            self._gone.append(peer)
