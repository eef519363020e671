"""How many bytes may be under way on one connection: as many as its link carries in a moment.

The other side says what it has taken in (Taken). What was sent and is not taken yet lies in queues
on the way, and whatever is sent next waits behind it, signs of life too; so it is kept to what the
link carries in about a third of a second. How much that is shows in how long it takes until what
was sent is taken: the window grows while that is short and shrinks when it is long.

Only the wait on the way there counts. Where both directions are busy the word that bytes were taken
waits on the way back, behind what is sent there; bytes for that time too must be under way, or both
directions would stand still in turn. How long it waited shows by the clock that it brings, for
others that came from there brought theirs without a wait.

Example: a link of 2 Mbit/s. The first 256 KiB are taken after 1.05 s; the window shrinks to 73 KiB,
which take 0.3 s, and stays there. On 100 Mbit/s they are taken after 21 ms; the window grows.
"""

from __future__ import annotations

from collections import deque

from ftdist.protocol.limits import PORTION_BYTES

_LEAST_BYTES, _FIRST_BYTES, MOST_BYTES = 16 << 10, 256 << 10, 2 << 20
_SHORT_S, _GOOD_S, _LONG_S = 0.2, 0.4, 0.6
"""The window grows when bytes are taken sooner than the first, and shrinks to the second when they
are taken later than the third."""

_GENTLY = 8
"""Which part of itself it grows by in a round between the first and the second."""

_DRIFT = 2e-4
"""Seconds that two clocks come apart in a second, at most."""

_PORTIONS = 4
"""Portions in a window: what is taken of the first shows in time for the last."""


class Window:
    """What was sent and taken on one connection, in bytes since its beginning."""

    def __init__(self) -> None:
        self.size_bytes = _FIRST_BYTES
        self._sent = self._taken = 0
        self._marks: deque[tuple[int, int, float]] = deque()
        self._shrunk_s = float("-inf")
        self._ahead_s, self._ahead_at_s = float("-inf"), 0.0

    @property
    def under_way_bytes(self) -> int:
        """What was sent and is not taken yet."""
        return self._sent - self._taken

    @property
    def portion_bytes(self) -> int:
        """The most that should be sent in one go."""
        return min(max(self.size_bytes // _PORTIONS, _LEAST_BYTES), PORTION_BYTES)

    def lets(self, count: int) -> bool:
        """Whether so many bytes may be sent now; some always may if none are under way."""
        under_way = self._sent - self._taken
        return not under_way or under_way + count <= self.size_bytes

    def send(self, count: int, now_s: float) -> None:
        """So many bytes were sent."""
        self._sent += count
        self._marks.append((self._sent, self.under_way_bytes, now_s))

    def take(self, total: int, clock_s: float, now_s: float) -> bool:
        """The other side had taken so many in all at a time of its clock; False when that cannot
        be."""
        if not self._taken <= total <= self._sent:
            return False
        fresh, self._taken = total - self._taken, total
        mark = None
        while self._marks and self._marks[0][0] <= total:
            mark = self._marks.popleft()
        back_s = self.hear_clock(clock_s, now_s)
        if mark is not None and mark[2] >= self._shrunk_s:
            took_s, used = now_s - mark[2], 2 * mark[1] >= self.size_bytes
            self._adapt(took_s, max(0.0, took_s - back_s), fresh, now_s, used=used)
        return True

    def hear_clock(self, clock_s: float, now_s: float) -> float:
        """A word of the other side, and its clock: returns how much longer than the fastest one it
        was on its way."""
        drift_s = _DRIFT * (now_s - self._ahead_at_s)
        self._ahead_s, self._ahead_at_s = max(self._ahead_s - drift_s, clock_s - now_s), now_s
        return self._ahead_s - (clock_s - now_s)

    def _adapt(
        self, took_s: float, there_s: float, fresh: int, now_s: float, *, used: bool
    ) -> None:
        """`took_s` there and back, of which `there_s` on the way there. `used`: so much was under
        way that the times tell something of a full window."""
        if there_s > _LONG_S:
            part = 1 - (there_s - _GOOD_S) / took_s
            self.size_bytes = max(_LEAST_BYTES, int(self.size_bytes * part))
            self._shrunk_s = now_s
        elif used and there_s < _GOOD_S:
            more = fresh if there_s < _SHORT_S else fresh // _GENTLY
            self.size_bytes = min(MOST_BYTES, self.size_bytes + more)
