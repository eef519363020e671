"""Attackers of a coordinator: peers that may connect, strangers at its port, workers that cheat."""

from __future__ import annotations

import dataclasses
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

import numpy as np
import zmq

from ftdist.cluster.transport import CurveKeys, connect, make_context, send
from ftdist.geometry import Region
from ftdist.network.modelfile import Model
from ftdist.protocol.client_messages import Cancelled, Received, Status, StatusRequest, Submit
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import FROM_CLIENT, FROM_COORDINATOR, FROM_WORKER, Message
from ftdist.protocol.records import Piece, Place, TaskId
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Bye, ModelRequest, Refusal
from ftdist.protocol.wire import decode
from ftdist.protocol.worker_messages import (
    Assign,
    Failed,
    Heartbeat,
    Hello,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Result,
)
from support.cluster.channels import ChannelEnd
from support.command import GUARD_S
from support.integration.forge import Forge, Frames, Known
from support.integration.processes import PATIENCE_S
from support.integration.zmtp import assault, assaults, greeting, messages
from support.protocol.anymessage import frames_of

HELLO = Hello(PROTOCOL, "x", "1", 1 << 30, 1 << 20, 1 << 20, 1, "avx2", True, 1e12)

_EACH = 200
"""Messages that an attacker sends before another one takes its place."""

_AT_ONCE = 8


class Siege:
    """Attackers that may connect, several at a time, some of whom never listen."""

    def __init__(self, endpoint: str, forge: Forge, keys: CurveKeys | None = None) -> None:
        self._endpoint = endpoint
        self._frames = iter(forge)
        self._keys = keys
        self._context = make_context()
        self._sockets = [self._socket() for _ in range(_AT_ONCE)]
        self._left = [_EACH * (n + 1) // _AT_ONCE for n in range(_AT_ONCE)]
        self.sent = 0

    def __enter__(self) -> Siege:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(0)

    def send(self, count: int) -> None:
        """Sends so many messages; fails if the coordinator does not take them any more."""
        taken_s = time.monotonic()
        until = self.sent + count
        while self.sent < until:
            if sum([self._send_one(number) for number in range(_AT_ONCE)]):
                taken_s = time.monotonic()
            else:
                self._sockets[0].poll(1, zmq.POLLOUT)
            assert time.monotonic() - taken_s < PATIENCE_S, "nothing is taken any more"

    def _send_one(self, number: int) -> bool:
        attacker = self._sockets[number]
        if number % 2:
            _drain(attacker)
        if not attacker.poll(0, zmq.POLLOUT):
            return False
        attacker.send_multipart(next(self._frames), zmq.DONTWAIT)
        self.sent += 1
        self._left[number] -= 1
        if not self._left[number]:
            attacker.close(100)
            self._sockets[number], self._left[number] = self._socket(), _EACH
        return True

    def _socket(self) -> Any:
        return connect(self._context, self._endpoint, self._keys, waiting=4)


def _drain(attacker: Any) -> None:
    while attacker.poll(0):
        attacker.recv_multipart()


class Strangers:
    """Connections that speak no ZeroMQ, or only half of it; a context manager that closes them."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._assaults = assaults(random.Random(seed))
        self._open: list[socket.socket] = []

    def __enter__(self) -> Strangers:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            each.close()

    def assault(self, count: int) -> None:
        """So many short connections."""
        for _ in range(count):
            assault(self._port, next(self._assaults))

    def linger(self, count: int) -> None:
        """So many connections that say a part of a greeting, and stay."""
        for number in range(count):
            with suppress(ConnectionError):  # cut off: of those who say nothing few are borne
                made = socket.create_connection(("127.0.0.1", self._port), GUARD_S)
                self._open.append(made)
                made.sendall(greeting()[: number % 64])

    def dribble(self) -> int:
        """Each that is still open says one byte more; how many those are."""
        for each in list(self._open):
            try:
                each.send(b"\0")
            except OSError:
                self._open.remove(each)
                each.close()
        return len(self._open)


# ---- what was once said


def recorded(streams: list[bytearray]) -> list[Frames]:
    """The messages in some directions of connections, as frames."""
    return [frames for stream in streams for frames in messages(bytes(stream))]


def understood(frames: list[Frames]) -> Iterator[Message]:
    """Those of some messages that are any."""
    for each in frames:
        try:
            yield decode(each, FROM_WORKER | FROM_CLIENT | FROM_COORDINATOR)
        except WireError:
            continue


def known(said: list[Message], model: Model) -> Known:
    """The names in what was said."""
    jobs = {each.job for each in said if hasattr(each, "job")}
    tasks = {each.task for each in said if hasattr(each, "task")}
    labels = {each.job for each in tasks if isinstance(each, TaskId)}
    names = tuple(sorted(jobs)) or ("job",), tuple(sorted(labels)) or ("job-1.0",)
    digests = (model.digest, *(blob.digest for blob in model.blobs.values()))
    return Known(*names, digests, len(model.network.layers))


def usual(model: Model) -> list[Frames]:
    """What an honest worker might say, and an honest client."""
    task = TaskId("job-1.0", 0, 0, 0, 0)
    layers = tuple(sorted(model.blobs))
    return [
        frames_of(each)
        for each in (
            HELLO,
            ProbeReply(0, 1.0),
            ProbeReply(1, 2.0),
            Ready(model.digest, layers),
            ModelRequest(model.digest, -1, 0, 4096),
            _result(task),
            Failed(task, "error", "no", 0),
            Heartbeat(1, 0, 1 << 20, 1 << 20),
            Bye("the end"),
            Submit(PROTOCOL, "job", 3, False, ((0, 1),)),
            Received("job", 0),
            Cancelled("job"),
            StatusRequest(PROTOCOL),
        )
    ]


# ---- a worker that cheats


class FalseWorker:
    """Joins as a worker, says that it has all weights, and answers each task by a trick."""

    def __init__(self, endpoint: str, trick: str, keys: CurveKeys | None = None) -> None:
        self._trick = TRICKS[trick]
        self._context = make_context()
        self._socket = connect(self._context, endpoint, keys)
        self._talk = ChannelEnd(self._socket, FROM_COORDINATOR)
        self.cheated = 0
        self.refused = ""
        self._asked = self._heard_out = False
        send(self._socket, dataclasses.replace(HELLO, name=f"false, {trick}"))

    def __enter__(self) -> FalseWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._context.destroy(0)

    def work(self, until_s: float) -> None:
        """Plays its part until it is sent away, or for so long."""
        while not self.refused and time.monotonic() < until_s:
            send(self._socket, Heartbeat(time.monotonic_ns(), 1, 1 << 50, 1 << 50))
            self._socket.poll(20)
            received = self._talk.receive()
            match received and received.message:
                case Probe() as probe:
                    send(self._socket, ProbeReply(probe.number, time.monotonic()))
                case Prepare() as prepare:
                    send(self._socket, Ready(prepare.model, prepare.layers))
                case Assign() as assign:
                    self.cheated += 1
                    for message in self._trick(assign):
                        self._send(message)
                case Refusal() as refusal:
                    self.refused = refusal.reason
                case Status():
                    self._heard_out = True

    def heard_out(self) -> bool:
        """Whether the coordinator has read all that was said before this was first asked."""
        if not self._asked:
            self._send(StatusRequest(PROTOCOL))
            self._asked = True
        return self._heard_out

    def _send(self, message: Message) -> None:
        """Sends a message, when the coordinator takes it."""
        assert self._socket.poll(int(PATIENCE_S * 1e3), zmq.POLLOUT), "nothing is taken any more"
        self._talk.send(message)


def _thin(assign: Assign) -> Piece:
    """Values of too few channels, for some place that was asked for."""
    places = assign.returns or (Place(0, Region(0, 1, 0, 1)),)
    source, (top, bottom, left, right) = places[0].source, places[0].region
    return Piece(source, places[0].region, np.zeros((bottom - top, right - left, 1), np.float32))


def _beside(assign: Assign) -> Piece:
    """Values of a region one row lower."""
    piece = _thin(assign)
    top, bottom, left, right = piece.region
    return dataclasses.replace(piece, region=Region(top + 1, bottom + 1, left, right))


TRICKS: dict[str, Callable[[Assign], list[Message]]] = {
    "too few channels": lambda a: [_result(a.task, _thin(a))],
    "another type": lambda a: [
        _result(a.task, dataclasses.replace(_thin(a), data=_thin(a).data.astype(np.uint8)))
    ],
    "another region": lambda a: [_result(a.task, _beside(a))],
    "another map": lambda a: [
        _result(a.task, dataclasses.replace(_thin(a), source=_thin(a).source + 1))
    ],
    "nothing": lambda a: [_result(a.task)],
    "never whole": lambda a: [*[_result(a.task, more=True)] * 200, _result(a.task, _thin(a))],
    "another attempt": lambda a: [
        _result(dataclasses.replace(a.task, attempt=a.task.attempt + 1), _thin(a)),
        _result(a.task, _thin(a)),
    ],
    "kept nothing": lambda a: [Failed(a.task, "kept", "gone", 0), _result(a.task, _thin(a))],
    "no memory": lambda a: [Failed(a.task, "memory", "full", 1 << 50), _result(a.task, _thin(a))],
    "no answer": lambda a: [],
}
"""What a false worker answers to a task, by name."""


def _result(task: TaskId, *pieces: Piece, more: bool = False) -> Result:
    return Result(task, more, pieces, -1e12, 1e12, 1e12, 1 << 50)
