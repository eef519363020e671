"""Where the coordinator listens and others connect: tcp://HOST:PORT, and who may without keys.

Without encryption anybody who reaches the port could take part, so that is for this machine alone:
loopback, or else the user says ``--insecure`` and is warned.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ftdist.errors import InputError

DEFAULT_PORT = 5555
_ENDPOINT = re.compile(r"tcp://(\[[0-9a-fA-F:.%\w]+\]|[^\s:/\[\]]+):([0-9]{1,5}|\*)", re.ASCII)
_EVERYWHERE = ("*", "0.0.0.0", "[::]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection; `port` 0 lets the system choose one, for those who listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can be meant."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def is_everywhere(self) -> bool:
        """Whether it means all addresses of this machine."""
        return self.host in _EVERYWHERE

    @property
    def to_bind(self) -> str:
        """As ZeroMQ listens on it: by address, a name could be resolved to any."""
        host = "127.0.0.1" if self.host == "localhost" else self.host
        return f"tcp://{host}:{self.port or '*'}"

    @property
    def to_reach(self) -> str:
        """Where this very machine reaches who listens there."""
        return f"tcp://{'127.0.0.1' if self.is_everywhere else self.host}:{self.port}"

    def __str__(self) -> str:
        return f"tcp://{self.host}:{self.port}"


def listening(text: str) -> Endpoint:
    """The endpoint to listen on that a text names; InputError otherwise."""
    found = _parsed(text)
    if found is None or found.port >= 1 << 16:
        raise InputError(f"'{text}' is not an address to listen on: write tcp://ADDRESS:PORT")
    return found


def connecting(text: str) -> Endpoint:
    """The endpoint to connect to that a text names; InputError otherwise."""
    found = _parsed(text)
    if found is None or not 1 <= found.port < 1 << 16 or found.is_everywhere:
        raise InputError(
            f"'{text}' is not the address of a coordinator: write tcp://HOST:{DEFAULT_PORT}, "
            "as the coordinator's first line says"
        )
    return found


def refuse_open(endpoint: Endpoint, *, keys: bool, insecure: bool) -> str | None:
    """InputError for an unencrypted endpoint beyond this machine, unless it is wanted so.

    A warning when it is.
    """
    if keys or endpoint.is_loopback:
        return None
    if not insecure:
        raise InputError(
            f"{endpoint}: without keys only this machine (127.0.0.1) can take part; make keys with "
            "'ftdist keygen DIR' and name them by --keys, or say --insecure"
        )
    return (
        f"warning: {endpoint} is neither encrypted nor guarded (--insecure): "
        "whoever reaches it can read, join and mislead"
    )


def _parsed(text: str) -> Endpoint | None:
    match = _ENDPOINT.fullmatch(text)
    return Endpoint(match[1], 0 if match[2] == "*" else int(match[2])) if match else None
