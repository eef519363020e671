"""How long to wait before trying again: longer each time, and not all at the same moment."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S, LONGEST_S = 0.5, 15.0


class Pauses:
    """Pauses of 0.5 s, doubling up to 15 s, each shortened by up to a half by chance."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """Seconds to wait this time; `chance` gives numbers from 0 to 1."""
        pause = self._next_s
        self._next_s = min(2 * pause, LONGEST_S)
        return pause * (1 - self._chance() / 2)

    def begin_anew(self) -> None:
        """The next pause is the shortest again."""
        self._next_s = FIRST_S
