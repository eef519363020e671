"""Peers that share a link: whose large messages go first, and how much is under way to all of them.

Sent at the same time, all would come late: four inputs of 200 ms each after 800 ms. One after
another the first comes after 200 ms, and its worker computes while the others get theirs. Together
the peers have one window, what their link carries in a moment; when who is first has its own window
full and this one is not, the next has its turn too, so that the link never waits for a single peer.

Inputs go in the order in which they were sent, ahead of weights. These go to one peer after
another, too: the first computes while the others still load. No more is under way than keeps the
link busy, for an input may come that must pass weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ftdist.cluster.channel import Channel, Turn
from ftdist.coordinator.events import Peer

_WINDOW_S = 0.1
"""How long what is under way takes on the link: long enough that it is never idle."""

_SURELY = 0.75
"""Which part of the measured rate the link is believed to carry where nobody says so in time: were
it less, queues would grow, and what is first would not be."""

_SOON_S = 0.005
_LEAST_BYTES = 32 << 10
_INPUTS, _WEIGHTS = 0, 1


class Room:
    """Bytes that may still be sent. On an `empty` link something always may. When something did not
    fit there is no room any more: something smaller must not overtake it."""

    def __init__(self, count_bytes: float, *, empty: bool) -> None:
        self._left = count_bytes
        self._empty = empty
        self.given = 0

    def __bool__(self) -> bool:
        return self._left > 0

    def lets(self, count: int) -> bool:
        """Whether so many bytes may be sent; then they are. None may if there is any room."""
        if not count:
            return bool(self)
        if count > self._left and not self._empty:
            self._left = 0
            return False
        self._left -= count
        self.given += count
        self._empty = False
        return True


class Turns:
    """Gives turns to messages, and says which peers may send theirs now."""

    def __init__(self) -> None:
        self._count = 0
        self._loading: dict[Peer, int] = {}
        self._bytes_per_s = self._most = 0.0
        self._queued, self._queued_s = 0.0, 0.0
        self.sharing: frozenset[Peer] = frozenset()

    def share(self, peers: Iterable[Peer], bytes_per_s: float) -> None:
        """These peers, and no others, share a link of so many bytes a second."""
        self.sharing = frozenset(peers)
        if self.sharing:
            self._bytes_per_s = bytes_per_s
            self._most = max(_LEAST_BYTES, _WINDOW_S * bytes_per_s)

    def next(self) -> Turn:
        """The turn of one more message that carries inputs."""
        self._count += 1
        return _INPUTS, self._count

    def loading(self, peer: Peer) -> Turn:
        """The turn of a peer's weights."""
        if peer not in self._loading:
            self._count += 1
            self._loading[peer] = self._count
        return _WEIGHTS, self._loading[peer]

    def forget(self, peer: Peer) -> None:
        """The peer is gone."""
        self._loading.pop(peer, None)

    def room(self, channels: Mapping[Peer, Channel], now_s: float) -> Room:
        """How much more may be under way on the shared link.

        What was sent counts until its peer says that it was taken, or until the link must have
        carried it: words of peers that send results come late.
        """
        sharing = self._among(channels).values()
        used = self._drain(sum([each.under_way_bytes for each in sharing]), now_s)
        return Room(self._most - used, empty=not used)

    def take(self, room: Room, now_s: float) -> float:
        """What room was used; returns when there will be some again, if there is none."""
        self._queued += room.given
        if room:
            return math.inf
        wait_s = (self._queued - self._most / 2) / (_SURELY * self._bytes_per_s)
        return now_s + max(wait_s, _SOON_S)

    def _drain(self, under_way: int, now_s: float) -> float:
        gone = _SURELY * self._bytes_per_s * (now_s - self._queued_s)
        self._queued, self._queued_s = min(max(0.0, self._queued - gone), under_way), now_s
        return self._queued

    def inputs_wait(self, channels: Mapping[Peer, Channel]) -> bool:
        """Whether any of those who share is to get inputs: weights wait until they are out."""
        turns = [each.turn for each in self._among(channels).values()]
        return any(turn is not None and turn[0] == _INPUTS for turn in turns)

    def order(self, channels: Mapping[Peer, Channel]) -> list[tuple[Turn, Peer]]:
        """Those who share and have large messages to get, whose turn is first comes first."""
        found = [(each.turn, peer) for peer, each in self._among(channels).items()]
        return sorted((turn, peer) for turn, peer in found if turn is not None)

    def _among(self, channels: Mapping[Peer, Channel]) -> dict[Peer, Channel]:
        return {peer: channels[peer] for peer in self.sharing if peer in channels}
