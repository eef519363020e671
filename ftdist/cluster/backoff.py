"""How long to wait before trying again: longer each time, and not all at the same moment."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S, LONGEST_S = 0.5, 15.0
SLOW_S = 60.0
"""The longest pause where it is no use to try again before somebody has done something."""


class Backoff:
    """Pauses of 0.5 s, doubling up to a longest, each shortened by up to a half by chance."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._next_s = FIRST_S

    def next_s(self, longest_s: float = LONGEST_S) -> float:
        """Seconds to wait this time; `chance` gives numbers from 0 to 1."""
        pause = min(self._next_s, longest_s)
        self._next_s = min(2 * pause, longest_s)
        return pause * (1 - self._chance() / 2)

    def reset(self) -> None:
        """The next pause is the shortest again."""
        self._next_s = FIRST_S
