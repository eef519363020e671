"""The loop around the coordinator's state machine: sockets, files, the clock; it decides nothing.

Whatever comes in becomes an event, and actions are carried out. The loop never waits but in its
poll: messages go out by ``PeerChannels``, plans are made by the ``Planner``'s process, weights are
read from the model file a piece at a time, and handshakes are answered between messages.
"""

from __future__ import annotations

import time
from collections.abc import Container
from pathlib import Path

import zmq

from ftdist.cluster.channel import Channel
from ftdist.cluster.connection_monitor import ConnectionMonitor
from ftdist.cluster.endpoints import Endpoint
from ftdist.cluster.process import StopRequest
from ftdist.cluster.server.model_reader import ModelReader, header_bytes
from ftdist.cluster.server.onlooking import Onlooker, Onlooking, Say
from ftdist.cluster.server.peer_channels import PeerChannels
from ftdist.cluster.server.peer_keys import peer_keys
from ftdist.cluster.server.pings import Pings
from ftdist.cluster.server.planner import Planner
from ftdist.cluster.server.span_file import SpanFile
from ftdist.cluster.transport import Link, Received, Socket, bind, close, make_context, receive
from ftdist.cluster.worker.worker import LocalWorker
from ftdist.coordinator.events import (
    Arrived,
    AskPlan,
    Ended,
    Event,
    Gone,
    Log,
    Moved,
    Peer,
    Pictured,
    Revoked,
    Seen,
    Send,
    Shares,
    Stop,
    Tick,
    Traced,
    Unreadable,
)
from ftdist.coordinator.machine import Coordinator
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.network.modelfile import Model
from ftdist.protocol.messages import FROM_CLIENT, FROM_WORKER
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import ModelRequest, Opening, Portion, Refusal
from ftdist.protocol.worker_messages import Result
from ftdist.runtime.trace import Trace

LOCAL_ENDPOINT = "inproc://ftdist-local"
"""Where a worker of this process connects."""

_REMOTE, _LOCAL = b"r", b"l"
_EXPECTED = FROM_WORKER | FROM_CLIENT
_BATCH = 64
"""Messages taken from a socket before the others get their turn."""

_RETRY_S = 0.002
_REREAD_S = 1.0
_MOVED_S = 0.05
"""How often it is news that bytes move."""

_COMPLAINTS_S = 60.0
_FAREWELL_S = 1.0


class Server:
    """A coordinator at an endpoint; ``serve`` until it ends, then ``close``.

    `keys` is the cluster's folder of keys; without it nothing is encrypted. `planner`, `trace` and
    `onlooker` remain the caller's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        settings: Settings,
        model: Model,
        planner: Planner,
        stop: StopRequest,
        keys: Path | None,
        local: LocalWorker | None,
        trace: Trace | None,
        onlooker: Onlooker | None,
        say: Say,
    ) -> None:
        network = model.network
        info = ModelInfo(
            network.name, network, model.digest, header_bytes(model), settings.band_rows
        )
        self._machine = Coordinator(settings, info)
        self._planner = planner
        self._stop = stop
        self._local = local
        self._trace = SpanFile(trace, say)
        self._say = say
        self._context = make_context()
        try:
            self._keys = peer_keys(self._context, keys, say)
            self._sockets = self._open(endpoint)
        except BaseException:
            self._context.destroy(0)
            raise
        self._socket = self._sockets[_REMOTE]
        self._monitor = ConnectionMonitor(self._socket, self._keys.name)
        self._channels = PeerChannels(self._sockets, ModelReader(model), plain=_LOCAL)
        self._poller = self._make_poller()
        self._onlooking = Onlooking(onlooker, self._poller, say)
        self._pings = Pings()
        self._reread_s = 0.0
        self._complained_s = -_COMPLAINTS_S
        self._stopping = False
        self._ended = False

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.get_string(zmq.LAST_ENDPOINT).rpartition(":")[2])

    def serve(self) -> None:
        """Works until the machine says that it has ended, after a request to stop."""
        if self._local is not None:
            self._local.start(self._context, LOCAL_ENDPOINT)
        while not self._ended and self._stop.count < 2:
            ready = dict(self._poller.poll(self._timeout_ms()))
            gone = self._channels.take_gone()
            self._take_messages()  # of those who are gone, too: their last word says why
            for peer in gone:
                self._handle(Gone(peer))
            self._take_others(ready)
            self._keep_time()
        self._say_farewell()

    def close(self) -> None:
        """Gives everything back; what was queued is still sent, if it goes quickly."""
        if self._local is not None:
            self._local.close()
        self._keys.stop()
        self._monitor.close()
        for socket in self._sockets.values():
            close(socket)
        self._context.term()

    def _open(self, endpoint: Endpoint) -> dict[bytes, Socket]:
        """The sockets that listen, by the first byte of their peers' names."""
        bound = bind(self._context, endpoint.to_bind, self._keys.own, monitored=True)
        sockets = {_REMOTE: bound}
        if self._local is not None:
            sockets[_LOCAL] = bind(self._context, LOCAL_ENDPOINT)
        return sockets

    def _make_poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        others = (self._monitor.woken, self._planner, self._stop)
        for each in (*self._sockets.values(), *others, *self._keys.sockets):
            poller.register(each, zmq.POLLIN)
        return poller

    def _timeout_ms(self) -> int:
        if self._channels.lost:
            return 0
        if self._channels.waits:
            return int(_RETRY_S * 1000)
        due_s = min(self._machine.next_s, self._reread_s, self._pings.due_s, self._channels.next_s)
        return max(0, int((due_s - time.monotonic()) * 1000) + 1)

    def _handle(self, event: Event) -> None:
        """Gives an event to the machine and does what it says."""
        for action in self._machine.handle(event, time.monotonic()):
            match action:
                case Send(peer, message):
                    self._channels.send(peer, message)
                case AskPlan():
                    self._planner.ask(action)
                case Log(text, word, about):
                    self._say(text, word, **dict(about))
                case Seen() | Pictured():
                    self._onlooking.show(action)
                case Traced():
                    self._trace.write(action)
                case Shares(peers, bytes_per_s):
                    self._channels.share(peers, bytes_per_s)
                case Ended():
                    self._ended = True

    def _take_messages(self) -> None:
        for prefix, socket in self._sockets.items():
            for _ in range(_BATCH):
                received = receive(socket, _EXPECTED, secured=self._keys.required)
                if received is None:
                    if socket is self._socket:
                        self._monitor.drained()
                    break
                self._monitor.delivered(received.handle, received.wire_bytes, received.key)
                self._take(prefix + received.peer, received)

    def _take(self, peer: Peer, received: Received) -> None:
        """What came in one go, from somebody who may still speak."""
        local, message, key = peer.startswith(_LOCAL), received.message, received.key
        channel = self._channels.channel(peer)
        if not local and not self._keys.admits(key):
            self._take_keys()  # before the end of the connection is all that is known
            final = type(message) in FROM_CLIENT - FROM_WORKER  # a worker goes on asking
            self._channels.send(peer, Refusal("your key is no longer allowed", final))
            return
        if isinstance(message, Opening | Portion) and not self._machine.knows(peer):
            self._handle(Moved(peer, 0))  # nothing large is taken from strangers
            return
        whole = message
        if not isinstance(message, WireError):
            found = channel.take(message, received.bytes, time.monotonic())
            if found is None:
                self._tell_moved(peer, channel, begins=isinstance(message, Opening))
                return
            whole = found
        if isinstance(whole, WireError):
            self._handle(Unreadable(peer, str(whole)))
            return
        flaw = self._channels.answer(peer, whole) if isinstance(whole, ModelRequest) else ""
        if flaw:
            self._handle(Unreadable(peer, flaw))
        else:
            self._handle(Arrived(peer, whole, key, local, self._keys.origin(received)))

    def _tell_moved(self, peer: Peer, channel: Channel, *, begins: bool) -> None:
        """Bytes moved: news if that was not said a moment ago, if they were the last that were on
        their way there, or if a result begins with them."""
        now_s, opened = time.monotonic(), channel.opened if begins else None
        begun = opened.task if isinstance(opened, Result) else None
        left_bytes = channel.waiting_bytes
        done = not left_bytes and channel.told_left
        if begun is not None or done or now_s >= channel.moved_s + _MOVED_S:
            channel.moved_s, channel.told_left = now_s, left_bytes > 0
            self._handle(Moved(peer, left_bytes, begun))

    def _take_others(self, ready: Container[object]) -> None:
        """Whatever else may have come: handshakes, plans, ends of connections, requests to stop."""
        self._keys.answer()
        for planned in self._planner.answers():
            self._handle(planned)
        self._take_links()
        self._onlooking.take(ready, self._handle)
        if self._stop.requested and not self._stopping:
            self._stopping = True
            self._say(f"stopping: {self._stop.why or 'asked to'}", "stopping")
            self._poller.unregister(self._stop)
            self._handle(Stop())

    def _take_keys(self) -> None:
        """Which keys are no longer allowed."""
        for key in self._keys.reread():
            self._handle(Revoked(key))

    def _take_links(self) -> None:
        """What became of connections."""
        for event in self._monitor.links():
            if event is Link.DOWN:
                self._pings.connection_ended(time.monotonic())
            elif event is Link.MISMATCH:
                self._complain()
        for line in self._monitor.words():
            self._say(line)

    def _keep_time(self) -> None:
        """What is due now."""
        now = time.monotonic()
        if self._pings.turn(now):
            self._channels.ping()
        if self._reread_s <= now:
            self._reread_s = now + _REREAD_S
            self._take_keys()
        if self._machine.next_s <= now:
            self._handle(Tick())
        self._channels.flush()

    def _complain(self) -> None:
        """Logs that a connection was refused, but seldom: anybody can try as often as they like."""
        now = time.monotonic()
        if now - self._complained_s >= _COMPLAINTS_S:
            self._complained_s = now
            text = f"refused a connection that failed its handshake: {self._keys.demand}"
            self._say(text, "connection-refused")

    def _say_farewell(self) -> None:
        """Sends what still waits, for a moment."""
        limit = time.monotonic() + _FAREWELL_S
        while self._channels.waits and time.monotonic() < limit and self._stop.count < 2:
            time.sleep(_RETRY_S)
            self._channels.flush()
