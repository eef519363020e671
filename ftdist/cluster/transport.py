"""Sockets that carry the protocol's messages: how they are set up, and one message out or in.

The coordinator binds ROUTER sockets, workers and clients connect DEALER ones. No call here waits:
a full queue or an empty one is an answer. A received message is decoded in place, its tensors are
views of the frames that ZeroMQ received; sent tensors are not copied either, so whoever sends an
array must not write into it afterwards.

Limits: a frame larger than a portion drops its connection inside ZeroMQ, before it is allocated;
queues hold few messages; a connection that does not finish its handshake is dropped. Messages of
any size go out by a ``Channel``, which cuts them into portions.
"""

from __future__ import annotations

import enum
import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import zmq

from ftdist.errors import InputError
from ftdist.protocol.limits import PORTION_BYTES
from ftdist.protocol.messages import FROM_EITHER, Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.wire import decode, encode

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

LINGER_MS = 500
"""How long a closed socket goes on sending what was queued: long enough for a last word."""

_WAITING = 128
"""Messages that a queue holds before its sender is told to wait; bytes are bounded by a window."""

_BOX_BYTES = 33
_FRAME_BYTES = PORTION_BYTES + 1024
"""The most bytes of a frame as it travels, encrypted or not."""

_HANDSHAKE_MS = 10_000
_CONNECT_MS = 10_000
_RECONNECT_MS = (500, 15_000)
_NOW, _NOW_AND_MORE = int(zmq.DONTWAIT), int(zmq.DONTWAIT | zmq.SNDMORE)
_NOT_LISTENING = {
    zmq.EADDRINUSE: "the address is in use: another program listens there",
    zmq.EADDRNOTAVAIL: "this machine has no such address",
    errno.ENODEV: "this machine has no such address",
    errno.EACCES: "this user may not listen on that port",
}
_COPIED_BYTES = 16 << 10
"""Buffers up to this size are copied: cheaper than keeping them alive until they are sent."""


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """A side's own key pair, and the coordinator's public key (None on the coordinator itself).

    Z85 text as bytes, 40 each.
    """

    public: bytes
    secret: bytes
    server: bytes | None = None


class Unreachable(Exception):
    """The peer has no connection any more."""


class Received(NamedTuple):
    """What came: from whom (b"" on a DEALER), the message or why it is none, and the proven key;
    of how many bytes it is, by which file descriptor they came (-1: none), from which address
    ("" from within the process), and as how many."""

    peer: bytes
    message: Message | WireError
    key: str
    bytes: int = 0
    handle: int = -1
    address: str = ""
    wire_bytes: int = 0


def make_context() -> Context:
    """A context with one I/O thread; closed by ``destroy()``."""
    return zmq.Context(1)


def bind(
    context: Context,
    endpoint: str,
    keys: CurveKeys | None = None,
    *,
    monitored: bool = False,
    waiting: int = _WAITING,
) -> Socket:
    """A ROUTER socket bound to an endpoint; InputError when the endpoint cannot be had.

    With `keys` only encrypted connections are taken; who may connect is the authenticator's affair.
    """
    socket = _socket(context, zmq.ROUTER, endpoint, waiting)
    socket.set(zmq.ROUTER_MANDATORY, 1)
    if keys is not None:
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, keys.secret)
    try:
        if monitored:
            socket.get_monitor_socket(_MONITORED)
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        close(socket, 0)
        why = _NOT_LISTENING.get(error.errno or 0, error.strerror)
        raise InputError(f"cannot listen on {endpoint}: {why}") from None
    return socket


def connect(
    context: Context,
    endpoint: str,
    keys: CurveKeys | None = None,
    *,
    reconnect: bool = True,
    monitored: bool = False,
    waiting: int = _WAITING,
) -> Socket:
    """A DEALER socket that connects to an endpoint; InputError when that is not an endpoint.

    `reconnect`: a lost or refused connection is tried again with growing pauses; otherwise this
    socket gets only one. `monitored`: ``link_events`` or a ``ConnectionMonitor`` tell what happens
    to it.
    """
    socket = _socket(context, zmq.DEALER, endpoint, waiting)
    socket.set(zmq.CONNECT_TIMEOUT, _CONNECT_MS)
    socket.set(zmq.RECONNECT_IVL, _RECONNECT_MS[0] if reconnect else -1)
    socket.set(zmq.RECONNECT_IVL_MAX, _RECONNECT_MS[1])
    if keys is not None:
        assert keys.server is not None
        socket.set(zmq.CURVE_SERVERKEY, keys.server)
        socket.set(zmq.CURVE_PUBLICKEY, keys.public)
        socket.set(zmq.CURVE_SECRETKEY, keys.secret)
    try:
        if monitored:
            socket.get_monitor_socket(_MONITORED)
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        close(socket, 0)
        raise InputError(f"cannot connect to {endpoint}: {error.strerror}") from None
    return socket


def close(socket: Socket, linger_ms: int = LINGER_MS) -> None:
    """Closes a socket, and what watches it; queued messages go on being sent for a while."""
    if socket.closed:
        return
    monitor = getattr(socket, "_monitor_socket", None)  # asking for it would make one
    if monitor is not None:
        socket.disable_monitor()
        monitor.close(0)
    socket.close(linger_ms)


def send(socket: Socket, message: Message, peer: bytes | None = None) -> bool:
    """Sends a message, on a ROUTER to a peer; False when the queue is full: try again later.

    Unreachable when the peer of a ROUTER is gone.
    """
    return send_encoded(socket, encode(message), peer)


def send_encoded(socket: Socket, buffers: Sequence[Any], peer: bytes | None = None) -> bool:
    """``send`` for a message that is encoded already."""
    frames = list(buffers) if peer is None else [peer, *buffers]
    last = len(frames) - 1
    try:
        for number, frame in enumerate(frames):
            small = memoryview(frame).nbytes <= _COPIED_BYTES
            socket.send(frame, _NOW_AND_MORE if number < last else _NOW, copy=small)
    except zmq.Again:
        return False
    except zmq.ZMQError as error:
        if error.errno == zmq.EHOSTUNREACH:
            raise Unreachable from None
        raise
    return True


def receive(
    socket: Socket, expected: frozenset[type[Message]], *, secured: bool = False
) -> Received | None:
    """The next message that waits, None when none does; `expected` are the kinds that may come.

    `secured`: they come encrypted.
    """
    try:
        frames = socket.recv_multipart(zmq.DONTWAIT, copy=False)
    except zmq.Again:
        return None
    peer, key, address = b"", "", ""
    if socket.type == zmq.ROUTER:
        peer = frames.pop(0).bytes
        key = _told(frames[0], "User-Id") if frames else ""
        address = _told(frames[0], "Peer-Address") if frames else ""
    sizes = [len(frame) for frame in frames]
    handle = _handle(frames[0]) if frames else -1
    try:
        buffers = [frame.buffer for frame in frames]
        message: Message | WireError = decode(buffers, expected | FROM_EITHER)
    except WireError as error:
        message = WireError(str(error))  # without the frames that its traceback would hold
    wire_bytes = _wire_bytes(sizes, secured=secured)
    return Received(peer, message, key, sum(sizes), handle, address, wire_bytes)


def _told(frame: zmq.Frame, what: str) -> str:
    """What ZeroMQ knows of a frame's origin, "" where it knows nothing."""
    try:
        return str(frame.get(what))
    except zmq.ZMQError:
        return ""


def _wire_bytes(sizes: list[int], *, secured: bool) -> int:
    """As how many bytes frames travel (ZMTP 3: a short or a long head; CURVE: a box around it)."""
    more = _BOX_BYTES if secured else 0
    return sum([size + more + (2 if size + more < 256 else 9) for size in sizes])


def _handle(frame: zmq.Frame) -> int:
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:  # it came from within this process
        return -1


def _socket(context: Context, kind: int, endpoint: str, waiting: int) -> Socket:
    socket = context.socket(kind)
    socket.set(zmq.LINGER, LINGER_MS)
    socket.set(zmq.SNDHWM, waiting)
    socket.set(zmq.RCVHWM, waiting)
    socket.set(zmq.MAXMSGSIZE, _FRAME_BYTES)
    socket.set(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    socket.set(zmq.IPV6, int("[" in endpoint))
    return socket


# ---- what becomes of a connection


class Link(enum.Enum):
    """What a monitored socket's connection went through."""

    UP = "connected"
    DOWN = "the connection ended"
    REFUSED = "the handshake failed: this side's key is not accepted"
    MISMATCH = "the handshake failed: the sides do not speak the same way"


_LINK_EVENTS: dict[int, Link] = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: Link.UP,
    zmq.EVENT_DISCONNECTED: Link.DOWN,
    zmq.EVENT_CLOSED: Link.DOWN,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: Link.REFUSED,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: Link.MISMATCH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: Link.MISMATCH,
}
_MONITORED = sum(_LINK_EVENTS) | zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED
EVENT = struct.Struct("=hi")
"""How an event is written: its number, and a value that is often a file descriptor."""


def link_of(event: int) -> Link | None:
    """What the number of an event means for a connection, if anything."""
    return _LINK_EVENTS.get(event)


def only_probed(event: int, value: int) -> bool:
    """Whether an event of a listening socket tells of a peer that went away without a word:
    it looked whether anybody is there (see ``reachability``), or was switched off."""
    return event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and value == errno.EPIPE


def link_events(socket: Socket) -> list[Link]:
    """What happened to a monitored socket's connection since the last time.

    ``socket.get_monitor_socket()`` is what to poll.
    """
    monitor = socket.get_monitor_socket()
    found: list[Link] = []
    while True:
        try:
            event, _ = monitor.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return found
        link = link_of(EVENT.unpack(event)[0])
        if link is not None:
            found.append(link)
