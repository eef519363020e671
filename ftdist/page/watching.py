"""Asks for snapshots while somebody looks, and only then.

However many look, one question is open at a time, and all of them see the same answer. A browser's
stream is given the newest state whenever it can take one: whoever reads slowly misses states, and
nothing piles up for them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ftdist.coordinator.observing.snapshot import PlanNow
from ftdist.page.exchange import Ask, LineShown, PictureShown, Pipe, Shown, Trouble

EVERY_S = 0.4
"""How often those who look are shown something new."""

ANSWER_S = 10.0
MOST_STREAMS = 24
_LINES = 300
"""Lines of the log that are kept for those who come."""

_COMPLAINTS = 8
_PICTURE_S = 2.0
"""How often a picture is asked for at most: each is large."""


class Silent(Exception):
    """The process that is shown does not answer."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known: a snapshot and its number."""

    number: int
    shown: Shown


class Watching:
    """`streams`: how many browsers look on. `plan`: the one in use; `picture` the last one."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[None] | None = None
        self._news = asyncio.Condition()
        self._ticking: asyncio.Task[None] | None = None
        self._asked_picture_s = float("-inf")
        self._wants_picture = self._awaits_picture = False
        self._answered_s = float("-inf")
        self._complaints: set[str] = set()
        self.ended = asyncio.Event()
        self.streams = 0
        self.state: State | None = None
        self.lines: deque[LineShown] = deque(maxlen=_LINES)
        self.plan: PlanNow | None = None
        self.picture: PictureShown | None = None
        self._loop.add_reader(pipe.fileno(), self._read)

    async def fresh(self, most_s: float) -> State:
        """A state that is not older than this; Silent when none comes."""
        if self.state is None or self._loop.time() - self._answered_s > most_s:
            if self._answer is None:
                self._answer = self._loop.create_future()
                self._ask()
            try:
                await asyncio.wait_for(asyncio.shield(self._answer), ANSWER_S)
            except TimeoutError:
                raise Silent from None
        assert self.state is not None
        return self.state

    async def states(self) -> AsyncIterator[State]:
        """The newest state, whenever there is another one, for as long as somebody looks."""
        self.streams += 1
        try:
            if self._ticking is None:
                self._ticking = asyncio.create_task(self._tick())
            seen = 0
            while True:
                async with self._news:
                    while self._number <= seen:
                        await self._news.wait()
                assert self.state is not None
                seen = self.state.number
                yield self.state
        finally:
            self.streams -= 1

    def want_picture(self) -> None:
        """Somebody looks at pictures: the next frame is to be one, but not too often."""
        now_s = self._loop.time()
        if not self._awaits_picture and now_s - self._asked_picture_s >= _PICTURE_S:
            self._asked_picture_s = now_s
            self._wants_picture = self._awaits_picture = True

    def complain(self, text: str) -> None:
        """Has a fault of the page's said in the log, the first one of each kind."""
        if text not in self._complaints and len(self._complaints) < _COMPLAINTS:
            self._complaints.add(text)
            self._pipe.send(Trouble(text))

    @property
    def _number(self) -> int:
        return 0 if self.state is None else self.state.number

    async def _tick(self) -> None:
        while self.streams:
            try:
                await self.fresh(0.0)
                async with self._news:
                    self._news.notify_all()
            except Silent:
                pass
            await asyncio.sleep(EVERY_S)
        self._ticking = None

    def _ask(self) -> None:
        plan = 0 if self.plan is None else self.plan.number
        line = self.lines[-1].number if self.lines else 0
        picture, self._wants_picture = self._wants_picture, False
        self._pipe.send(Ask(plan, line, picture))

    def _read(self) -> None:
        for message in self._pipe.receive():
            if isinstance(message, Shown):
                self._take(message)
            elif isinstance(message, PictureShown):
                self.picture, self._awaits_picture = message, False
        if self._pipe.ended:
            self._loop.remove_reader(self._pipe.fileno())
            self.ended.set()

    def _take(self, shown: Shown) -> None:
        self._answered_s = self._loop.time()
        self.state = State(self._number + 1, shown)
        self.lines.extend(shown.lines)
        if shown.snapshot.plan is not None:
            self.plan = shown.snapshot.plan
        elif not shown.snapshot.plan_number:
            self.plan = None
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(None)
