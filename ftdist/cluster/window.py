"""How many bytes may be under way on one connection: as many as its link carries in a moment.

The other side says what it has taken in (Taken). What was sent and is not taken yet lies in queues
on the way, and whatever is sent next waits behind it, signs of life too; so it is kept to what the
link carries in about a third of a second. How much that is shows in how long it takes until what
was sent is taken: the window grows while that is short and shrinks when it is long. After a pause
it is small again: others may use the link by now.

Only the wait on the way there counts. Where both directions are busy the word that bytes were taken
waits on the way back, behind what is sent there, and both directions would stand still in turn if
each waited for it. How long it was on its way shows by the clock that it brings, for others that
came from there brought theirs without a wait; and at which rate bytes are taken by the clocks of
several. What has been taken since, as far as no word of it is here, is reckoned by that rate; on a
link whose rate is known, from the beginning.

Example: a link of 2 Mbit/s. The first 256 KiB are taken after 1.05 s; the window shrinks to 73 KiB,
which take 0.3 s, and stays there. On 100 Mbit/s they are taken after 21 ms; the window grows.
"""

from __future__ import annotations

import math
from collections import deque

from ftdist.protocol.limits import PORTION_BYTES

_LEAST_BYTES, _FIRST_BYTES, MOST_BYTES = 16 << 10, 256 << 10, 2 << 20
_SHORT_S, _GOOD_S, _LONG_S = 0.1, 0.25, 0.5
"""The window grows when bytes are taken sooner than the first, and shrinks to the second when they
are taken later than the third."""

_GENTLY = 8
"""Which part of itself it grows by in a round between the first and the second."""

_MEASURED_S, _REMEMBERED_S = 0.25, 1.0
"""Over how long a time of the other side's clock the rate is measured, at least and at most."""

_FADES_S = 2.0
"""In how long a time a rate is half forgotten that is not seen again: for a while there may have
been too little on the way."""

_TRUSTED_S = 1.5
"""For how long without a word bytes are believed to be taken."""

_SOON_S = 0.005
"""The shortest time in which it is worth looking again."""

_PAUSE_S = 1.0
"""After so long without anything under way the window begins anew."""

_DRIFT = 2e-4
"""Seconds that two clocks come apart in a second, at most."""

_PORTIONS = 4
"""Portions in a window: what is taken of the first shows in time for the last."""


class Window:
    """What was sent and taken on one connection, in bytes since its beginning."""

    def __init__(self) -> None:
        self.size_bytes = self._first_bytes = _FIRST_BYTES
        self._sent = self._taken = 0
        self._marks: deque[tuple[int, int, float]] = deque()
        self._shrunk_s = self._taken_s = float("-inf")
        self._ahead_s, self._ahead_at_s = float("-inf"), 0.0
        self._bytes_per_s = self._expected = 0.0
        self._samples: deque[tuple[float, int]] = deque()
        self._queued, self._queued_s, self._said_s = 0.0, 0.0, float("-inf")

    @property
    def unused(self) -> bool:
        """Whether nothing was sent yet."""
        return not self._sent

    @property
    def under_way_bytes(self) -> int:
        """What was sent and is not taken yet."""
        return self._sent - self._taken

    def queued_bytes(self, now_s: float) -> int:
        """What is under way less what is reckoned to have been taken meanwhile."""
        passed_s = min(now_s, self._said_s + _TRUSTED_S) - self._queued_s
        if passed_s > 0:
            self._queued = max(0.0, self._queued - self._bytes_per_s * passed_s)
        self._queued_s = now_s
        self._queued = min(self._queued, self.under_way_bytes)
        return int(self._queued)

    @property
    def portion_bytes(self) -> int:
        """The most that should be sent in one go."""
        return min(max(self.size_bytes // _PORTIONS, _LEAST_BYTES), PORTION_BYTES)

    def expect(self, bytes_per_s: float) -> None:
        """The link has been measured: it need not be found out how much it carries."""
        self._expected = bytes_per_s
        measured = int(_GOOD_S / 2 * bytes_per_s)
        self._first_bytes = min(max(measured, _FIRST_BYTES), MOST_BYTES)
        self.size_bytes = max(self.size_bytes, self._first_bytes)

    def lets(self, count: int, now_s: float) -> bool:
        """Whether so many bytes may be sent now; some always may if none are under way."""
        under_way = self._sent - self._taken
        if not under_way:
            return True
        queued = self.queued_bytes(now_s)
        return queued + count <= self.size_bytes and under_way + count <= MOST_BYTES

    def opens_s(self, count: int, now_s: float) -> float:
        """When so many bytes may be sent, for what is under way will be reckoned to be taken; never
        by that alone: infinity."""
        if not self._bytes_per_s or self.under_way_bytes + count > MOST_BYTES:
            return math.inf
        wait_s = (self.queued_bytes(now_s) + count - self.size_bytes) / self._bytes_per_s
        found = now_s + max(wait_s, _SOON_S)
        return found if found < self._said_s + _TRUSTED_S else math.inf

    def send(self, count: int, now_s: float) -> None:
        """So many bytes were sent."""
        if not self.under_way_bytes and now_s - self._taken_s > _PAUSE_S:
            self.size_bytes = min(self.size_bytes, self._first_bytes)
        if not self.under_way_bytes:
            self._said_s = now_s
            self._samples.clear()
            self._bytes_per_s = max(self._bytes_per_s, self._expected)
        queued = self.queued_bytes(now_s) + count
        self._sent += count
        self._queued = queued
        self._marks.append((self._sent, queued, now_s))

    def take(self, total: int, clock_s: float, now_s: float) -> bool:
        """The other side had taken so many in all at a time of its clock; False when that cannot
        be."""
        if not self._taken <= total <= self._sent:
            return False
        fresh, self._taken, self._taken_s = total - self._taken, total, now_s
        mark = None
        while self._marks and self._marks[0][0] <= total:
            mark = self._marks.popleft()
        back_s = self.hear_clock(clock_s, now_s)
        used = mark is not None and 2 * mark[1] >= self.size_bytes
        self._measure(total, clock_s, used=used)
        self._said_s = now_s - back_s
        left = self.under_way_bytes - self._bytes_per_s * back_s
        self._queued = max(self.queued_bytes(now_s), left)
        if mark is not None and mark[2] >= self._shrunk_s:
            there_s = max(0.0, now_s - mark[2] - back_s)
            self._adapt(there_s, fresh, now_s, used=used)
        return True

    def _measure(self, total: int, clock_s: float, *, used: bool) -> None:
        """How fast bytes are taken, by the other side's clock; `used`: no faster than they came."""
        samples = self._samples
        if samples and not samples[-1][0] < clock_s:
            return
        samples.append((clock_s, total))
        while len(samples) > 2 and samples[1][0] <= clock_s - _MEASURED_S:
            samples.popleft()
        passed_s = clock_s - samples[0][0]
        if _MEASURED_S <= passed_s <= _REMEMBERED_S:
            rate = (total - samples[0][1]) / passed_s
            faded = self._bytes_per_s * 0.5 ** ((clock_s - samples[-2][0]) / _FADES_S)
            self._bytes_per_s = max(rate, faded if used else self._bytes_per_s)

    def hear_clock(self, clock_s: float, now_s: float) -> float:
        """A word of the other side, and its clock: returns how much longer than the fastest one it
        was on its way."""
        drift_s = _DRIFT * (now_s - self._ahead_at_s)
        self._ahead_s, self._ahead_at_s = max(self._ahead_s - drift_s, clock_s - now_s), now_s
        return self._ahead_s - (clock_s - now_s)

    def _adapt(self, there_s: float, fresh: int, now_s: float, *, used: bool) -> None:
        """`there_s` on the way there. `used`: so much was under way that this tells something of a
        full window."""
        if there_s > _LONG_S:
            part = _GOOD_S / there_s
            self.size_bytes = max(_LEAST_BYTES, int(self.size_bytes * part))
            self._shrunk_s = now_s
        elif used and there_s < _GOOD_S:
            more = fresh if there_s < _SHORT_S else fresh // _GENTLY
            self.size_bytes = min(MOST_BYTES, self.size_bytes + more)
