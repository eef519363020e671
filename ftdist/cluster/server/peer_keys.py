"""Who sends a message, and may: by its key, or anybody where the coordinator has no keys."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from ftdist.cluster.keys import ALLOWED, coordinator_keys
from ftdist.cluster.server.authentication import AllowListAuthenticator
from ftdist.cluster.transport import Context, CurveKeys, Received, Socket
from ftdist.coordinator.events import Origin


class PeerKeys:
    """Of a coordinator without keys: nothing is encrypted, and everybody may connect.

    `own`: what the coordinator itself listens with; `sockets`: what to poll, to be followed by
    ``answer``; `demand`: what is said to those who cannot connect.
    """

    required = False
    own: CurveKeys | None = None
    sockets: tuple[Socket, ...] = ()
    demand = "this coordinator has no keys"

    def origin(self, received: Received) -> Origin:
        """The sender of a message, as people know it."""
        return Origin(address=received.address)

    def name(self, _key: str) -> str:
        """What the owner of a key is called; empty if that is not known."""
        return ""

    def admits(self, _key: str) -> bool:
        """Whether the owner of a key may speak, now."""
        return True

    def answer(self) -> None:
        """Answers all handshakes that wait."""

    def reread(self) -> Collection[str]:
        """The keys that are allowed no longer since the last time, or in another role."""
        return ()

    def stop(self) -> None:
        """Answers no more handshakes."""


class AllowedKeys(PeerKeys):
    """Of a coordinator with keys: only those in its folder may connect, and all is encrypted."""

    required = True
    demand = "this coordinator requires keys"

    def __init__(self, context: Context, folder: Path, say: Callable[[str], None]) -> None:
        self.own = coordinator_keys(folder)
        self._authenticator = AllowListAuthenticator(context, folder / ALLOWED, say)
        self.sockets = (self._authenticator.socket,)

    def origin(self, received: Received) -> Origin:
        """As the base class says."""
        name, role = self.name(received.key), self._authenticator.role(received.key)
        return Origin(name, role, received.address)

    def name(self, key: str) -> str:
        """As the base class says."""
        return self._authenticator.name(key)

    def admits(self, key: str) -> bool:
        """As the base class says."""
        return self._authenticator.admits(key)

    def answer(self) -> None:
        """As the base class says."""
        self._authenticator.answer()

    def reread(self) -> Collection[str]:
        """As the base class says."""
        return self._authenticator.reread()

    def stop(self) -> None:
        """As the base class says."""
        self._authenticator.stop()


def peer_keys(context: Context, folder: Path | None, say: Callable[[str], None]) -> PeerKeys:
    """By a cluster's folder of keys, if there is one."""
    return PeerKeys() if folder is None else AllowedKeys(context, folder, say)
