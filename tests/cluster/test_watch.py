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

from ftdist.cluster import watch as watch_module
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
from ftdist.cluster.watch import MOST_UNFINISHED, Watch
from ftdist.protocol.wire import FROM_WORKER

PART = bytes(64 << 10)
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"


class Door:
    """A watched ROUTER, and those who connect to it."""

    def __init__(self, *, secured: bool) -> None:
        self.context: Context = make_context()
        self.secured = secured
        public, secret = zmq.curve_keypair()
        own = CurveKeys(public, secret) if secured else None
        self.socket = bind(self.context, "tcp://127.0.0.1:*", own, watched=True)
        self.endpoint = self.socket.get_string(zmq.LAST_ENDPOINT)
        self.watch = Watch(self.socket, lambda key: f"owner of {key}")
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
        """A plain TCP connection, with the handshake of a peer if it `greets`."""
        port = int(self.endpoint.rpartition(":")[2])
        made = socket.create_connection(("127.0.0.1", port), timeout=GUARD_S)
        self._raw.append(made)
        if greets:
            made.sendall(GREETING)
            theirs = b""
            while len(theirs) < 64:
                theirs += made.recv(64 - len(theirs))
            made.sendall(b"\x04" + bytes([len(READY)]) + READY)
            assert made.recv(2)
        return made

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
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    made = Door(secured=request.param)
    yield made
    made.close()


@pytest.fixture
def open_door() -> Iterator[Door]:
    made = Door(secured=False)
    yield made
    made.close()


def endless(raw: socket.socket) -> None:
    """Parts of one message, for as long as they are taken."""
    with suppress(OSError):
        while True:
            raw.sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)


def test_what_is_delivered_is_counted_to_the_byte(door: Door) -> None:
    rng = random.Random(1)
    peer = door.peer()
    sizes = [rng.choice([0, 1, 200, 221, 222, 223, 224, 254, 255, 256, 3000]) for _ in range(4000)]
    for number in range(0, len(sizes), 4):
        peer.send_multipart([bytes(size) for size in sizes[number : number + 4]])
        door.turn()
    door.until(lambda: door.got == 1000)
    (found,) = door.watch._peers.values()
    assert 0 < found.read_bytes() - found.delivered < 1000, "but for the handshake nothing is left"
    assert door.words == []


def test_a_knock_is_no_failed_handshake(door: Door) -> None:
    """Whoever cannot connect looks whether anybody is there, and goes without a word."""
    links: list[Link] = []
    for _ in range(3):
        made = door.raw(greets=False)
        assert made.recv(64)
        made.close()
        found: list[Link] = []
        while Link.DOWN not in found:
            door.turn()
            found += door.watch.links()
        links += found
    assert set(links) == {Link.DOWN}


def test_a_message_without_an_end_is_cut_off_and_named(door: Door) -> None:
    honest, other = door.peer(), door.peer(watched=True)
    honest.send(b"here")
    door.until(lambda: door.got == 1)
    other.send(b"so far so good")
    door.until(lambda: door.got == 2)
    for _ in range(4000):  # a quarter of a gigabyte, of one array of 64 KiB
        other.send(PART, zmq.SNDMORE, copy=False)
    other.send(b"", zmq.DONTWAIT)
    door.until(lambda: bool(door.words))
    (line,) = door.words
    assert "cut off the connection of 127.0.0.1:" in line
    assert ("owner of " in line) == door.secured
    honest.send(b"still here")
    door.until(lambda: door.got == 3)


def test_nothing_of_it_stays(open_door: Door) -> None:
    for _ in range(5):
        endless(open_door.raw())
        open_door.until(lambda: bool(open_door.words))
        assert "it sent" in open_door.words.pop()
    open_door.until(lambda: open_door.watch._peers == {})
    assert open_door.watch.links().count(Link.DOWN) >= 5


def test_a_message_that_is_too_large_is_found_though_it_comes_slowly(open_door: Door) -> None:
    raw = open_door.raw()
    for _ in range(MOST_UNFINISHED // len(PART)):
        raw.sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)
        open_door.turn()
    assert open_door.words == []
    raw.sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)
    open_door.until(lambda: bool(open_door.words))
    assert "512 KiB of one message" in open_door.words[0]


def test_many_that_hold_a_little_are_bounded_together(
    open_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "MOST_UNFINISHED_TOGETHER", 5 * 66_500)
    for _ in range(9):
        open_door.raw().sendall(b"\x03" + struct.pack(">Q", len(PART)) + PART)
    open_door.until(lambda: len(open_door.words) == 4)
    assert all("one of many" in line for line in open_door.words)


def test_who_connects_and_says_nothing_is_cut_off(
    open_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = open_door.peer()
    honest.send(b"here")
    open_door.until(lambda: open_door.got == 1)
    monkeypatch.setattr(watch_module, "SILENT_S", 0.0)
    open_door.raw()
    open_door.until(lambda: bool(open_door.words))
    assert "nothing within" in open_door.words[0]
    honest.send(b"still here")
    open_door.until(lambda: open_door.got == 2)


def test_too_many_that_say_nothing_make_room_for_others(
    open_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "MOST_SILENT", 8)
    for _ in range(20):
        open_door.raw(greets=False)
    open_door.until(lambda: len(open_door.words) == 12)
    assert "more than 8 connections that say nothing" in open_door.words[0]
    open_door.peer().send(b"here")
    open_door.until(lambda: open_door.got == 1)


def test_too_many_connections_are_refused(open_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "MOST_CONNECTIONS", 3)
    for number in range(1, 4):
        open_door.peer().send(b"here")
        open_door.until(lambda n=number: open_door.got == n)  # type: ignore[misc]
    open_door.raw()
    open_door.until(lambda: bool(open_door.words))
    assert "more than 3 connections" in open_door.words[0]
