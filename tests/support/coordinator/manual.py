"""A cluster by hand: every message waits until the test delivers it, every task until it is worked.

Where ``simulation`` shows what happens by itself, here a test says what happens when: in any order,
twice, late, or not at all.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ftdist.coordinator.events import (
    Action,
    Arrived,
    AskPlan,
    Event,
    Gone,
    Log,
    Planned,
    Send,
    Tick,
)
from ftdist.coordinator.machine import Coordinator
from ftdist.coordinator.settings import Settings
from ftdist.planning.sharing.plan import SharedPlan
from ftdist.protocol.messages import Message
from ftdist.protocol.wire import encode
from support.coordinator.fakeclients import FakeClient
from support.coordinator.fakes import FakeWorker
from support.coordinator.sharedplans import banded, model_of, small_network

Planning = Callable[[AskPlan], SharedPlan]


@dataclass
class Line:
    """A connection: who is at its end, and what is on its way to and from there.

    `deaf`: the process is stopped. `cut`: nothing comes through any more.
    """

    peer: bytes
    who: FakeWorker | FakeClient
    key: str = ""
    local: bool = False
    inbox: deque[Message] = field(default_factory=deque)
    outbox: deque[Message] = field(default_factory=deque)
    deaf: bool = False
    cut: bool = False

    @property
    def worker(self) -> FakeWorker:
        assert isinstance(self.who, FakeWorker)
        return self.who

    @property
    def client(self) -> FakeClient:
        assert isinstance(self.who, FakeClient)
        return self.who

    def got(self, kind: type) -> list[Any]:
        """The messages of a kind that are on their way to it."""
        return [message for message in self.inbox if type(message) is kind]


class Manual:
    """`questions`: what planning was asked and did not answer yet."""

    def __init__(
        self,
        settings: Settings | None = None,
        planning: Planning | None = None,
    ) -> None:
        self.network = small_network()
        settings = settings or Settings()
        self.machine = Coordinator(settings, model_of(self.network, settings.band_rows))
        self.planning: Planning = planning or (lambda ask: banded(self.network, ask.workers))
        self.now_s = 100.0
        self.lines: dict[bytes, Line] = {}
        self.questions: list[AskPlan] = []
        self.logs: list[str] = []
        self.others: list[Action] = []
        self._peers = itertools.count(1)

    # ---- who takes part

    def connect(self, who: FakeWorker | FakeClient, **traits: Any) -> Line:
        """Somebody connects; its first message is on its way."""
        line = Line(b"peer%d" % next(self._peers), who, **traits)
        self.lines[line.peer] = line
        line.outbox.append(who.hello() if isinstance(who, FakeWorker) else who.submit())
        return line

    def worker(self, name: str, *, key: str = "", local: bool = False, **said: Any) -> Line:
        """A worker joins: Hello, Welcome, probes, all delivered."""
        line = self.connect(FakeWorker(name, self.network, **said), key=key, local=local)
        self.exchange(line)
        return line

    def client(self, job: str, frames: int, *, key: str = "", **traits: Any) -> Line:
        """A client submits its job: delivered, and answered."""
        line = self.connect(FakeClient(job, frames, self.network, **traits), key=key)
        self.exchange(line)
        return line

    def cut(self, line: Line) -> None:
        """The connection is no more; the coordinator finds out when it sends something."""
        line.cut = True
        line.inbox.clear()
        line.outbox.clear()

    # ---- what happens

    def handle(self, event: Event) -> list[Action]:
        """Gives the machine an event, and puts what it sends on its way."""
        gone: list[bytes] = []
        actions = self.machine.handle(event, self.now_s)
        for action in actions:
            match action:
                case Send(peer=peer, message=message):
                    encode(message)  # it keeps its limits
                    if self.lines[peer].cut:
                        gone.append(peer)
                    else:
                        self.lines[peer].inbox.append(message)
                case AskPlan():
                    self.questions.append(action)
                case Log(text=text):
                    self.logs.append(text)
                case _:
                    self.others.append(action)
        for peer in gone:
            self.handle(Gone(peer))
        return actions

    def say(self, line: Line, message: Message) -> list[Action]:
        """A message arrives at the coordinator at once."""
        return self.handle(Arrived(line.peer, message, line.key, line.local))

    def deliver(self, line: Line) -> bool:
        """The next message reaches a worker or client; returns whether there was one."""
        if line.deaf or not line.inbox:
            return False
        line.outbox.extend(line.who.receive(line.inbox.popleft(), self.now_s))
        if isinstance(line.who, FakeWorker) and line.who.refused is not None:
            refused, line.who.refused = line.who.refused, None
            if not refused.final:
                line.outbox.append(line.who.hello())
        return True

    def hand_in(self, line: Line) -> bool:
        """The next message reaches the coordinator; returns whether there was one."""
        if line.deaf or not line.outbox:
            return False
        self.say(line, line.outbox.popleft())
        return True

    def exchange(self, *lines: Line) -> None:
        """Delivers all that is on its way on these lines (all, if none is named)."""
        busy = True
        while busy:
            busy = False
            for line in lines or tuple(self.lines.values()):
                while self.hand_in(line) or self.deliver(line):
                    busy = True

    def work(self, line: Line, parts: int = 1) -> bool:
        """A worker ends its first task; returns whether it had one."""
        if line.deaf or line.cut or not line.worker.tasks:
            return False
        line.outbox.extend(line.worker.work(self.now_s, parts))
        return True

    def plan(self, plan: SharedPlan | None = None) -> None:
        """Answers the oldest question."""
        ask = self.questions.pop(0)
        self.handle(Planned(ask.number, plan or self.planning(ask)))

    def run(self, most: int = 10_000) -> None:
        """Delivers, plans and works until nothing is left to do."""
        for _ in range(most):
            self.exchange()
            if self.questions:
                self.plan()
            elif not any(self.work(line) for line in self.workers()):
                return
        raise AssertionError("it never ends")

    def workers(self) -> list[Line]:
        """The lines of workers."""
        return [line for line in self.lines.values() if isinstance(line.who, FakeWorker)]

    def wait(self, seconds: float, *, beats: bool = True) -> None:
        """Time passes; workers that are not stopped get what was sent to them, and beat."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(end_s, self.now_s + 0.25)
            for line in self.workers() if beats else ():
                while self.deliver(line):
                    pass
                if not (line.deaf or line.cut) and line.worker.welcome is not None:
                    line.outbox.append(line.worker.heartbeat())
                while self.hand_in(line):
                    pass
            if self.machine.next_s <= self.now_s:
                self.handle(Tick())
