"""The page's connections to browsers: how many there may be, and how long they may take to ask.

uvicorn speaks HTTP by h11; what it does not limit is limited here. A connection that sends its
request too slowly is cut, a request whose head is too large is refused, and beyond the most
connections new ones are closed at once, whatever they want.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 64
HEAD_BYTES = 8 << 10
HEAD_S = 10.0
"""Within this time a request's head is here, or its connection ends."""

IDLE_S = 15
_WRITE_BYTES = 64 << 10
"""What is held for a connection that does not read, beside one answer."""


class LimitedProtocol(H11Protocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= MOST_CONNECTIONS:
            transport.abort()
            self.transport = transport
            return
        transport.set_write_buffer_limits(high=_WRITE_BYTES)
        super().connection_made(transport)
        self._due = self.loop.call_later(HEAD_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        if self in self.connections:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self not in self.connections:
            return
        busy = self.cycle is not None and not self.cycle.response_complete
        if self._due is None and not busy:
            self._due = self.loop.call_later(HEAD_S, self.transport.abort)
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not None and self.cycle is not before:
            self.scope["state"]["cut"] = self.transport.abort
            self._in_time()

    def _in_time(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class PageServer(uvicorn.Server):
    """uvicorn without its clock and without its signals: it sleeps while nobody asks, and it ends
    with the process."""

    async def main_loop(self) -> None:
        """Does nothing, for as long as it takes."""
        await asyncio.Event().wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the process: the page does not handle them."""
        yield


def server_for(app: Any) -> PageServer:
    """A server of an application, with all limits."""
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=IDLE_S,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    return PageServer(config)
