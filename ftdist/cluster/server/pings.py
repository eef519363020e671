"""When to ping all peers: after a connection ended, for a send to a peer that is gone fails.

First once its last words have been read, for they may be Bye; then every so often for a while,
because the socket may learn of the end a little later.
"""

from __future__ import annotations

import math

_LAST_WORDS_S, _EVERY_S, _FOR_S = 0.005, 0.05, 0.25


class Pings:
    """`due_s`: when the next ping is due; infinity while no connection has ended lately."""

    def __init__(self) -> None:
        self.due_s = math.inf
        self._end_s = math.inf

    def connection_ended(self, now_s: float) -> None:
        self.due_s = min(self.due_s, now_s + _LAST_WORDS_S)
        self._end_s = now_s + _FOR_S

    def turn(self, now_s: float) -> bool:
        """Whether to ping now."""
        if self.due_s > now_s:
            return False
        self.due_s = now_s + _EVERY_S if now_s < self._end_s else math.inf
        return True
