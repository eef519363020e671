"""What the page answers: the bundle, the stream of states, metrics, and signing in.

/              the page; its files beside it
/about         what does not change, JSON
/events        server-sent events: the state whenever it is another one, and the log
/plan          the plan in use as the page draws it, for ?worker=, JSON
/pictures      the last pictures, JSON, and that another one is wanted; /picture?n= is one
/metrics       for Prometheus
/login         where the token is given, by ?token= or a form; sets a cookie
"""

from __future__ import annotations

import asyncio
import html
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ftdist.page import metrics, view
from ftdist.page.access import Access
from ftdist.page.exchange import PictureShown
from ftdist.page.guard import COOKIE, Guard
from ftdist.page.pictures import Picture, picture_of
from ftdist.page.planview import plan_view
from ftdist.page.subject import Subject
from ftdist.page.watching import MOST_STREAMS, Silent, State, Watching
from ftdist.runtime.budget.memory import peak_resident_bytes, resident_bytes

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_TAKE_S = 10.0
"""A browser that takes nothing of its stream for so long is cut off; it comes back by itself."""

_METRICS_S = 1.0
"""How old metrics may be: they are asked for no more often than that."""

_PICTURES = 4
"""So many are kept, in memory."""

_DIGITS = 4
_MOST_BODY = 1024
_YEAR_S = 365 * 24 * 3600


class App:
    """The application, inside its guard."""

    def __init__(self, subject: Subject, access: Access, watching: Watching, *, loopback: bool):
        self._subject = subject
        self._access = access
        self._watching = watching
        self._encoded: tuple[int, bytes] = (0, b"")
        self._plans: dict[int, Response] = {}
        self._plan_number = 0
        self._pictures: deque[Picture] = deque(maxlen=_PICTURES)
        self._drawn: PictureShown | None = None
        inner = Starlette(
            routes=[
                Route("/about", self._about),
                Route("/events", self._events),
                Route("/metrics", self._metrics),
                Route("/plan", self._plan),
                Route("/pictures", self._list_pictures),
                Route("/picture", self._picture),
                Route("/login", self._login, methods=["GET", "POST"]),
                *self._bundle(),
            ]
        )
        login = HTMLResponse(_login_page(), 401, {"www-authenticate": "Bearer"})
        self.guarded = Guard(inner, access, watching.complain, loopback=loopback, login=login)

    def _bundle(self) -> list[Route]:
        """The files of the page, read once."""
        routes = []
        for each in files("ftdist.page").joinpath("bundle").iterdir():
            kind = _TYPES.get(each.name.rpartition(".")[2])
            if kind is not None:
                path = "/" if each.name == "index.html" else f"/{each.name}"
                routes.append(Route(path, _file(each.read_bytes(), kind)))
        return routes

    async def _about(self, request: Request) -> Response:
        return JSONResponse(view.about(self._subject))

    async def _metrics(self, request: Request) -> Response:
        try:
            state = await self._watching.fresh(_METRICS_S)
        except Silent:
            return PlainTextResponse("who is shown does not answer\n", 503)
        watching = self._watching
        page = metrics.PageCounts(watching.streams, self.guarded.refused, resident_bytes())
        snapshot = state.shown.snapshot
        text = metrics.as_text(self._subject, snapshot, watching.plan, self._peak_bytes(), page)
        return Response(text, headers={"content-type": metrics.CONTENT_TYPE})

    async def _plan(self, request: Request) -> Response:
        plan = self._watching.plan
        asked = request.query_params.get("worker", "0")
        if plan is None or not asked.isascii() or not asked.isdecimal() or len(asked) > _DIGITS:
            return PlainTextResponse("no such plan\n", 404)
        worker = min(int(asked), len(plan.workers) - 1)
        if plan.number != self._plan_number:
            self._plan_number, self._plans = plan.number, {}
        if worker not in self._plans:
            self._plans[worker] = JSONResponse(plan_view(self._subject, plan, worker))
        return self._plans[worker]

    async def _list_pictures(self, request: Request) -> Response:
        self._watching.want_picture()
        shown = self._watching.picture
        if shown is not None and shown is not self._drawn:
            self._drawn = shown
            number = self._pictures[0].number + 1 if self._pictures else 1
            self._pictures.appendleft(picture_of(self._subject, shown, number))
        return JSONResponse([each.told for each in self._pictures])

    async def _picture(self, request: Request) -> Response:
        asked = request.query_params.get("n", "")
        found = [each.png for each in self._pictures if str(each.number) == asked]
        if not found:
            return PlainTextResponse("no such picture\n", 404)
        return Response(found[0], headers={"content-type": "image/png"})

    async def _events(self, request: Request) -> Response:
        if self._watching.streams >= MOST_STREAMS:
            return PlainTextResponse("too many look on already\n", 503, {"retry-after": "10"})
        return _Stream(self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        said, seen = 0, b""
        async for state in self._watching.states():
            lines = [line for line in self._watching.lines if line.number > said]
            parts = []
            if lines:
                said = lines[-1].number
                parts.append(_event("log", _json([view.line(each) for each in lines])))
            encoded = self._encode(state)
            if encoded is not seen:
                seen = encoded
                parts.append(_event("state", encoded))
            yield b"".join(parts)

    def _encode(self, state: State) -> bytes:
        """A state as JSON, once for all who look."""
        if self._encoded[0] != state.number:
            shown = view.state(state.shown.snapshot, self._peak_bytes())
            self._encoded = state.number, _json(shown)
        return self._encoded[1]

    def _peak_bytes(self) -> int:
        try:
            return peak_resident_bytes(self._subject.process)
        except OSError:
            return 0

    async def _login(self, request: Request) -> Response:
        given = request.query_params.get("token")
        if request.method == "POST":
            given = await _form_token(request)
        if given is None:
            return HTMLResponse(_login_page())
        if not self._access.admits(given):
            self.guarded.refused += 1
            return HTMLResponse(_login_page("This is not the token."), 401)
        response = HTMLResponse(_SIGNED_IN)
        if self._access.token is not None:
            response.set_cookie(
                COOKIE, self._access.cookie, _YEAR_S, httponly=True, samesite="strict"
            )
        return response


class _Stream(Response):
    """Server-sent events, until the browser goes or takes nothing any more."""

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        self.status_code = 200
        self.background = None
        self._content = content
        self.init_headers({"content-type": "text/event-stream; charset=utf-8"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(send))
        gone = asyncio.create_task(_wait_for_end(receive))
        try:
            await asyncio.wait((writing, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (writing, gone):
                each.cancel()
            await asyncio.gather(writing, gone, return_exceptions=True)
            await self._content.aclose()  # type: ignore[attr-defined]
        scope["state"]["cut"]()

    async def _write(self, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        async for part in self._content:
            async with asyncio.timeout(_TAKE_S):
                await send({"type": "http.response.body", "body": part, "more_body": True})


async def _wait_for_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _file(content: bytes, kind: str) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        return Response(content, headers={"content-type": kind, "cache-control": "no-cache"})

    return answer


async def _form_token(request: Request) -> str:
    """The token in a form of one field; empty when the form has none, or is too long."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BODY:
                return ""
    except ClientDisconnect:
        return ""
    return parse_qs(body.decode(errors="replace")).get("token", [""])[0].strip()


_FRAME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>ftdist</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">{}'
)
_SIGNED_IN = _FRAME.format('<meta http-equiv="refresh" content="0; url=/"><p><a href="/">Go on</a>')
"""Not a redirect: after one from elsewhere a browser would not send the cookie it was given."""


def _login_page(problem: str = "") -> str:
    said = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    return _FRAME.format(
        f'<main><h1>ftdist</h1>{said}<form method="post" action="/login">'
        '<label>Token <input name="token" type="password" autocomplete="current-password" required>'
        "</label> <button>Sign in</button></form></main>"
    )
