"""A cluster in one process: the state machine, fake workers and clients, links and a clock.

Messages take their time over links, in order; tasks take their time on workers. Nothing happens by
chance, and nothing waits for a real clock.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ftdist.coordinator.events import (
    Action,
    Arrived,
    AskPlan,
    Ended,
    Event,
    Gone,
    Log,
    Moved,
    Planned,
    Send,
    Shares,
    Stop,
    Tick,
    Traced,
)
from ftdist.coordinator.machine import Coordinator
from ftdist.coordinator.settings import Settings
from ftdist.planning.sharing.plan import SharedPlan
from ftdist.protocol.client_messages import FrameInput, JobResult
from ftdist.protocol.messages import Message
from ftdist.protocol.wire import encode
from ftdist.protocol.worker_messages import Assign, Probe, Result
from support.coordinator.fakeclients import FakeClient
from support.coordinator.fakes import FakeWorker
from support.coordinator.sharedplans import banded, base_seconds, model_of, small_network

Planning = Callable[[AskPlan], SharedPlan | str]


@dataclass
class Node:
    """A worker or client and its link. `frozen`: it is stopped; what comes waits. `dead`: gone."""

    peer: bytes
    who: FakeWorker | FakeClient
    key: str = ""
    local: bool = False
    bytes_per_s: float = 1e8
    latency_s: float = 1e-3
    frozen: bool = False
    dead: bool = False
    free_s: dict[str, float] = field(default_factory=dict)
    waiting: list[Message] = field(default_factory=list)
    busy: bool = False


class Simulation:
    """IntervalSet everything; `planning` answers AskPlan after `planning_s`."""

    def __init__(
        self, settings: Settings | None = None, planning: Planning | None = None, **kwargs: float
    ) -> None:
        self.network = small_network()
        self.model = model_of(self.network)
        self.machine = Coordinator(settings or Settings(trace=True), self.model)
        self.planning: Planning = planning or (lambda ask: banded(self.network, ask.workers))
        self.planning_s = kwargs.get("planning_s", 0.01)
        self.now_s = 100.0
        self.portions = False
        self.shared_link_bytes_per_s = float("inf")
        self._trunk_s = {"down": 0.0, "up": 0.0}
        self.nodes: dict[bytes, Node] = {}
        self.logs: list[str] = []
        self.traced: list[Traced] = []
        self.asked: list[AskPlan] = []
        self.shares: list[Shares] = []
        self.sent: list[tuple[float, Node, Message]] = []
        self.ended = False
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._peers = itertools.count(1)

    # ---- who takes part

    def worker(self, name: str, *, local: bool = False, key: str = "", **said: float) -> Node:
        """A worker connects and says hello."""
        node = self._node(FakeWorker(name, self.network, **said), key)
        node.local = local
        self.say_hello(node)
        self._beats(node)
        return node

    def client(self, job: str, frames: int, *, key: str = "", **traits: Any) -> Node:
        """A client connects and submits its job."""
        node = self._node(FakeClient(job, frames, self.network, **traits), key)
        self.post(node, self.as_client(node).submit())
        return node

    def reconnect(self, node: Node) -> Node:
        """The same worker or client again, over a new connection."""
        node.dead = True
        again = self._node(node.who, node.key)
        again.local, again.bytes_per_s, again.latency_s = (
            node.local,
            node.bytes_per_s,
            node.latency_s,
        )
        if isinstance(node.who, FakeClient):
            self.post(again, node.who.submit())
        else:
            self.say_hello(again)
            self._beats(again)
        return again

    def say_hello(self, node: Node) -> None:
        node.busy = False
        self.post(node, self.as_worker(node).hello())

    def _node(self, who: FakeWorker | FakeClient, key: str) -> Node:
        node = Node(b"peer%d" % next(self._peers), who, key)
        self.nodes[node.peer] = node
        return node

    @staticmethod
    def as_worker(node: Node) -> FakeWorker:
        assert isinstance(node.who, FakeWorker)
        return node.who

    @staticmethod
    def as_client(node: Node) -> FakeClient:
        assert isinstance(node.who, FakeClient)
        return node.who

    # ---- what happens to them

    def kill(self, node: Node) -> None:
        """The process is gone; the coordinator finds out when it sends something, or by silence."""
        node.dead = True

    def freeze(self, node: Node) -> None:
        node.frozen = True

    def thaw(self, node: Node) -> None:
        """The process goes on: first it sees what came meanwhile."""
        node.frozen = False
        waiting, node.waiting = node.waiting, []
        for message in waiting:
            self._take(node, message)
        self._work(node)

    # ---- time

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.now_s + delay_s, next(self._count), what))

    def run(self, seconds: float) -> None:
        """Lets so much time pass."""
        end_s = self.now_s + seconds
        while self._step(end_s):
            pass
        self.now_s = end_s

    def run_until(self, condition: Callable[[], bool], most_s: float = 300.0) -> None:
        """Lets time pass until a condition holds; fails the test if it never does."""
        end_s = self.now_s + most_s
        while not condition():
            assert self._step(end_s), f"still not so after {most_s} s; {self.logs[-5:]}"

    def _step(self, end_s: float) -> bool:
        """The next thing that happens before `end_s`; returns whether there was one."""
        tick_s = max(self.machine.next_s, self.now_s)
        later_s = self._later[0][0] if self._later else float("inf")
        if min(tick_s, later_s) > end_s:
            return False
        if later_s <= tick_s:
            self.now_s, _, what = heapq.heappop(self._later)
            what()
        else:
            self.now_s = tick_s
            self.handle(Tick())
        return True

    # ---- messages

    def handle(self, event: Event) -> None:
        """Gives the machine an event, and does what it says."""
        for action in self.machine.handle(event, self.now_s):
            self._do(action)

    def stop(self) -> None:
        self.handle(Stop())

    def post(self, node: Node, message: Message) -> None:
        """A message from a worker or client sets out."""
        if node.dead:
            return
        event = Arrived(node.peer, message, node.key, node.local)
        delay_s = self._delay_s(node, "up", message)
        self.after(delay_s, lambda: self.handle(event))

    def _do(self, action: Action) -> None:
        match action:
            case Send(peer=peer, message=message):
                self._send(self.nodes[peer], message)
            case AskPlan():
                self.asked.append(action)
                self.after(self.planning_s, lambda: self._plan(action))
            case Log(text=text):
                assert "\n" not in text
                self.logs.append(text)
            case Traced():
                assert action.start_s <= action.end_s <= self.now_s
                self.traced.append(action)
            case Shares():
                self.shares.append(action)
                for peer in action.peers:
                    self.as_worker(self.nodes[peer]).ahead = 2
            case Ended():
                self.ended = True

    def _plan(self, ask: AskPlan) -> None:
        plan = self.planning(ask)
        if isinstance(plan, str):
            self.handle(Planned(ask.number, None, plan))
        else:
            self.handle(Planned(ask.number, plan))

    def _send(self, node: Node, message: Message) -> None:
        encode(message)  # it keeps its limits
        if node.dead:
            self.after(0.0, lambda: self.handle(Gone(node.peer)))
            return
        self.sent.append((self.now_s, node, message))
        self.after(self._delay_s(node, "down", message), lambda: self._take(node, message))

    def _delay_s(self, node: Node, way: str, message: Message) -> float:
        """Until a message is through, after those before it."""
        size = size_of(message)
        free_s = max(node.free_s.get(way, 0.0), self.now_s) + size / node.bytes_per_s
        shared_s = max(self._trunk_s[way], self.now_s) + size / self.shared_link_bytes_per_s
        node.free_s[way] = free_s = max(free_s, shared_s)
        self._trunk_s[way] = shared_s
        if self.portions:
            self._move(node, size, free_s)
        return free_s - self.now_s + node.latency_s

    def _move(self, node: Node, size: int, until_s: float) -> None:
        """What takes long is heard of meanwhile, a portion at a time."""
        at_s = self.now_s + 0.25
        while at_s < until_s:
            left = int(size * (until_s - at_s) / (until_s - self.now_s))
            self.after(at_s - self.now_s, lambda left=left: self._moved(node, left))  # type: ignore[misc]
            at_s += 0.25

    def _moved(self, node: Node, left_bytes: int) -> None:
        if not node.dead and not node.frozen:
            self.handle(Moved(node.peer, left_bytes))

    def _take(self, node: Node, message: Message) -> None:
        if node.dead:
            return
        if node.frozen:
            node.waiting.append(message)
            return
        for answer in node.who.receive(message, self.now_s):
            self.post(node, answer)
        if isinstance(node.who, FakeWorker):
            refused = node.who.refused
            if refused is not None and not refused.final:
                self.after(0.5, lambda: self._again(node))
            self._work(node)

    def _again(self, node: Node) -> None:
        """A worker that was refused says hello again."""
        refused = self.as_worker(node).refused
        if refused is not None and not node.frozen and not node.dead:
            self.say_hello(node)

    # ---- work

    def _beats(self, node: Node) -> None:
        if node.dead:
            return
        if not node.frozen:
            self.post(node, self.as_worker(node).heartbeat())
        self.after(1.0, lambda: self._beats(node))

    def _work(self, node: Node) -> None:
        """Begins the first task, if none runs."""
        worker = node.who
        if not isinstance(worker, FakeWorker) or node.busy or not worker.tasks:
            return
        assign = worker.tasks[0]
        first, stop = assign.groups[0].first, assign.groups[-1].stop
        seconds = base_seconds(self.network, first, stop, assign.region) * worker.relative_time
        node.busy = True
        started_s = self.now_s
        self.after(seconds, lambda: self._done(node, assign, started_s))

    def _done(self, node: Node, assign: Assign, started_s: float) -> None:
        worker = self.as_worker(node)
        if node.frozen and not node.dead:
            self.after(0.25, lambda: self._done(node, assign, started_s))
            return
        if node.dead or not worker.tasks or worker.tasks[0] is not assign:
            return
        node.busy = False
        for message in worker.work(self.now_s, started_s=started_s):
            self.post(node, message)
        self._work(node)


def size_of(message: Message) -> int:
    """Bytes that count on a link."""
    match message:
        case Assign(pieces=pieces) | Result(pieces=pieces):
            return 200 + sum(piece.data.nbytes for piece in pieces)
        case FrameInput(pieces=pieces) | JobResult(pieces=pieces):
            return 200 + sum(piece.data.nbytes for piece in pieces)
        case Probe(data=data):
            return 100 + int(data.nbytes)
    return 100
