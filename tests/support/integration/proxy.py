"""A TCP proxy that can be told to cut, stall or slow the connections through it.

One thread, bytes as they come: what it did not pass on yet it does not read any more either, so
that a slow or stalled link holds as little as a real one (``_HELD_BYTES`` each way).
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_HELD_BYTES = 64 << 10
_PART_S = 0.005
"""A slow link passes on in parts of so much time."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER such that a close is a reset: the other side learns of it at once."""


@dataclass(eq=False)
class _Pipe:
    """One direction of a connection: from one socket to another, with what is held between."""

    source: socket.socket
    target: socket.socket
    record: bytearray
    held: bytearray = field(default_factory=bytearray)
    ended: bool = False
    due_s: float = 0.0


class Meter:
    """Counts bytes passed on by some proxies, both ways; `passed` may be set back."""

    def __init__(self) -> None:
        self.passed = 0
        self._alarm: tuple[int, Callable[[], object]] | None = None
        self._lock = threading.RLock()

    def when_passed(self, count: int, action: Callable[[], object]) -> None:
        """Does something once, in the midst of things, when `passed` reaches a count."""
        with self._lock:
            self._alarm = count, action

    def add(self, count: int) -> None:
        """So many more."""
        with self._lock:
            self.passed += count
            alarm = self._alarm
            if alarm is None or self.passed < alarm[0]:
                return
            self._alarm = None
        alarm[1]()


class Proxy:
    """Listens on a port of its own and passes on to `target`; a context manager.

    `meter` counts what passes. With `recording`, `sent` and `answered` are what came of each
    connection from who opened it, and from the target. `turned_away` is released once for each
    connection that was accepted although nothing listened at the target.
    """

    def __init__(self, target: int, *, recording: bool = False, meter: Meter | None = None) -> None:
        self.meter = meter or Meter()
        self.sent: list[bytearray] = []
        self.answered: list[bytearray] = []
        self.turned_away = threading.Semaphore(0)
        self._recording = recording
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pipes: list[_Pipe] = []
        self._stalled = False
        self._bytes_per_s = 0.0
        self._lock = threading.RLock()
        self._called, self._call = socket.socketpair()
        self._called.setblocking(False)
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends everything."""
        self._ending = True
        self._wake()
        self._thread.join()
        self._drop_all()
        for each in (self._listener, self._called, self._call):
            each.close()

    # ---- what may go wrong with a link

    def cut(self) -> float:
        """Ends all connections at once; returns when."""
        with self._lock:
            now_s = time.monotonic()
            self._drop_all(reset=True)
        self._wake()
        return now_s

    def stall(self) -> float:
        """Passes nothing on any more, and ends nothing: as if a cable was pulled; returns when."""
        with self._lock:
            self._stalled = True
            return time.monotonic()

    def heal(self) -> None:
        """What stalled goes on."""
        with self._lock:
            self._stalled = False
        self._wake()

    def slow(self, bytes_per_s: float) -> None:
        """Passes on so many bytes a second each way; 0: as many as there are."""
        with self._lock:
            self._bytes_per_s = bytes_per_s
        self._wake()

    # ---- the thread

    def _wake(self) -> None:
        with suppress(OSError):
            self._call.send(b"x")

    def _work(self) -> None:
        while not self._ending:
            with self._lock:
                selector, timeout_s = self._selector()
            with selector:
                events = selector.select(timeout_s)
            with self._lock:
                for key, mask in events:
                    self._turn(key, mask)

    def _selector(self) -> tuple[selectors.BaseSelector, float | None]:
        """What to wait for now, and how long at most."""
        selector = selectors.DefaultSelector()
        selector.register(self._called, selectors.EVENT_READ, None)
        if not self._stalled:
            selector.register(self._listener, selectors.EVENT_READ, None)
        wanted: dict[socket.socket, int] = {}
        now_s, due_s = time.monotonic(), None
        for pipe in [] if self._stalled else self._pipes:
            if not pipe.ended and len(pipe.held) < _HELD_BYTES:
                wanted[pipe.source] = wanted.get(pipe.source, 0) | selectors.EVENT_READ
            if pipe.held and pipe.due_s <= now_s:
                wanted[pipe.target] = wanted.get(pipe.target, 0) | selectors.EVENT_WRITE
            elif pipe.held:
                due_s = min(pipe.due_s, due_s or pipe.due_s)
        for each, mask in wanted.items():
            selector.register(each, mask, None)
        return selector, None if due_s is None else max(0.0, due_s - now_s)

    def _turn(self, key: selectors.SelectorKey, mask: int) -> None:
        if key.fileobj is self._called:
            with suppress(BlockingIOError):
                self._called.recv(4096)
        elif key.fileobj is self._listener:
            self._let_in()
        else:
            for pipe in [p for p in self._pipes if key.fileobj in (p.source, p.target)]:
                if pipe in self._pipes and not self._stalled:  # an alarm may have changed things
                    self._move(pipe, key, mask)

    def _let_in(self) -> None:
        try:
            near, _ = self._listener.accept()
        except BlockingIOError:
            return
        far = socket.socket()
        try:
            far.connect(("127.0.0.1", self._target))
        except OSError:
            near.close()
            far.close()
            self.turned_away.release()
            return
        for each in (near, far):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent.append(bytearray())
        self.answered.append(bytearray())
        self._pipes.append(_Pipe(near, far, self.sent[-1]))
        self._pipes.append(_Pipe(far, near, self.answered[-1]))

    def _move(self, pipe: _Pipe, key: selectors.SelectorKey, mask: int) -> None:
        try:
            if key.fileobj is pipe.source and mask & selectors.EVENT_READ:
                part = pipe.source.recv(_HELD_BYTES)
                pipe.held += part
                if self._recording:
                    pipe.record += part
                pipe.ended = not part
            if key.fileobj is pipe.target and mask & selectors.EVENT_WRITE and pipe.held:
                self._pass_on(pipe)
            if pipe.ended and not pipe.held:
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            self._drop(pipe)

    def _pass_on(self, pipe: _Pipe) -> None:
        most = len(pipe.held)
        if self._bytes_per_s:
            most = min(most, max(1, int(self._bytes_per_s * _PART_S)))
        count = pipe.target.send(memoryview(pipe.held)[:most].tobytes())
        del pipe.held[:count]
        if self._bytes_per_s:
            now_s = time.monotonic()
            pipe.due_s = max(pipe.due_s, now_s - _PART_S) + count / self._bytes_per_s
        self.meter.add(count)

    def _drop(self, pipe: _Pipe, *, reset: bool = False) -> None:
        """Ends a connection, both ways."""
        ends = {pipe.source, pipe.target}
        self._pipes = [each for each in self._pipes if each.source not in ends]
        for each in ends:
            if reset:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            each.close()

    def _drop_all(self, *, reset: bool = False) -> None:
        while self._pipes:
            self._drop(self._pipes[0], reset=reset)
