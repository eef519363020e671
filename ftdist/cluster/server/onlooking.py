"""Somebody who looks on: asked by them, shown what there is, and never waited for.

The loop polls for their questions as for anything else; while nobody asks they cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Protocol

import zmq

from ftdist.coordinator.events import Look, Pictured, Seen


class Say(Protocol):
    """Takes lines for people; `event` and `about` say the same to programs."""

    def __call__(self, text: str, /, event: str = "", **about: str | int | float) -> None: ...


class Onlooker(Protocol):
    """Who looks on, by a pipe of their own."""

    @property
    def waits(self) -> bool:
        """Whether something is still to be sent."""

    @property
    def ended(self) -> bool:
        """Whether they are gone."""

    def fileno(self) -> int:
        """What to poll."""

    def looks(self) -> list[Look]:
        """What they have asked since the last time."""

    def show(self, seen: Seen | Pictured) -> None:
        """Sends them what they asked for."""

    def flush(self) -> None:
        """Sends what waits."""


class Onlooking:
    """An onlooker and their place in the loop's poll."""

    def __init__(self, onlooker: Onlooker | None, poller: zmq.Poller, say: Say) -> None:
        self._onlooker = onlooker
        self._poller = poller
        self._say = say
        self._polled = 0
        self._register()

    def take(self, ready: Container[object], handle: Callable[[Look], None]) -> None:
        """Hands on what was asked, and goes on sending what was not taken at once.

        `ready` are all that the poll found: who looks on is not asked whether they ask.
        """
        if self._onlooker is None or self._onlooker.fileno() not in ready:
            return
        for look in self._onlooker.looks():
            handle(look)
        self._onlooker.flush()
        self._register()

    def show(self, seen: Seen | Pictured) -> None:
        """Sends what was asked for."""
        if self._onlooker is not None:
            self._onlooker.show(seen)
            self._register()

    def _register(self) -> None:
        """Polls for questions; and, while something waits to be sent, for room."""
        onlooker = self._onlooker
        if onlooker is None:
            return
        if onlooker.ended:
            self._poller.unregister(onlooker)
            self._onlooker = None
            self._say("the page ended: was it killed for lack of memory?", "page-ended")
            return
        wanted = zmq.POLLIN | (zmq.POLLOUT if onlooker.waits else 0)
        if wanted != self._polled:
            self._poller.register(onlooker, wanted)
            self._polled = wanted
