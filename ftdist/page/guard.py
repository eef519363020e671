"""Who is let in to the page: looked at before anything else of a request, and the same for all.

On loopback any site that a browser on this machine shows could send requests here. So a request
must name this very machine as its host (a name that an attacker has resolve to 127.0.0.1 is another
one), and must not be made by another site, which browsers say by Origin and Sec-Fetch-Site. Beyond
loopback nothing is served without the token, by header or by the cookie that signing in sets.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ftdist.page.access import Access
from ftdist.page.connections import HEAD_BYTES

COOKIE = "ftdist-page"
ANSWER_S = 20.0
"""A client that does not take an answer within this time is cut off; streams have a limit of their
own."""

_OPEN = frozenset({"/login"})
"""The path that needs no token: there it is given."""

_SAFE = frozenset({"GET", "HEAD"})
_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.ASCII)
_LOOPBACK = re.compile(r"localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\]", re.ASCII)

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Wraps the application; `refused` counts the requests that were not let in."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        complain: Callable[[str], None],
        *,
        loopback: bool,
        login: Response,
    ) -> None:
        self._app = app
        self._complain = complain
        self._access = access
        self._loopback = loopback
        self._login = login
        self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = self._app
        refusal = self._refusal(scope)
        if refusal is not None:
            self.refused += 1
            answer = refusal
        streams = scope["path"] == "/events" and refusal is None
        try:
            async with asyncio.timeout(None if streams else ANSWER_S):
                await answer(scope, receive, _with_headers(send))
        except TimeoutError:
            scope["state"]["cut"]()
        except Exception as error:
            scope["state"]["cut"]()
            self._complain(f"a fault of the page, please report it: {error!r}")

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to those who are not let in; None for the others."""
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope["raw_path"]) + len(scope["query_string"]) > HEAD_BYTES:
            return PlainTextResponse("too long a request\n", 431)
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = hosts[0].lower() if len(hosts) == 1 else ""
        found = _HOST.fullmatch(host)
        if found is None or (self._loopback and _LOOPBACK.fullmatch(found[1]) is None):
            return PlainTextResponse("this page is served under another name\n", 421)
        if is_foreign(headers, host):
            return PlainTextResponse("another site may not ask for this\n", 403)
        if scope["method"] not in _SAFE and (scope["method"], scope["path"]) != ("POST", "/login"):
            return PlainTextResponse("only GET\n", 405, {"allow": "GET, HEAD"})
        if scope["path"] in _OPEN or self._signed_in(headers):
            return None
        return self._login

    def _signed_in(self, headers: Headers) -> bool:
        if self._access.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._access.admits(given.strip())
        return self._access.knows(cookie_of(headers))


def is_foreign(headers: Mapping[str, str], host: str) -> bool:
    """Whether another site makes a request; signing in by a link from elsewhere is not one that
    reads anything."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host:
        return True
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return (
        headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document"
    )


def cookie_of(headers: Mapping[str, str]) -> str | None:
    """The cookie by which a browser is known."""
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return found[COOKIE].value if COOKIE in found else None


def _with_headers(send: Send) -> Send:
    """Adds to every answer what keeps browsers strict."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sent
