"""Where the page is served, and to whom: this machine alone, or whoever has the token.

On loopback there is no password: what keeps other sites' scripts out there is in ``guard``.
Anywhere else the page is refused without a token. One that is generated is printed once, as an
address that signs a browser in; the file has it from then on.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from ftdist.cluster.endpoints import Endpoint, listening
from ftdist.errors import InputError
from ftdist.extras import refuse_unloadable
from ftdist.runtime.forked import run_forked

_TOKEN = re.compile(r"[!-~]{16,256}")
_TOKEN_BYTES = 24
_BACKLOG = 64
_NEEDS = ("uvicorn", "starlette")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see the page; without a token everybody on this machine.

    `fresh`: the token was just generated, so nobody knows it yet.
    """

    token: str | None = None
    fresh: bool = False

    def admits(self, given: str | None) -> bool:
        """Whether a token that somebody gives is the one, in a time that does not tell how close
        it came."""
        return self.token is None or _same(_digest(given or ""), _digest(self.token))

    @property
    def cookie(self) -> str:
        """What a browser keeps once it has given the token: it does not tell the token."""
        return _digest(f"a browser of {self.token}").hex()

    def knows(self, cookie: str | None) -> bool:
        """Whether a browser has given the token before."""
        return self.token is None or _same((cookie or "").encode(), self.cookie.encode())


def _same(one: bytes, other: bytes) -> bool:
    import hmac  # which brings OpenSSL: only the page's process needs it

    return hmac.compare_digest(one, other)


def _digest(text: str) -> bytes:
    import hashlib  # as above

    return hashlib.sha256(text.encode(errors="replace")).digest()


def place_of(text: str) -> Endpoint:
    """Where the page is to be served; InputError unless it is ADDRESS:PORT."""
    try:
        return listening(f"tcp://{text}")
    except InputError:
        raise InputError(
            f"--page '{text}' is not a place for the page: write ADDRESS:PORT, as 127.0.0.1:8080"
        ) from None


def access_to(place: Endpoint, token_file: Path | None) -> Access:
    """Who may see the page there; InputError where anybody could who reaches the port.

    A token file that is not there is made.
    """
    if token_file is None:
        if not place.is_loopback:
            raise InputError(
                f"--page {place.host}:{place.port}: beyond this machine (127.0.0.1) the page needs "
                "a token; say --page-token FILE, which is made if it is not there"
            )
        return Access()
    try:
        return Access(_read_token(token_file))
    except FileNotFoundError:
        return Access(_make_token(token_file), fresh=True)


def refuse_without_library() -> None:
    """InputError where what serves the page is not installed, or does not load: tried in a child.

    For processes of one thread.
    """
    run_forked(lambda: refuse_unloadable("--page", "uvicorn and starlette", "page", _NEEDS))


def listen(place: Endpoint) -> socket.socket:
    """A socket that listens there; InputError says why there is none."""
    host = "127.0.0.1" if place.host == "localhost" else place.host.strip("[]")
    host = "0.0.0.0" if host == "*" else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, place.port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        reason = error.strerror or str(error)
        raise InputError(f"--page {place.host}:{place.port}: cannot listen: {reason}") from None
    return made


def _read_token(path: Path) -> str:
    """The token in a file; FileNotFoundError where there is no file."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1024).decode(errors="replace").strip()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise InputError(f"{path}: others may read this secret; type 'chmod 600 {path}'")
    if not _TOKEN.fullmatch(text):
        raise InputError(f"{path}: holds no token: 16 to 256 letters, digits and signs in one line")
    return text


def _make_token(path: Path) -> str:
    token = base64.urlsafe_b64encode(os.urandom(_TOKEN_BYTES)).decode()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{token}\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    return token
