"""One connection of a worker: the loop between its socket, its session and what computes.

Nothing here waits for a peer: what cannot be sent yet stays in the connection's queue. A peer that
reads none of its answers is given up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from functools import partial

import zmq

from ftdist.cluster.channel import Channel, Frames
from ftdist.cluster.connection_monitor import ConnectionMonitor
from ftdist.cluster.process import StopRequest
from ftdist.cluster.transport import Link, Received, Socket, receive, send_encoded
from ftdist.cluster.worker.compute_thread import ComputeThread
from ftdist.cluster.worker.session import Ending, Session
from ftdist.protocol.messages import FROM_COORDINATOR, Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Bye
from ftdist.protocol.wire import encode
from ftdist.protocol.worker_messages import Failed, Hello, Ready, Result
from ftdist.wording import counted

_MOST_UNSENT = 4096
_BATCH = 32
_RETRY_S = 0.01
_DRAIN_S = 5.0
_FAREWELL_S = 2.0
_LOOK_AGAIN_S = 0.1

Tell = Callable[[str], None]


class WorkerConnection:
    """Speaks for a worker on one socket, from its Hello until the session ends.

    Messages that come may be of `most_bytes`.
    """

    def __init__(
        self,
        socket: Socket,
        session: Session,
        computing: ComputeThread,
        stop: StopRequest,
        tell: Tell,
        *,
        monitored: bool,
        secured: bool,
        most_bytes: int,
    ) -> None:
        self._channel = Channel(FROM_COORDINATOR, most_bytes, plain=not monitored)
        self._send = partial(send_encoded, socket)
        self._full = False
        self._socket = socket
        self._session = session
        self._compute = computing
        self._stop = stop
        self._tell = tell
        self._secured = secured
        self._poller = zmq.Poller()
        self._poller.register(computing.woken, zmq.POLLIN)
        self._poller.register(stop, zmq.POLLIN)
        self._monitor = ConnectionMonitor(socket) if monitored else None
        self._news = -1 if self._monitor is None else self._monitor.woken.fileno()
        if self._monitor is not None:
            self._poller.register(self._monitor.woken, zmq.POLLIN)
        self._poller.register(socket, zmq.POLLIN)
        self._ready: dict[object, int] = {}

    def run(self, hello: Hello) -> Ending:
        """Speaks until the session ends or the worker is told to stop."""
        self._post([hello])
        while self._session.ending is None:
            self._wait(self._session.next_s(time.monotonic()))
            if self._stop.requested:
                return self._leave()
            self._turn()
        return self._session.ending

    def farewell(self, reason: str) -> None:
        """Says that the worker leaves, and why."""
        self._post([Bye(reason)])
        left_bytes, until_s = self._channel.waiting_bytes, time.monotonic() + _FAREWELL_S
        while self._channel.count and not self._is_down() and time.monotonic() < until_s:
            self._socket.poll(int(_LOOK_AGAIN_S * 1e3))
            self._read()
            self._flush()
            if self._channel.waiting_bytes < left_bytes:  # slowly, but it is being taken
                left_bytes = self._channel.waiting_bytes
                until_s = time.monotonic() + _FAREWELL_S

    def _leave(self) -> Ending:
        """Lets the task that runs come to its end if that is soon, sends its result, and leaves."""
        self._session.leaving = True
        self._tell(f"stopping: {self._stop.why or 'asked to'}")
        self._compute.drop_waiting()
        if self._compute.count:
            self._tell("finishes the task that it is computing first")
        self._poller.unregister(self._stop)
        until_s = time.monotonic() + _DRAIN_S
        while self._compute.count and self._session.ending is None:
            if self._stop.count > 1 or time.monotonic() > until_s:
                break
            self._wait(time.monotonic() + _LOOK_AGAIN_S)
            self._turn()
        self._post(self._session.tick(time.monotonic()))
        self.farewell("it was told to stop")
        return Ending("it was told to stop")

    def _wait(self, until_s: float) -> None:
        """Until there is something to do, at the latest at a time of the clock."""
        until_s = min(until_s, self._channel.opens_s)
        if self._full:
            until_s = min(until_s, time.monotonic() + _RETRY_S)
        self._ready = dict(self._poller.poll(math.ceil(max(0.0, until_s - time.monotonic()) * 1e3)))

    def _turn(self) -> None:
        if self._socket in self._ready or self._news in self._ready:
            self._read()
        if self._session.ending is None:
            self._post(self._session.tick(time.monotonic()))
        self._flush()

    def _read(self) -> None:
        """Takes what came; looks at the link only when all that came before its end was read."""
        for _ in range(_BATCH):
            if self._session.ending is not None:
                return
            received = receive(self._socket, FROM_COORDINATOR, secured=self._secured)
            if received is None:
                if self._monitor is not None:
                    self._monitor.drained()
                if self._news in self._ready:
                    self._look_at_link()
                return
            self._take(received)

    def _take(self, received: Received) -> None:
        now_s, found = time.monotonic(), received.message
        if self._monitor is not None:
            self._monitor.delivered(received.handle, received.wire_bytes, "")
        self._session.hear(now_s)
        message: Message | WireError | None = found
        if not isinstance(found, WireError):
            message = self._channel.take(found, received.bytes, now_s)
        if message is None:
            return
        if isinstance(message, WireError):
            if not self._session.odd:
                self._tell(f"ignored a message that makes no sense: {message}")
            self._session.odd += 1
            return
        welcomed = self._session.welcome is not None
        self._post(self._session.handle(message, now_s))
        if self._session.welcome is not None and not welcomed:
            self._tell(f"joined the cluster as worker {self._session.welcome.worker}")

    def _look_at_link(self) -> None:
        if self._monitor is None:
            return
        for line in self._monitor.words():
            self._tell(line)
        for link in self._monitor.links():
            if link is not Link.UP and self._session.ending is None:
                self._session.ending = Ending(link.value)

    def close(self) -> None:
        """Stops watching the connection."""
        if self._monitor is not None:
            self._monitor.close()

    def _is_down(self) -> bool:
        """Whether nothing that is sent can arrive any more."""
        self._look_at_link()
        return self._session.ending is not None

    def _post(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if isinstance(message, Ready):
                self._tell(f"has the weights of {counted(len(message.layers), 'layer')}")
            if isinstance(message, Result):  # copied, if at all, when its turn comes
                self._channel.post_later(partial(_encoded, message))
            else:
                self._channel.post(message)
        self._flush()

    def _flush(self) -> None:
        self._full = not self._channel.flush(self._send, time.monotonic())
        if self._channel.count > _MOST_UNSENT and self._session.ending is None:
            self._session.ending = Ending("the coordinator takes nothing of what it is sent")


def _encoded(message: Result) -> Frames:
    try:
        return encode(message)
    except ValueError as error:
        return encode(Failed(message.task, "error", f"a result that cannot be sent: {error}", 0))
