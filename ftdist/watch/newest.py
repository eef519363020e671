"""One place for the newest frame: who brings a newer one before it is taken drops the one there."""

from __future__ import annotations

import threading

from ftdist.many.listing import Source

_LOOK_S = 0.5
"""How often who waits looks up: an interrupt just before would go unseen."""


class Newest:
    """Between who brings frames and who computes them; both may be slower than the other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Source | None = None
        self._ended = False
        self._failure: BaseException | None = None
        self.dropped = 0

    def put(self, frame: Source) -> None:
        """Takes a newer frame in."""
        with self._changed:
            self.dropped += self._frame is not None
            self._frame = frame
            self._changed.notify_all()

    def drop(self, count: int) -> None:
        """Counts frames that were dropped before they came here."""
        with self._changed:
            self.dropped += count

    def end(self, failure: BaseException | None = None) -> None:
        """No further frame will come."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def take(self) -> Source | None:
        """Waits for the newest; None at the end. Raises what ended it, if anything failed."""
        with self._changed:
            while self._frame is None and not self._ended:
                self._changed.wait(_LOOK_S)
            frame, self._frame = self._frame, None
            if frame is None and self._failure is not None:
                raise self._failure
            return frame
