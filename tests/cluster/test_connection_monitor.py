"""Messages without an end are cut off; who sends others is left alone, to the byte."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import zmq
from support.command import GUARD_S

from ftdist.cluster import connection_monitor
from ftdist.cluster.connection_monitor import MOST_UNFINISHED, ConnectionMonitor
from ftdist.cluster.transport import (
    Context,
    CurveKeys,
    Link,
    Socket,
    bind,
    close,
    connect,
    make_context,
    receive,
)
from ftdist.protocol.messages import FROM_WORKER

PART = bytes(64 << 10)
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"


def hear(raw: socket.socket, count: int) -> None:
    """Takes so many bytes; ConnectionError if there are not so many."""
    while count:
        got = len(raw.recv(count))
        if not got:
            raise ConnectionResetError("closed")
        count -= got


class MonitoredRouter:
    """A monitored ROUTER, and those who connect to it."""

    def __init__(self, *, secured: bool) -> None:
        self.context: Context = make_context()
        self.secured = secured
        public, secret = zmq.curve_keypair()
        own = CurveKeys(public, secret) if secured else None
        self.socket = bind(self.context, "tcp://127.0.0.1:*", own, monitored=True)
        self.endpoint = self.socket.get_string(zmq.LAST_ENDPOINT)
        self.watch = ConnectionMonitor(self.socket, lambda key: f"owner of {key}")
        self.words: list[str] = []
        self.got = 0
        self._server = public
        self._sockets: list[Socket] = []
        self._raw: list[socket.socket] = []

    def close(self) -> None:
        self.watch.close()
        for each in (self.socket, *self._sockets):
            close(each, 0)
        for plain in self._raw:
            plain.close()
        self.context.destroy(0)

    def peer(self, **more: Any) -> Socket:
        keys = CurveKeys(*zmq.curve_keypair(), self._server) if self.secured else None
        self._sockets.append(connect(self.context, self.endpoint, keys, **more))
        return self._sockets[-1]

    def raw(self, *, greets: bool = True) -> socket.socket:
        """A plain TCP connection, with the handshake of a peer if it `greets`.

        ConnectionError if it is cut off before that is done.
        """
        port = int(self.endpoint.rpartition(":")[2])
        made = socket.create_connection(("127.0.0.1", port), timeout=GUARD_S)
        self._raw.append(made)
        if greets:
            made.sendall(GREETING)
            hear(made, 64)
            made.sendall(b"\x04" + bytes([len(READY)]) + READY)
            hear(made, 2)
        return made

    def intruder(self, *, greets: bool = True) -> None:
        """Connects to be cut off, which may come before it has connected or greeted."""
        with suppress(ConnectionError):
            self.raw(greets=greets)

    def turn(self) -> None:
        """What the owner does in a turn of its loop."""
        self.socket.poll(5)
        while (received := receive(self.socket, FROM_WORKER, secured=self.secured)) is not None:
            self.watch.delivered(received.handle, received.wire_bytes, "k" * 40 * self.secured)
            self.got += 1
        self.watch.drained()
        self.words += self.watch.words()

    def until(self, what: Callable[[], bool]) -> None:
        limit_s = time.monotonic() + GUARD_S
        while not what():
            assert time.monotonic() < limit_s, self.words
            self.turn()


@pytest.fixture(params=[False, True], ids=["without keys", "with keys"])
def router(request: pytest.FixtureRequest) -> Iterator[MonitoredRouter]:
    made = MonitoredRouter(secured=request.param)
    yield made
    made.close()


@pytest.fixture
def open_router() -> Iterator[MonitoredRouter]:
    made = MonitoredRouter(secured=False)
    yield made
    made.close()


def endless(raw: socket.socket) -> None:
    """Parts of one message, for as long as they are taken."""
    with suppress(OSError):
        while True:
            raw.sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)


def test_what_is_delivered_is_counted_to_the_byte(router: MonitoredRouter) -> None:
    rng = random.Random(1)
    peer = router.peer()
    sizes = [rng.choice([0, 1, 200, 221, 222, 223, 224, 254, 255, 256, 3000]) for _ in range(4000)]
    for number in range(0, len(sizes), 4):
        peer.send_multipart([bytes(size) for size in sizes[number : number + 4]])
        router.turn()
    router.until(lambda: router.got == 1000)
    (found,) = router.watch._peers.values()
    assert 0 < found.read_bytes() - found.delivered < 1000, "but for the handshake nothing is left"
    assert router.words == []


def test_a_probe_is_no_failed_handshake(router: MonitoredRouter) -> None:
    """Whoever cannot connect looks whether anybody is there, and goes without a word."""
    links: list[Link] = []
    for _ in range(3):
        made = router.raw(greets=False)
        assert made.recv(64)
        made.close()
        found: list[Link] = []
        while Link.DOWN not in found:
            router.turn()
            found += router.watch.links()
        links += found
    assert set(links) == {Link.DOWN}


def test_a_message_without_an_end_is_cut_off_and_named(router: MonitoredRouter) -> None:
    honest, other = router.peer(), router.peer(monitored=True)
    honest.send(b"here")
    router.until(lambda: router.got == 1)
    other.send(b"so far so good")
    router.until(lambda: router.got == 2)
    for _ in range(4000):  # a quarter of a gigabyte, of one array of 64 KiB
        other.send(PART, zmq.SNDMORE, copy=False)
    other.send(b"", zmq.DONTWAIT)
    router.until(lambda: bool(router.words))
    (line,) = router.words
    assert "cut off the connection of 127.0.0.1:" in line
    assert ("owner of " in line) == router.secured
    honest.send(b"still here")
    router.until(lambda: router.got == 3)


def test_nothing_of_it_stays(open_router: MonitoredRouter) -> None:
    for _ in range(5):
        endless(open_router.raw())
        open_router.until(lambda: bool(open_router.words))
        assert "it sent" in open_router.words.pop()
    open_router.until(lambda: open_router.watch._peers == {})
    assert open_router.watch.links().count(Link.DOWN) >= 5


def test_a_message_that_is_too_large_is_found_though_it_comes_slowly(
    open_router: MonitoredRouter,
) -> None:
    raw = open_router.raw()
    for _ in range(MOST_UNFINISHED // len(PART)):
        raw.sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)
        open_router.turn()
    assert open_router.words == []
    raw.sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)
    open_router.until(lambda: bool(open_router.words))
    assert "512 KiB of one message" in open_router.words[0]


def test_many_that_hold_a_little_are_bounded_together(
    open_router: MonitoredRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_monitor, "MOST_UNFINISHED_TOGETHER", 5 * 66_500)
    for _ in range(9):
        open_router.raw().sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)
    open_router.until(lambda: len(open_router.words) == 4)
    assert all("one of many" in line for line in open_router.words)


def test_who_connects_and_says_nothing_is_cut_off(
    open_router: MonitoredRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = open_router.peer()
    honest.send(b"here")
    open_router.until(lambda: open_router.got == 1)
    monkeypatch.setattr(connection_monitor, "SILENT_S", 0.0)
    open_router.intruder()
    open_router.until(lambda: bool(open_router.words))
    assert "nothing within" in open_router.words[0]
    honest.send(b"still here")
    open_router.until(lambda: open_router.got == 2)


def test_too_many_that_say_nothing_make_room_for_others(
    open_router: MonitoredRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_monitor, "MOST_SILENT", 8)
    for _ in range(20):
        open_router.intruder(greets=False)
    open_router.until(lambda: len(open_router.words) == 12)
    assert "more than 8 connections that say nothing" in open_router.words[0]
    open_router.peer().send(b"here")
    open_router.until(lambda: open_router.got == 1)


def test_too_many_connections_are_refused(
    open_router: MonitoredRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_monitor, "MOST_CONNECTIONS", 3)
    for number in range(1, 4):
        open_router.peer().send(b"here")
        open_router.until(lambda n=number: open_router.got == n)  # type: ignore[misc]
    open_router.intruder()
    open_router.until(lambda: bool(open_router.words))
    assert "more than 3 connections" in open_router.words[0]
