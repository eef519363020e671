"""What ZeroMQ holds of messages that do not end, and who may connect at all.

ZeroMQ keeps every part of a message until its last one has come, however many there are, so that a
peer could fill this process's memory. Here each connection's bytes are counted: those that came
(the kernel says so, TCP_INFO), less those still unread there, less those of the messages that were
delivered. What remains lies in ZeroMQ. Our own programs have hardly more than a window under way,
so whoever has more is cut off. It takes a thread of its own: over loopback 10 MiB come in the time
that a loop may take for one event. It wakes when bytes come, at most every few milliseconds.

Two bounds: what a connection may have in ZeroMQ at any time, and what it may have of a single
message, known whenever the owner has taken all that was whole (``drained``). With many connections
the sum of the latter is bounded too; the largest are cut. Who connects and says nothing is cut
after a while, or when there are too many such connections.

Where the system does not say what came (others than Linux) nothing is bounded here.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import termios
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import zmq

from ftdist.cluster.process import WakeUp
from ftdist.cluster.transport import EVENT, Link, Socket, link_of, only_probed
from ftdist.cluster.window import MOST_BYTES

MOST_HELD = MOST_BYTES + (2 << 20)
"""What one connection may have in ZeroMQ: a window, and small messages that do not count in it."""

MOST_UNFINISHED = 512 << 10
"""What it may have of one message; the largest of ours has a portion and a header."""

MOST_UNFINISHED_TOGETHER = 16 << 20
MOST_CONNECTIONS, MOST_SILENT = 512, 128
SILENT_S = 30.0
"""How long who connects may say nothing at all."""

_NAP_S = 0.003
_SWEEP_S = 1.0
_HANDSHAKE_BYTES = 4096
_RECEIVED = struct.Struct("@Q")
_RECEIVED_AT = 128
"""Where tcpi_bytes_received stands in the kernel's struct tcp_info."""

_COUNT = struct.Struct("@i")


@dataclass(slots=True, eq=False)
class _Peer:
    """One connection, by the descriptor that ZeroMQ has for it; `node` tells it from later ones."""

    socket: socket.socket
    node: int
    address: str
    since_s: float
    key: str = ""
    delivered: int = 0
    spoke: bool = False
    seen: int = 0
    seen_at: int = 0
    unfinished: int = 0
    cut: bool = False

    def read_bytes(self) -> int:
        """What ZeroMQ has read of it so far; OSError when it is gone."""
        handle = self.socket.fileno()
        if os.fstat(handle).st_ino != self.node:
            raise OSError("another connection")
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        if len(info) < _RECEIVED_AT + _RECEIVED.size:
            raise OSError("an old kernel")
        unread = _COUNT.unpack(fcntl.ioctl(handle, termios.FIONREAD, bytes(_COUNT.size)))[0]
        return int(_RECEIVED.unpack_from(info, _RECEIVED_AT)[0]) - int(unread)

    def abort(self) -> bool:
        """Ends it at once, what is unread goes too; whether it was still there."""
        try:
            own = os.dup(self.socket.fileno())
        except OSError:
            return False
        try:
            if os.fstat(own).st_ino != self.node:
                return False
            nobody = bytes(16)  # of the family AF_UNSPEC: connecting to that disconnects
            return bool(ctypes.CDLL(None).connect(own, nobody, len(nobody)) == 0)
        finally:
            os.close(own)


class ConnectionMonitor:
    """Watches the connections of a socket that is ``monitored`` (see ``transport``).

    ``woken`` can be polled: then ``links`` and ``words`` have news. `name` says who owns a key.
    """

    def __init__(self, monitored: Socket, name: Callable[[str], str] = lambda _: "") -> None:
        self.woken = WakeUp()
        self._monitor = monitored.get_monitor_socket()
        self._watched = monitored
        self._listens = monitored.type == zmq.ROUTER
        self._name = name
        self._links: deque[Link] = deque()
        self._words: deque[str] = deque()
        self._peers: dict[int, _Peer] = {}
        self._early: dict[int, tuple[int, str]] = {}
        self._lock = threading.Lock()
        self._drains = 0
        self._epoll = select.epoll()
        self._ending = WakeUp()
        self._sweep_s = 0.0
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    # ---- for its owner

    def links(self) -> list[Link]:
        """What became of connections since the last time."""
        self.woken.clear()
        return [self._links.popleft() for _ in range(len(self._links))]

    def words(self) -> list[str]:
        """Whom it cut off since the last time, and why."""
        return [self._words.popleft() for _ in range(len(self._words))]

    def delivered(self, handle: int, wire_bytes: int, key: str) -> None:
        """A message was taken from ZeroMQ that came as so many bytes."""
        with self._lock:
            peer = self._peers.get(handle)
            if peer is None:  # the thread has not looked yet
                before, _ = self._early.get(handle, (0, ""))
                self._early[handle] = before + wire_bytes, key
                return
        peer.delivered += wire_bytes
        peer.spoke = True
        peer.key = key

    def drained(self) -> None:
        """All messages that were whole have been taken."""
        self._drains += 1

    def close(self) -> None:
        """Ends the watching, not the connections."""
        self._ending.call()
        self._thread.join()
        self._watched.disable_monitor()
        self._monitor.close(0)
        for peer in self._peers.values():
            peer.socket.detach()
        self._peers.clear()
        self._epoll.close()
        self._ending.close()
        self.woken.close()

    # ---- the thread

    def _work(self) -> None:
        poller = zmq.Poller()
        for each in (self._monitor, self._epoll, self._ending):
            poller.register(each, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(int(_SWEEP_S * 1e3) if self._peers else None))
            if self._ending.fileno() in ready:
                return
            self._take_events()
            for handle, _ in self._epoll.poll(0):
                if handle in self._peers:
                    self._look(handle, self._peers[handle])
            now_s = time.monotonic()
            if now_s >= self._sweep_s:
                self._sweep_s = now_s + _SWEEP_S
                self._sweep(now_s)
            time.sleep(_NAP_S)

    def _take_events(self) -> None:
        while True:
            try:
                event, _ = self._monitor.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            number, handle = EVENT.unpack(event)
            if number in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
                self._add(handle)
            elif number in (zmq.EVENT_DISCONNECTED, zmq.EVENT_CLOSED):
                self._forget(handle)
            if self._listens and only_probed(number, handle):
                continue
            link = link_of(number)
            if link is not None:
                self._links.append(link)
                self.woken.call()

    def _add(self, handle: int) -> None:
        self._forget(handle)
        try:
            node = os.fstat(handle).st_ino
            found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=handle)
        except OSError:  # gone already
            return
        address = _address(found)
        peer = _Peer(found, node, address, time.monotonic())
        with self._lock:
            peer.delivered, peer.key = self._early.pop(handle, (0, ""))
            peer.spoke = peer.delivered > 0
            self._peers[handle] = peer
        try:
            peer.read_bytes()
            self._epoll.register(handle, select.EPOLLIN | select.EPOLLET)
        except OSError:
            self._forget(handle)
            return
        self._bound_number()
        self._look(handle, peer)

    def _forget(self, handle: int) -> None:
        peer = self._peers.pop(handle, None)
        if peer is not None:
            peer.socket.detach()
            with suppress(OSError):  # closed already: it is no longer there
                self._epoll.unregister(handle)

    def _bound_number(self) -> None:
        """Too many connections: the oldest that said nothing yet goes, or else the newest."""
        silent = [peer for peer in self._peers.values() if not peer.spoke and not peer.cut]
        if len(silent) > MOST_SILENT:
            self._cut(silent[0], f"more than {MOST_SILENT} connections that say nothing")
        elif sum([not peer.cut for peer in self._peers.values()]) > MOST_CONNECTIONS:
            newest = next(reversed(self._peers.values()))
            self._cut(newest, f"more than {MOST_CONNECTIONS} connections")

    def _look(self, handle: int, peer: _Peer) -> None:
        """How much of a connection lies in ZeroMQ, and how much of that is one message."""
        delivered, drains = peer.delivered, self._drains
        if drains >= peer.seen_at + 2:  # all that had come when it was seen and was whole is taken
            peer.unfinished = max(0, peer.seen - delivered)
        try:
            read = peer.read_bytes()
        except OSError:
            self._forget(handle)
            return
        if drains >= peer.seen_at + 2:
            peer.seen, peer.seen_at = read, drains
        if read - delivered > MOST_HELD + _HANDSHAKE_BYTES:
            self._cut(peer, f"{(read - delivered) >> 20} MiB at once")
        elif peer.unfinished > MOST_UNFINISHED + _HANDSHAKE_BYTES:
            self._cut(
                peer, f"more than {MOST_UNFINISHED >> 10} KiB of one message, without its end"
            )

    def _sweep(self, now_s: float) -> None:
        for handle, peer in list(self._peers.items()):
            self._look(handle, peer)
            if not peer.spoke and now_s - peer.since_s > SILENT_S:
                self._cut(peer, f"nothing within {SILENT_S:.0f} s")
        held = [peer for peer in self._peers.values() if not peer.cut]
        held.sort(key=lambda each: each.unfinished)
        while sum([each.unfinished for each in held]) > MOST_UNFINISHED_TOGETHER:
            self._cut(held.pop(), "one of many messages without an end")

    def _cut(self, peer: _Peer, why: str) -> None:
        """Ends a connection; ZeroMQ then lets go of what it held."""
        if peer.cut:
            return
        peer.cut = True
        if not peer.abort():
            return
        owner = self._name(peer.key) if peer.key else ""
        whose = f"the key of {owner or peer.key}" if peer.key else "no key known"
        self._words.append(f"cut off the connection of {peer.address} ({whose}): it sent {why}")
        self.woken.call()


def _address(connected: socket.socket) -> str:
    """Whose address the other end has."""
    try:
        name = connected.getpeername()
    except OSError:
        return "somebody gone already"
    if not isinstance(name, tuple):
        return "somebody on this machine"
    return f"[{name[0]}]:{name[1]}" if ":" in str(name[0]) else f"{name[0]}:{name[1]}"
