"""ZeroMQ's protocol on a plain TCP socket, as far as it takes to break it, and to read what passes.

Source: ZMTP 3.1 (rfc.zeromq.org/spec/37): a greeting of 64 bytes, a READY command, then frames of
flags (1 more, 2 a size of eight bytes, 4 a command), size and body.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress

import zmq

from support.command import GUARD_S

MORE, LONG, COMMAND = 1, 2, 4
_GREETING = 64


def greeting(mechanism: bytes = b"NULL") -> bytes:
    """What each side says first."""
    return b"\xff" + bytes(8) + b"\x7f\x03\x01" + mechanism.ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    """One frame."""
    if len(body) < 256 and not flags & LONG:
        return bytes([flags, len(body)]) + body
    return struct.pack(">BQ", flags | LONG, len(body)) + body


def command(name: bytes, body: bytes) -> bytes:
    """One command."""
    return frame(bytes([len(name)]) + name + body, COMMAND)


def metadata(name: bytes, value: bytes) -> bytes:
    """One property."""
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def ready(kind: bytes = b"DEALER") -> bytes:
    """The handshake without encryption."""
    return command(b"READY", metadata(b"Socket-Type", kind))


def send_endless(peer: zmq.Socket[bytes]) -> None:
    """A message of a quarter of a gigabyte, in parts, for as long as they are taken."""
    part = bytes(64 << 10)
    for _ in range(4000):
        peer.send(part, zmq.SNDMORE, copy=False)
    peer.send(b"", copy=False)


def messages(stream: bytes) -> Iterator[list[bytes]]:
    """The whole messages in one direction of a connection without encryption."""
    at, parts = _GREETING, []
    while at + 2 <= len(stream):
        flags = stream[at]
        head = 9 if flags & LONG else 2
        if at + head > len(stream):
            return
        size = struct.unpack_from(">Q", stream, at + 1)[0] if flags & LONG else stream[at + 1]
        body = stream[at + head : at + head + size]
        at += head + size
        if flags & COMMAND or len(body) < size:
            continue
        parts.append(body)
        if not flags & MORE:
            yield parts
            parts = []


def assaults(rng: random.Random) -> Iterator[bytes]:
    """What a connection may begin with that no peer of ours ever says; endless."""
    hello = greeting() + ready()
    huge = struct.pack(">BQ", LONG, 1 << 62)
    while True:
        noise = rng.randbytes(rng.randrange(1, 2000))
        yield rng.choice(
            [
                noise,
                greeting()[: rng.randrange(_GREETING)],
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise,
                b"\x01\x00",  # the first version of ZeroMQ's protocol
                greeting(rng.choice([b"PLAIN", b"CURVE", b"GSSAPI", b"x" * 20])) + noise,
                greeting() + noise,
                greeting() + ready(rng.choice([b"ROUTER", b"PUB", b"", b"x" * 300])),
                greeting() + command(b"READY", noise),
                greeting() + command(b"READY", metadata(b"Socket-Type", b"DEALER") * 500),
                greeting() + command(b"ERROR", noise[:200]),
                greeting() + command(b"x" * 255, b""),
                hello + hello,
                hello + huge,
                hello + struct.pack(">BQ", LONG, (16 << 20) + 1) + noise,
                hello + struct.pack(">BQ", LONG | COMMAND, 1 << 62),
                hello + command(b"PING", struct.pack(">H", 1) + noise[:16]),
                hello + command(b"PONG", noise[:200]),
                hello + command(b"SUBSCRIBE", noise[:200]),
                hello + frame(noise, MORE) * 50,
                hello + b"\xff" + noise,
                hello + frame(b"") * 100,
                hello + frame(noise) * 3,
            ]
        )


def assault(port: int, what: bytes) -> None:
    """Opens a connection, says something, and leaves without a word; it may be cut off before."""
    with (
        suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", port), GUARD_S) as connection,
    ):
        connection.sendall(what)


class Babbler:
    """Listens, gives each connection one of some answers, and ends it; a context manager."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(GUARD_S)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._babble, daemon=True)
        self._thread.start()

    def __enter__(self) -> Babbler:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def wait(self) -> None:
        """Until all answers were given."""
        self._thread.join(GUARD_S)
        assert not self._thread.is_alive(), "nobody wants an answer"

    def _babble(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection, suppress(OSError):
                connection.settimeout(GUARD_S)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):  # until the other side has had enough
                    pass
