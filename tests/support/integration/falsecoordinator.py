"""A coordinator that lies to a worker: forged messages by the thousand, rarely a real task.

After everything that it did to the worker, one thing must hold: it is alive, within its memory, and
an honest task gives the right bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import zmq

from ftdist.cluster.channel import Channel
from ftdist.cluster.server.model_reader import ModelReader, header_bytes
from ftdist.cluster.transport import CurveKeys, Received, Unreachable, receive, send_encoded
from ftdist.network.modelfile import Model
from ftdist.protocol.limits import FRAME_BYTES, PROTOCOL
from ftdist.protocol.messages import FROM_WORKER, Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Drain, ModelRequest, Refusal, Taken
from ftdist.protocol.wire import encode
from ftdist.protocol.worker_messages import (
    Failed,
    Hello,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Result,
    Welcome,
)
from support.cluster.scriptedcoordinator import ScriptedCoordinator, joined, task_id, whole_task
from support.integration.forge import Forge, Known
from support.integration.processes import PATIENCE_S
from support.integration.zmtp import send_endless

_BEAT_S, _LOST_AFTER_S = 0.2, PATIENCE_S
_BATCH = 50

_ENDINGS: tuple[Message, ...] = (
    Refusal("go", final=False),
    Drain("later"),
    Prepare("0f" * 16, 1, (1, 2)),
    Prepare("0f" * 16, 0, ()),
)
"""What ends a session, or may end it; the worker is back after a pause."""


class FalseCoordinator:
    """Lies to the worker that connects to `endpoint`; a context manager."""

    def __init__(self, model: Model, seed: int, keys: CurveKeys | None = None) -> None:
        digests = (model.digest, *(blob.digest for blob in model.blobs.values()))
        known = Known(("job",), ("job",), digests, len(model.network.layers))
        self._script = ScriptedCoordinator(model, keys=keys)
        self._socket = self._script.socket
        self._model = model
        self._reader = ModelReader(model)
        self._lies = iter(Forge(seed, known, spared=(Refusal, Drain, Prepare)))
        self._endings = cycle(_ENDINGS)
        self._channels: dict[bytes, Channel] = {}
        self._probes = 0
        self.endpoint = self._script.endpoint
        self.hellos = 0

    def __enter__(self) -> FalseCoordinator:
        return self

    def __exit__(self, *_: object) -> None:
        self._script.close()

    def honest(self, image: np.ndarray, expected: np.ndarray) -> bool:
        """Gives the worker an honest task; whether the result has the right bits."""
        self.settle()
        layers = tuple(sorted(self._model.blobs))
        self._send(Prepare(self._model.digest, header_bytes(self._model), layers))
        self._await(lambda m: isinstance(m, Ready) and m.model == self._model.digest)
        self._probes += 1
        task = task_id(frame=self._probes)
        self._send(whole_task(self._model, image, task))
        parts: list[Result] = []
        while not parts or parts[-1].more:
            found = self._await(lambda m: isinstance(m, Result | Failed) and m.task == task)
            assert isinstance(found, Result), found
            parts.append(found)
        source = self._model.network.source(len(self._model.network.layers) - 1)
        return joined(parts, self._model, source).tobytes() == expected.tobytes()

    def lie(self, count: int, endings: int) -> None:
        """Sends so many forged messages, some of which end the session."""
        each = max(2, count // max(1, endings))
        for number in range(count):
            if number % _BATCH == 0:
                self.settle()
            if number % each == each - 1:
                self._send(next(self._endings))
                self.settle()
            else:
                self._post(next(self._lies))
        self.settle()

    def flood(self) -> None:
        """A message without an end."""
        peer = self._script.peer
        assert peer is not None
        self._socket.send(peer, zmq.SNDMORE)
        send_endless(self._socket)

    def settle(self) -> None:
        """Waits until the worker has read everything, and belongs to the cluster."""
        hellos = -1
        while hellos != self.hellos:
            hellos = self.hellos
            self._probes = number = self._probes + 1
            if hellos:
                self._send(Probe(number, np.zeros(0, np.uint8)))
            self._await(partial(_answers, number))

    def _await(self, wanted: Callable[[Message], bool]) -> Message:
        """The next message of a sort; what else comes is answered as it should be."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            left_s = until_s - time.monotonic()
            assert left_s > 0 and self._socket.poll(int(left_s * 1e3)), "the worker is silent"
            message = self._take()
            if message is not None and wanted(message):
                return message

    def _take(self) -> Message | None:
        """One message, with its answer if it wants one."""
        received = receive(self._socket, FROM_WORKER)
        assert received is not None and not isinstance(received.message, WireError), received
        message = self._whole(received)
        if isinstance(message, Hello):
            self._script.peer = received.peer
            self.hellos += 1
            self._send(Welcome(PROTOCOL, 1, _BEAT_S, _LOST_AFTER_S))
        elif received.peer != self._script.peer:
            return None
        elif isinstance(message, ModelRequest) and not self._reader.flaw(message):
            self._send(self._reader.chunk(message))
        return message

    def _whole(self, received: Received) -> Message | None:
        """The message that is whole now; what came of it is acknowledged as it should be."""
        peer, message, now_s = received.peer, received.message, time.monotonic()
        assert not isinstance(message, WireError), message
        if isinstance(message, Taken):  # of lies, which were not counted
            return message
        made = Channel(FROM_WORKER, FRAME_BYTES)
        channel = self._channels.setdefault(peer, made)
        whole = channel.take(message, received.bytes, now_s)
        with suppress(Unreachable):
            channel.flush(partial(send_encoded, self._socket, peer=peer), now_s)
        assert not isinstance(whole, WireError), whole
        return whole

    def _send(self, message: Message) -> None:
        self._post(encode(message))

    def _post(self, frames: list[Any]) -> None:
        """Sends what it may be; the worker must take it sooner or later."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                if send_encoded(self._socket, frames, self._script.peer):
                    return
            except Unreachable:
                return
            assert time.monotonic() < until_s, "the worker takes nothing any more"
            if self._socket.poll(1):
                self._take()


def _answers(number: int, message: Message) -> bool:
    """Whether a message answers the probe of a number; or the worker begins anew."""
    reply = isinstance(message, ProbeReply) and message.number == number
    return reply or isinstance(message, Hello)
