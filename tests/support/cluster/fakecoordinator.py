"""A coordinator without workers, in a thread: it answers frames itself, and fails as it is told to.

Results are the input's sums, cut to the outputs' shapes: whoever gets one knows which frame it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import zmq

from ftdist.cluster.client.frames import output_maps
from ftdist.cluster.process import StopRequest
from ftdist.cluster.server.model_reader import ModelReader, header_bytes
from ftdist.cluster.transport import (
    Context,
    CurveKeys,
    Unreachable,
    bind,
    close,
    make_context,
)
from ftdist.geometry import Region
from ftdist.network.modelfile import Model
from ftdist.protocol.client_messages import (
    Accepted,
    FrameInput,
    JobResult,
    JobStatus,
    Received,
    Status,
    StatusRequest,
    Submit,
    WantFrame,
)
from ftdist.protocol.messages import FROM_CLIENT, Message
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import Beat, ModelRequest
from support.cluster.channels import ChannelEnd

Answer = Callable[[Message], list[Message] | None]


class FakeCoordinator:
    """Runner from ``start`` to ``stop``, any number of times, on the same port.

    `before(message)` may answer instead of it: a list of messages, or None to go on as usual.
    `heard` are the kinds and frames of what came.
    """

    def __init__(self, model: Model, before: Answer = lambda _: None) -> None:
        self.model = model
        self.before = before
        self.heard: list[Message] = []
        self.computed: list[int] = []
        self.jobs: list[JobStatus] = []
        self.endpoint = "tcp://127.0.0.1:*"
        self.keys: CurveKeys | None = None
        self._context: Context | None = None

    def start(self) -> None:
        self.jobs = []
        self._context = make_context()
        self._socket = bind(self._context, self.endpoint, self.keys)
        self.endpoint = self._socket.get_string(zmq.LAST_ENDPOINT)
        self._stop = StopRequest()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        """As if killed: what was queued is not sent."""
        if self._context is not None:
            self._stop.request()
            self._thread.join()
            close(self._socket, 0)
            self._context.term()
            self._context = None

    def _serve(self) -> None:
        talk = ChannelEnd(self._socket, FROM_CLIENT)
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._stop, zmq.POLLIN)
        while not self._stop.requested:
            poller.poll()
            while not self._stop.requested:
                received = talk.receive()
                if received is None:
                    break
                assert not isinstance(received.message, Exception), received.message
                self.heard.append(received.message)
                for answer in self._answers(received.message):
                    with suppress(Unreachable):
                        talk.send(answer, received.peer)

    def _answers(self, message: Message) -> list[Message]:
        instead = self.before(message)
        if instead is not None:
            return instead
        network = self.model.network
        match message:
            case Submit():
                done = {n for start, stop in message.done for n in range(start, stop)}
                wanted = tuple(n for n in range(message.frames) if n not in done)
                accepted = Accepted(
                    message.job,
                    self.model.digest,
                    header_bytes(self.model),
                    (network.input.height, network.input.width, network.input.channels),
                    output_maps(network),
                )
                self.jobs = [JobStatus(message.job, 0, message.frames, 0.0, 0, 0, "", "", "")]
                return [accepted, WantFrame(message.job, wanted)]
            case ModelRequest():
                return [ModelReader(self.model).chunk(message)]
            case FrameInput() if not message.more:
                self.computed.append(message.frame)
                return [JobResult(message.job, message.frame, False, self._pieces(message), 0.25)]
            case StatusRequest():
                return [Status(network.name, "no plan", (), tuple(self.jobs), 0), Beat()]
            case _:
                return []

    def _pieces(self, message: FrameInput) -> tuple[Piece, ...]:
        total = expected(message.pieces[0].data)
        return tuple(
            Piece(
                each.source,
                Region(0, each.height, 0, each.width),
                np.full((each.height, each.width, each.channels), total, np.float32),
            )
            for each in output_maps(self.model.network)
        )

    def received(self) -> list[int]:
        """The frames whose results the client says it has."""
        return [each.frame for each in self.heard if isinstance(each, Received)]


def expected(interleaved: np.ndarray) -> np.float32:
    """What every value of a result is, for an input of (rows, columns, channels)."""
    return np.float32(interleaved.astype(np.float64).sum() % 1000)
