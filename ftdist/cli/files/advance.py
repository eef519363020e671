"""How far a batch is: one line on a terminal, with its rate and the time that is left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from ftdist.cli.terminal import PassingLine

_RATE_S = 10.0
"""The rate is that of the last so many seconds: what was done before a pause says little."""

_SHOW_S = 0.2


class Advance:
    """Counts what is done of `total` pictures (None: nobody knows), `before` of them earlier."""

    def __init__(
        self,
        line: PassingLine,
        total: int | None,
        before: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line = line
        self._total = total
        self._done = before
        self._clock = clock
        self._shown_s = -_SHOW_S
        self._marks: deque[tuple[float, int]] = deque([(clock(), before)])

    def step(self, left_out: int) -> None:
        """One more is done; `left_out` in all."""
        self._done += 1
        now = self._clock()
        if not self._line.is_terminal or now - self._shown_s < _SHOW_S:
            return
        self._shown_s = now
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _RATE_S:
            self._marks.popleft()
        self._line.show(self.text(left_out))

    def text(self, left_out: int) -> str:
        """The line."""
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        rate = (last - first) / (last_s - first_s) if last_s > first_s else 0.0
        parts = [f"{self._done:,}" if self._total is None else f"{self._done:,} of {self._total:,}"]
        if rate > 0:
            parts.append(f"{rate:.{int(rate < 10)}f} a second")
            if self._total is not None:
                parts.append(f"{duration((self._total - self._done) / rate)} left")
        if left_out:
            parts.append(f"{left_out:,} left out")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 42 s, 3 min 20 s, 5 h 10 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
