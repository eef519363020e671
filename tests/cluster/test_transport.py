"""Sockets that carry messages: both ways, full queues, peers that are gone, keys."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq
from support.cluster.scriptedcoordinator import PATIENCE_S
from zmq.utils import z85

from ftdist.cluster.transport import (
    Context,
    CurveKeys,
    Link,
    Received,
    Socket,
    Unreachable,
    bind,
    close,
    connect,
    link_events,
    make_context,
    receive,
    send,
)
from ftdist.errors import InputError
from ftdist.protocol.limits import FRAME_BYTES
from ftdist.protocol.messages import FROM_COORDINATOR, FROM_WORKER, Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Beat, Bye, Refusal
from ftdist.protocol.worker_messages import Probe


class Ends:
    """Makes sockets and closes them in the end."""

    def __init__(self) -> None:
        self.context: Context = make_context()
        self._sockets: list[Socket] = []

    def bind(self, *args: Any, **more: Any) -> Socket:
        self._sockets.append(bind(self.context, *args, **more))
        return self._sockets[-1]

    def connect(self, *args: Any, **more: Any) -> Socket:
        self._sockets.append(connect(self.context, *args, **more))
        return self._sockets[-1]

    def keep(self, socket: Socket) -> None:
        self._sockets.append(socket)

    def close(self) -> None:
        for socket in self._sockets:
            close(socket, 0)
        self.context.destroy(0)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def endpoint_of(socket: Socket) -> str:
    return socket.get_string(zmq.LAST_ENDPOINT)


def next_of(socket: Socket, expected: frozenset[type[Message]]) -> Received:
    assert socket.poll(int(PATIENCE_S * 1e3)), "nothing came"
    received = receive(socket, expected)
    assert received is not None
    return received


def link_of(socket: Socket) -> Link:
    """The first thing that happens to a monitored socket's connection."""
    while socket.get_monitor_socket().poll(int(PATIENCE_S * 1e3)):
        if events := link_events(socket):
            return events[0]
    raise AssertionError("nothing happened to the connection")


def pair(ends: Ends, endpoint: str = "tcp://127.0.0.1:*") -> tuple[Socket, Socket, bytes]:
    """A ROUTER, a DEALER connected to it, and the DEALER's name there."""
    server = ends.bind(endpoint)
    client = ends.connect(endpoint_of(server))
    assert send(client, Bye("first"))
    return server, client, next_of(server, FROM_WORKER).peer


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:*", "inproc://pair"])
def test_a_message_travels_both_ways_with_its_values(ends: Ends, endpoint: str) -> None:
    server, client, peer = pair(ends, endpoint)
    ballast = np.arange(100_000, dtype=np.uint8)
    assert send(server, Probe(7, ballast), peer)
    there = next_of(client, FROM_COORDINATOR)
    assert (there.peer, there.key) == (b"", "")
    assert isinstance(there.message, Probe) and there.message.number == 7
    assert np.array_equal(there.message.data, ballast)
    assert send(client, Bye("done"))
    assert next_of(server, FROM_WORKER)[:3] == (peer, Bye("done"), "")


def test_nothing_waiting_is_no_message(ends: Ends) -> None:
    server, client, _ = pair(ends)
    assert receive(server, FROM_WORKER) is None
    assert receive(client, FROM_COORDINATOR) is None


def test_what_breaks_the_protocol_says_who_sent_it_and_why(ends: Ends) -> None:
    server, client, peer = pair(ends)
    for frames in ([b"junk"], [b""], [b"\x93", b"a", b"b"], [b"x"] * 400):
        client.send_multipart(frames)
        received = next_of(server, FROM_WORKER)
        assert received.peer == peer and isinstance(received.message, WireError)
        error = received.message
        assert error.__traceback__ is None and error.__context__ is None, (
            "they would hold the frames"
        )
    assert send(client, Beat())  # a worker's message it is not
    assert "not expected" in str(next_of(server, FROM_WORKER).message)


def test_a_full_queue_is_an_answer_and_loses_nothing(ends: Ends) -> None:
    server = ends.bind("inproc://full", waiting=2)
    client = ends.connect("inproc://full", waiting=2)
    sent = 0
    while send(client, Bye(str(sent))):
        sent += 1
        assert sent < 100
    assert sent >= 2
    got = [next_of(server, FROM_WORKER).message for _ in range(sent)]
    assert got == [Bye(str(number)) for number in range(sent)]
    assert client.poll(int(PATIENCE_S * 1e3), zmq.POLLOUT) and send(client, Bye("again"))


def test_a_peer_that_left_is_unreachable(ends: Ends) -> None:
    server, client, peer = pair(ends)
    server.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    close(client, 0)
    assert server.get_monitor_socket().poll(int(PATIENCE_S * 1e3))
    with pytest.raises(Unreachable):
        for _ in range(int(PATIENCE_S * 100)):
            send(server, Beat(), peer)
            server.poll(10)
    with pytest.raises(Unreachable):
        send(server, Beat(), b"nobody")


def test_a_frame_larger_than_allowed_ends_the_connection(ends: Ends) -> None:
    server = ends.bind("tcp://127.0.0.1:*")
    client = ends.connect(endpoint_of(server), reconnect=False, monitored=True)
    assert link_of(client) is Link.UP
    client.send(bytes(FRAME_BYTES + 1))
    assert link_of(client) is Link.DOWN
    assert receive(server, FROM_WORKER) is None


def test_without_reconnecting_an_ended_connection_stays_ended(ends: Ends) -> None:
    server = ends.bind("tcp://127.0.0.1:*")
    endpoint = endpoint_of(server)
    client = ends.connect(endpoint, reconnect=False, monitored=True)
    assert link_of(client) is Link.UP
    close(server, 0)
    assert link_of(client) is Link.DOWN
    nobody = ends.connect(endpoint, reconnect=False, monitored=True)
    assert link_of(nobody) is Link.DOWN


def test_endpoints_that_cannot_be_had_are_named(ends: Ends) -> None:
    server = ends.bind("tcp://127.0.0.1:*")
    with pytest.raises(InputError, match=r"cannot listen on tcp://127\.0\.0\.1:"):
        ends.bind(endpoint_of(server))
    with pytest.raises(InputError, match="cannot connect to nonsense"):
        ends.connect("nonsense", monitored=True)


def test_sent_values_are_not_copied_and_are_let_go_when_sent(ends: Ends) -> None:
    server, client, peer = pair(ends)
    values = np.zeros(1 << 18, np.uint8)
    left = weakref.ref(values)
    assert send(server, Probe(1, values), peer)
    del values
    next_of(client, FROM_COORDINATOR)
    for _ in range(int(PATIENCE_S * 100)):
        gc.collect()
        if left() is None:
            return
        client.poll(10)
    raise AssertionError("a sent array is held for ever")


class Gate:
    """Answers handshakes in the test's own thread: admits the keys in `allowed`."""

    def __init__(self, ends: Ends, allowed: set[bytes]) -> None:
        self.allowed = allowed
        self.socket = ends.context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")
        ends.keep(self.socket)

    def answer(self) -> None:
        assert self.socket.poll(int(PATIENCE_S * 1e3)), "no handshake came"
        version, sequence, *_, key = self.socket.recv_multipart()
        text = z85.encode(key)
        status = b"200" if text in self.allowed else b"400"
        self.socket.send_multipart([version, sequence, status, b"", text, b""])


def key_pairs() -> tuple[CurveKeys, CurveKeys]:
    """The coordinator's keys, and a worker's for it."""
    server_public, server_secret = zmq.curve_keypair()
    public, secret = zmq.curve_keypair()
    return CurveKeys(server_public, server_secret), CurveKeys(public, secret, server_public)


def test_with_keys_a_message_brings_the_proven_key(ends: Ends) -> None:
    server_keys, keys = key_pairs()
    gate = Gate(ends, {keys.public})
    server = ends.bind("tcp://127.0.0.1:*", server_keys)
    client = ends.connect(endpoint_of(server), keys, monitored=True, reconnect=False)
    gate.answer()
    assert link_of(client) is Link.UP
    assert send(client, Bye("hello"))
    assert next_of(server, FROM_WORKER).key == keys.public.decode()


def test_a_key_that_is_not_allowed_is_told_apart_from_wrong_or_missing_ones(
    ends: Ends,
) -> None:
    server_keys, keys = key_pairs()
    gate = Gate(ends, set())
    server = ends.bind("tcp://127.0.0.1:*", server_keys)
    where = endpoint_of(server)
    refused = ends.connect(where, keys, monitored=True, reconnect=False)
    gate.answer()
    assert link_of(refused) is Link.REFUSED
    stranger, _ = key_pairs()
    wrong = CurveKeys(keys.public, keys.secret, stranger.public)
    assert link_of(ends.connect(where, wrong, monitored=True, reconnect=False)) is Link.MISMATCH
    assert link_of(ends.connect(where, None, monitored=True, reconnect=False)) is Link.MISMATCH
    plain = ends.bind("tcp://127.0.0.1:*")
    unheard = ends.connect(endpoint_of(plain), keys, monitored=True, reconnect=False)
    assert link_of(unheard) is Link.MISMATCH


def test_a_last_word_is_sent_after_closing(ends: Ends) -> None:
    server, client, peer = pair(ends)
    assert send(server, Refusal("full", final=True), peer)
    close(server)
    assert next_of(client, FROM_COORDINATOR).message == Refusal("full", final=True)
