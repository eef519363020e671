"""The client's side of a connection: an exchange of messages, gone on with whatever happens to it.

Whatever happens to the coordinator, the client comes back: when the connection ends, when nothing
has come for a while (it asks for signs of life), when the coordinator says to come back later. The
exchange then begins again with what it has. Only the first contact has to succeed soon: who types a
wrong address is told.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from functools import partial

import zmq

from ftdist.cluster.backoff import Backoff
from ftdist.cluster.channel import Channel
from ftdist.cluster.client.exchange import Exchange, Patience
from ftdist.cluster.endpoints import connecting
from ftdist.cluster.reachability import Problem, connection_problem, name_problem
from ftdist.cluster.transport import (
    Context,
    CurveKeys,
    Link,
    Socket,
    close,
    connect,
    link_events,
    make_context,
    receive,
    send_encoded,
)
from ftdist.errors import FtdistError, InputError
from ftdist.protocol.client_messages import Status, StatusRequest
from ftdist.protocol.limits import FRAME_BYTES, PROTOCOL
from ftdist.protocol.messages import FROM_COORDINATOR, Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Drain, Refusal
from ftdist.protocol.wire import encode

_RETRY_MS = 10
_TRIES = 3
"""Handshakes that may fail for no clear reason before it is not tried again."""


class _Lost(Exception):
    """The connection is of no use any more; another may be."""


class _NoHandshake(_Lost):
    """Who listens there broke off before either side had said anything."""


def _left_ms(end_s: float) -> int:
    return max(0, round(1000 * (end_s - time.monotonic())))


def _channel() -> Channel:
    return Channel(FROM_COORDINATOR, FRAME_BYTES)


class CoordinatorConnection:
    """The connection to the coordinator at an endpoint, made again as often as it is lost.

    `say` is told, in a line each, what goes wrong meanwhile. `heard_s`: when something last came.
    """

    def __init__(
        self,
        endpoint: str,
        keys: CurveKeys | None = None,
        *,
        patience: Patience,
        say: Callable[[str], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._endpoint = endpoint
        self._keys = keys
        self._patience = patience
        self._say = say
        self._backoff = Backoff(chance)
        self._context: Context = make_context()
        self._socket: Socket | None = None
        self._channel = _channel()
        self._failed_handshakes = 0
        self._told = ""
        self._heard = self._met = False  # on this connection, on any
        self.heard_s = time.monotonic()

    def close(self) -> None:
        """Ends the connection; what was queued is still sent, if it goes quickly."""
        self._disconnect()
        self._context.term()

    def run(self, exchange: Exchange, limit_s: Callable[[], float]) -> Iterator[None]:
        """Goes through an exchange to its end; after each message that came its owner gets a turn.

        A lost connection is tried again with growing pauses, up to a time; then FtdistError.
        """
        while True:
            try:
                self._connect()
                exchange.begin()
                yield from self._converse(exchange)
                return
            except _Lost as lost:
                self._disconnect()
                if exchange.complete:
                    return
                found = None if self._heard else connection_problem(connecting(self._endpoint))
                if isinstance(lost, _NoHandshake):
                    self._count_handshake(found)
                words = f"{self._endpoint}: {found.text if found else lost}"
                if found and found.lasting and not self._met:
                    raise InputError(words) from None
                pause = self._backoff.next_s()
                if time.monotonic() + pause > limit_s():
                    raise FtdistError(
                        words if found else f"{words}; is a coordinator there?"
                    ) from None
                self._tell(f"{words}; trying again")
                time.sleep(pause)

    def last_word(self, message: Message) -> None:
        """Sends a message if it can be sent at once."""
        if self._socket is not None:
            send_encoded(self._socket, encode(message))

    def leave(self, message: Message) -> None:
        """Sends a last word while results may still be coming, and waits until it has been read.

        A connection that is closed with something unread in it may lose what it had yet to send.
        """
        self._until_read(message, StatusRequest(PROTOCOL))

    def settle(self) -> None:
        """Waits until what was sent has been read, as before the last word of who has all."""
        self._until_read(StatusRequest(PROTOCOL))

    def _until_read(self, *last: Message) -> None:
        """Sends messages, the last of which is answered at once, and waits for the answer."""
        socket = self._socket
        if socket is None:
            return
        end_s = time.monotonic() + self._patience.leave_s
        for each in last:
            while not send_encoded(socket, encode(each)):
                if not socket.poll(_left_ms(end_s), zmq.POLLOUT):
                    return
        while socket.poll(_left_ms(end_s)):
            received = receive(socket, FROM_COORDINATOR)
            if received is not None and isinstance(received.message, Status):
                return

    def _converse(self, exchange: Exchange) -> Iterator[None]:
        """Sends and receives until it is finished; _Lost when the other side is gone or silent."""
        socket = self._socket
        assert socket is not None
        poller = zmq.Poller()
        poller.register(socket.get_monitor_socket(), zmq.POLLIN)
        poller.register(socket, zmq.POLLIN)
        channel = self._channel
        heard_at = asked_at = time.monotonic()
        while True:
            while not channel.count and (message := exchange.next_message()) is not None:
                channel.post(message)
                self._flush(socket)
            full = not self._flush(socket)
            if exchange.finished and not channel.count:
                return
            opens_ms = 1000 * (channel.opens_s - time.monotonic())
            wait_ms = min(self._patience.ask_s * 500, max(1, opens_ms))
            poller.poll(_RETRY_MS if full else int(wait_ms))
            now = time.monotonic()
            if self._receive(socket, exchange):
                heard_at = now
                yield
            elif now - heard_at > self._patience.silence_s:
                raise _Lost("the coordinator is silent")
            elif now - max(heard_at, asked_at) > self._patience.ask_s:
                asked_at = now
                channel.post(StatusRequest(PROTOCOL))
            try:
                self._look_after(socket)
            except _Lost:
                while self._receive(socket, exchange):  # what it said before it went
                    yield
                raise

    def _tell(self, line: str) -> None:
        """Says what has changed, once."""
        if line != self._told:
            self._told = line
            self._say(line)

    def _receive(self, socket: Socket, exchange: Exchange) -> bool:
        """Takes in what came, if something did."""
        received = receive(socket, FROM_COORDINATOR)
        if received is None:
            return False
        self._backoff.reset()
        self._heard = self._met = True
        self.heard_s = time.monotonic()
        self._told = ""
        found = received.message
        message: Message | WireError | None = found
        if not isinstance(found, WireError):
            message = self._channel.take(found, received.bytes, time.monotonic())
        match message:
            case None:
                pass
            case WireError():
                raise FtdistError(f"{self._endpoint}: sent an invalid message: {message}")
            case Refusal() if message.final:
                raise InputError(f"{self._endpoint}: refused: {message.reason}")
            case Refusal() | Drain():
                raise _Lost(message.reason or "the coordinator ends")
            case _:
                exchange.take(message)
        return True

    def _flush(self, socket: Socket) -> bool:
        return self._channel.flush(partial(send_encoded, socket), time.monotonic())

    def _look_after(self, socket: Socket) -> None:
        """Heeds what became of the connection."""
        for event in link_events(socket):
            match event:
                case Link.UP:
                    self._failed_handshakes = 0
                case Link.DOWN:
                    raise _Lost("no connection")
                case Link.REFUSED:
                    raise InputError(
                        f"{self._endpoint}: refused: this side's key is not in the coordinator's "
                        "folder 'allowed'; 'ftdist keygen' puts it there"
                    )
                case Link.MISMATCH:
                    raise _NoHandshake("no handshake")

    def _count_handshake(self, found: Problem | None) -> None:
        """InputError when handshakes fail again and again.

        Where a coordinator was met before, a tunnel may take connections until it is back.
        """
        if self._met and found is not None:
            return
        self._failed_handshakes += 1
        if self._failed_handshakes >= _TRIES:
            words = found.text if found else self._mismatch()
            raise InputError(f"{self._endpoint}: {words}") from None

    def _mismatch(self) -> str:
        if self._keys is None:
            return "requires keys, if a coordinator is there; pass yours with --keys"
        return "does not take these keys: coordinator.key is another's, or it has no keys itself"

    def _connect(self) -> None:
        """A new connection. Should it end, ZeroMQ is not let try again, but only told so then:
        without reconnecting it would drop what came and has not been read."""
        self._disconnect()
        self._heard = False
        unknown = name_problem(connecting(self._endpoint))
        if unknown is not None:
            raise _Lost(unknown.text)
        self._channel = _channel()
        self._socket = connect(
            self._context,
            self._endpoint,
            self._keys,
            monitored=True,
        )

    def _disconnect(self) -> None:
        if self._socket is not None:
            close(self._socket)
            self._socket = None
