"""The memory that reading and drawing pictures may take together, whoever does it.

A picture's header says what decoding it will take. Who decodes or draws takes so many bytes first,
and waits while others hold too many: small pictures are decoded side by side, large ones one after
another, and the budget holds with all stages at once. Who holds some never waits for more.
"""

from __future__ import annotations

import threading

from ftdist.errors import InputError
from ftdist.runtime.budget.sizes import ceil_size


class Closed(Exception):
    """The room was closed while somebody waited: the batch ends."""


class Room:
    """So many bytes, for all threads together; `beside_bytes` is what the process holds beside."""

    def __init__(self, size: int, beside_bytes: int = 0) -> None:
        self.size = size
        self._beside_bytes = beside_bytes
        self._taken = 0
        self._closed = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0

    def lease(self) -> Lease:
        """A part of the room, to be asked for within a ``with``, and given back at its end."""
        return Lease(self)

    def close(self) -> None:
        """Ends all waiting, now and later."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()

    def take(self, size: int) -> None:
        """Waits for so many bytes; InputError when the room never has so many."""
        if size > self.size:
            raise InputError(
                f"it takes {ceil_size(size)} to read or to draw, and there are "
                f"{ceil_size(self.size)}; with --mem {ceil_size(self._beside_bytes + size)} or "
                "more there is room for it"
            )
        with self._lock:
            while self._taken + size > self.size and not self._closed:
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1
            if self._closed:
                raise Closed
            self._taken += size

    def give_back(self, size: int) -> None:
        with self._lock:
            self._taken -= size
            if self._waiting:
                self._changed.notify_all()


class Lease:
    """What one thread holds of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def ask(self, size: int) -> None:
        """Waits for so many bytes, in place of what was held before."""
        if self._size:
            self.give_back()
        self._room.take(size)
        self._size = size

    def give_back(self) -> None:
        size, self._size = self._size, 0
        if size:
            self._room.give_back(size)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()
