"""Which keys may connect: an allow-list that may change at any time.

ZeroMQ asks a handler (ZAP) about each CURVE handshake. The handler is ``zmq.auth``'s, driven by the
coordinator's own loop instead of a thread; it admits those whose public keys lie in a folder. An
admitted connection stays open, so keys that leave the folder are named: their messages are refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import zmq
from zmq.auth.base import Authenticator

from ftdist.cluster.keys import read_allowed
from ftdist.cluster.transport import Context, Socket
from ftdist.coordinator.events import Role
from ftdist.errors import InputError

_DOMAIN = "*"
_REMEMBERED = 256
"""Refused keys that are told of only once."""

_State = tuple[tuple[str, int, int, int], ...]


class AllowListAuthenticator(Authenticator):
    """Admits connections whose keys are in `folder`; what it refuses it tells `say`."""

    def __init__(self, context: Context, folder: Path, say: Callable[[str], None]) -> None:
        super().__init__(context)
        self._folder = folder
        self._say = say
        self._names: dict[str, str] = {}
        self._roles: dict[str, Role] = {}
        self._state: _State | None = None
        self._refused: set[str] = set()
        self._revoked: set[str] = set()
        self.configure_curve_callback(_DOMAIN, self)
        self.reread()
        self.start()

    @property
    def socket(self) -> Socket:
        """What to poll; when it can be read, ``answer``."""
        return self.zap_socket

    def admits(self, key: str) -> bool:
        """Whether a public key is allowed now."""
        return key in self._names

    def name(self, key: str) -> str:
        """What the owner of an allowed key is called."""
        return self._names.get(key, "")

    def role(self, key: str) -> Role:
        """What the owner of an allowed key may be."""
        return self._roles.get(key, "both")

    def callback(self, domain: str, key: bytes) -> bool:
        """Called by ``zmq.auth`` for each handshake; `key` in Z85."""
        text = key.decode()
        self._look()
        if self.admits(text):
            return True
        if text not in self._refused:
            if len(self._refused) == _REMEMBERED:
                self._refused.clear()
            self._refused.add(text)
            self._say(f"refused a connection: its key {text} is not in {self._folder}")
        return False

    def answer(self) -> None:
        """Answers all handshakes that wait."""
        while True:
            try:
                request = self.zap_socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            _finish(self.handle_zap_message(request))

    async def handle_zap_message(self, msg: list[bytes]) -> None:
        """As the base class does it, but for connections without encryption: it would admit them"""
        if len(msg) >= 6 and msg[5] != b"CURVE":
            self.zap_socket.send_multipart([msg[0], msg[1], b"400", b"Use CURVE", b"", b""])
        else:
            await super().handle_zap_message(msg)

    def reread(self) -> frozenset[str]:
        """Reads the folder again if it has changed; the keys that are allowed no longer since the
        last time, or in another role."""
        self._look()
        revoked, self._revoked = self._revoked, set()
        return frozenset(revoked)

    def _look(self) -> None:
        state = _state(self._folder)
        if state == self._state:
            return
        before, self._state = self._names, state
        roles, self._roles = self._roles, {}
        self._names = {}
        for name, *_ in state:
            try:
                found = read_allowed(self._folder / name)
                self._names[found.key] = name.removesuffix(".key")
                self._roles[found.key] = found.role
            except InputError as error:
                self._say(f"ignored a key file: {error}")
        self._revoked |= before.keys()
        self._revoked -= {key for key, role in self._roles.items() if roles.get(key, role) == role}


def _state(folder: Path) -> _State:
    """What changes when a key is added, removed or replaced; nothing of a folder that is gone."""
    found = []
    for path in sorted(folder.glob("*.key")):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((path.name, status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _finish(work: Awaitable[None]) -> None:
    """Runs to its end what is written as a coroutine but never waits."""
    try:
        next(work.__await__())
    except StopIteration:
        return
    raise RuntimeError("a handshake's answer waits for something")
