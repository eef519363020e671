"""A coordinator made of a socket and a script: tests say what it sends and what they expect."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import zmq

from ftdist.cluster.server.model_reader import ModelReader, header_bytes
from ftdist.cluster.transport import CurveKeys, Received, bind, close, make_context
from ftdist.geometry import Region
from ftdist.network.modelfile import Model
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import FROM_WORKER, Message
from ftdist.protocol.records import Group, Piece, Place, TaskId
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import ModelChunk, ModelRequest
from ftdist.protocol.worker_messages import (
    Assign,
    Heartbeat,
    Hello,
    Prepare,
    Ready,
    Result,
    Welcome,
)
from support.cluster.channels import ChannelEnd
from support.command import GUARD_S

PATIENCE_S = GUARD_S
M = TypeVar("M")


def chunk(model: Model, request: ModelRequest) -> ModelChunk:
    """The honest answer to a request."""
    reader = ModelReader(model)
    assert reader.flaw(request) == ""
    return reader.chunk(request)


class ScriptedCoordinator:
    """A ROUTER at `endpoint`; `peer` is who spoke last. It has a model, and answers requests."""

    def __init__(
        self,
        model: Model | None = None,
        endpoint: str = "tcp://127.0.0.1:*",
        keys: CurveKeys | None = None,
        context: zmq.Context[Any] | None = None,
    ) -> None:
        self.model = model
        self.context = context or make_context()
        self._own_context = context is None
        self.socket = bind(self.context, endpoint, keys)
        self.talk = ChannelEnd(self.socket, FROM_WORKER)
        self.endpoint = self.socket.get_string(zmq.LAST_ENDPOINT)
        self.peer = b""
        self.requests: list[ModelRequest] = []
        self.beats: list[Heartbeat] = []

    def __enter__(self) -> ScriptedCoordinator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        close(self.socket, 0)
        if self._own_context:
            self.context.destroy(0)

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.talk.send(message, self.peer)

    def send_raw(self, *frames: bytes) -> None:
        self.socket.send_multipart([self.peer, *frames])

    def receive(self, timeout_s: float = PATIENCE_S) -> Received:
        """The next message, whatever it is."""
        until_s = time.monotonic() + timeout_s
        while (received := self.talk.receive()) is None:
            left_ms = int(max(0.0, until_s - time.monotonic()) * 1e3)
            assert self.socket.poll(left_ms), f"nothing came within {timeout_s} s"
        self.peer = received.peer
        return received

    def take(self, kind: type[M]) -> M:
        """The next message of a kind; before it may come heartbeats, and requests, answered."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            message = self.receive(until_s - time.monotonic()).message
            if isinstance(message, ModelRequest):
                self.requests.append(message)
                if self.model is not None:
                    self.send(chunk(self.model, message))
            if isinstance(message, Heartbeat):
                self.beats.append(message)
            if isinstance(message, kind):
                return message
            assert isinstance(message, ModelRequest | Heartbeat), message
            assert not isinstance(message, WireError)

    def welcome(self, heartbeat_s: float = 0.2, lost_after_s: float = PATIENCE_S) -> Hello:
        """Takes a Hello and welcomes the worker."""
        hello = self.take(Hello)
        self.send(Welcome(PROTOCOL, 1, heartbeat_s, lost_after_s))
        return hello

    def prepare(self, *layers: int) -> Ready:
        """Has the worker get layers (all, when none are named)."""
        assert self.model is not None
        wanted = layers or tuple(range(len(self.model.network.layers)))
        self.send(Prepare(self.model.digest, header_bytes(self.model), wanted))
        return self.take(Ready)

    def whole_result(self) -> list[Result]:
        """All parts of the next result."""
        parts = [self.take(Result)]
        while parts[-1].more:
            parts.append(self.take(Result))
        return parts


def task_id(tile: int = 0, frame: int = 0, stage: int = 0, attempt: int = 0) -> TaskId:
    return TaskId("job", frame, stage, tile, attempt)


def whole(model: Model, source: int) -> Region:
    """The region that is a whole map."""
    height, width, _ = model.network.shape(source)
    return Region(0, height, 0, width)


def assignment(
    model: Model, task: TaskId, groups: tuple[Group, ...], region: Region, **more: Any
) -> Assign:
    """An Assign without inputs or returns, but for what `more` names."""
    fields: dict[str, Any] = {
        "threads": 1,
        "pieces": (),
        "kept": (),
        "returns": (),
        "keep": False,
    } | more
    return Assign(task, model.digest, groups, region, **fields)


def whole_task(model: Model, image: np.ndarray, task: TaskId | None = None) -> Assign:
    """The whole network as one task that returns its last output."""
    last = len(model.network.layers) - 1
    groups = (Group(0, last + 1, 1, 1, 0, False),)
    source = model.network.source(last)
    return assignment(
        model,
        task or task_id(),
        groups,
        whole(model, source),
        pieces=(Piece(-1, whole(model, -1), image),),
        returns=(Place(source, whole(model, source)),),
    )


def joined(parts: list[Result], model: Model, source: int) -> np.ndarray:
    """A whole map from the pieces of a result."""
    found = np.full(model.network.shape(source), np.nan, np.float32)
    for piece in pieces_of(parts):
        assert piece.source == source
        top, bottom, left, right = piece.region
        found[top:bottom, left:right] = piece.data
    return found


def pieces_of(parts: list[Result]) -> Iterator[Piece]:
    for part in parts:
        yield from part.pieces
