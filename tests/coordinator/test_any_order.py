"""Any order of joins, losses, silences, results, duplicates and failures ends well.

Whatever happened, once things are let run their course every frame's result reaches the client,
right (``fakes`` check every value on the way), and once for each time that it submitted its job.
So does every band's, where pictures are computed in bands.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.coordinator.books import Books
from support.coordinator.manual import Line, Manual
from support.coordinator.sharedplans import banded, gridded, in_bands, mixed

from ftdist.coordinator.events import Gone, Moved, Planned
from ftdist.coordinator.settings import Settings
from ftdist.geometry import Region
from ftdist.protocol.client_messages import StatusRequest
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import Refusal
from ftdist.protocol.worker_messages import Result

FRAMES = 8
BAND_ROWS = 2
"""A third of the small network's last output."""


class AnyOrder(RuleBasedStateMachine):
    """Rules are what may happen; ``teardown`` lets it end."""

    cluster: Manual

    @initialize(
        kind=st.sampled_from(["bands", "grid", "mixed", "rows"]),
        seed=st.integers(0, 1000),
        second=st.booleans(),
    )
    def begin(self, kind: str, seed: int, second: bool) -> None:
        chosen = {
            "bands": lambda ask: banded(self.cluster.network, ask.workers),
            "grid": lambda ask: gridded(self.cluster.network, ask.workers),
            "rows": lambda ask: in_bands(self.cluster.network, ask.workers, BAND_ROWS),
            "mixed": lambda ask: mixed(self.cluster.network, ask.workers, seed + ask.number),
        }
        self.books = Books().__enter__()
        rows = BAND_ROWS if kind == "rows" else 0
        self.cluster = Manual(Settings(in_flight=3, losses=1000, band_rows=rows), chosen[kind])
        self.sent: deque[tuple[Line, Message]] = deque(maxlen=20)
        self.failures: list[str] = []
        self.clients = [self.cluster.client("job", FRAMES, seed=1)]
        if second:
            self.clients.append(self.cluster.client("other", 2, seed=2, picture=False))
        for name in "abc":
            self.cluster.worker(name)
        self.cluster.plan()
        self.cluster.exchange()

    def alive(self) -> list[Line]:
        return [line for line in self.cluster.workers() if not line.cut]

    def one_of(self, lines: list[Line], index: int) -> Line | None:
        return lines[index % len(lines)] if lines else None

    def busy(self, index: int) -> Line | None:
        """A worker that has a task, if there is any that could."""
        for line in self.alive():
            self.cluster.deliver(line)
        return self.one_of([a for a in self.alive() if a.worker.tasks and not a.deaf], index)

    # ---- workers

    @rule(name=st.sampled_from("abc"), credit=st.sampled_from([1, 1500, 1 << 20]))
    def join(self, name: str, credit: int) -> None:
        if len(self.alive()) < 4:
            self.cluster.worker(name, credit_bytes=credit)

    @rule(index=st.integers(0, 3), count=st.integers(1, 8))
    def deliver(self, index: int, count: int) -> None:
        """Some messages go both ways on one line."""
        line = self.one_of(self.alive(), index)
        for _ in range(count):
            if line is None:
                return
            self.cluster.deliver(line)
            self.hand_in(line)

    def hand_in(self, line: Line) -> None:
        if line.outbox and not line.deaf:
            self.sent.append((line, line.outbox[0]))
        self.cluster.hand_in(line)

    @rule(index=st.integers(0, 3), parts=st.integers(1, 3), count=st.integers(1, 6))
    def work(self, index: int, parts: int, count: int) -> None:
        """A worker does some tasks, and hands in the results."""
        for _ in range(count):
            line = self.busy(index)
            if line:
                self.cluster.work(line, parts)
                while line.outbox:
                    self.hand_in(line)

    @rule(count=st.integers(1, 12))
    def go_on(self, count: int) -> None:
        """Everybody does something."""
        for _ in range(count):
            if self.cluster.questions:
                self.cluster.plan()
            for line in self.alive():
                self.cluster.deliver(line)
                self.cluster.work(line)
                self.hand_in(line)
            self.cluster.exchange(*self.clients)

    @rule(index=st.integers(0, 3))
    def stop_or_continue(self, index: int) -> None:
        """SIGSTOP, or SIGCONT."""
        line = self.one_of(self.alive(), index)
        if line:
            line.deaf = not line.deaf

    @rule(index=st.integers(0, 3), noticed=st.booleans())
    def kill(self, index: int, noticed: bool) -> None:
        """A worker is gone, and that is noticed at once or not."""
        line = self.one_of(self.alive(), index)
        if line:
            self.cluster.cut(line)
            if noticed:
                self.cluster.handle(Gone(line.peer))

    @rule(index=st.integers(0, 3), reason=st.sampled_from(["error", "memory", "weights", "kept"]))
    def fail(self, index: int, reason: str) -> None:
        """A worker cannot do a task; what it kept is gone when it says so."""
        line = self.busy(index)
        if line and self.failures.count(reason) < (2 if reason in ("error", "weights") else 20):
            worker = line.worker
            self.failures.append(reason)
            if reason == "weights":
                line.outbox.append(worker.lose_weights())
            elif reason == "kept":
                line.outbox.extend(worker.lose_kept())
            else:
                line.outbox.append(worker.fail(reason, 65 << 20))

    @rule(index=st.integers(0, 5), left_bytes=st.integers(0, 1 << 20), late=st.booleans())
    def move(self, index: int, left_bytes: int, late: bool) -> None:
        """Bytes move: a result has begun to come, or somebody's who is gone did before (`late`)."""
        line = self.one_of([*self.alive(), *self.clients], index)
        if not line or line.deaf:
            return
        if not late and line not in self.clients:
            self.cluster.work(line, 2)
        results = [each for each in line.outbox if isinstance(each, Result)]
        if late:
            results = [each for _, each in self.sent if isinstance(each, Result)]
        self.cluster.handle(Moved(line.peer, left_bytes, results[0].task if results else None))

    # ---- messages that should not be

    @rule(index=st.integers(0, 19))
    def again(self, index: int) -> None:
        """A message that came before comes once more, if need be from somebody gone."""
        if self.sent:
            line, message = self.sent[index % len(self.sent)]
            if isinstance(message, Result):
                self.cluster.say(line, message)

    @rule(index=st.integers(0, 19), other=st.integers(0, 3))
    def from_another(self, index: int, other: int) -> None:
        """A result comes from a worker that never had the task."""
        line = self.one_of(self.alive(), other)
        if self.sent and line:
            message = self.sent[index % len(self.sent)][1]
            if isinstance(message, Result):
                self.cluster.say(line, message)

    @rule(index=st.integers(0, 3), flaw=st.sampled_from(["place", "shape", "dtype", "lacking"]))
    def nonsense(self, index: int, flaw: str) -> None:
        """A worker sends something else than it was asked for: it is sent away for good."""
        line = self.busy(index)
        if line:
            task = line.worker.tasks[0].task
            place = line.worker.tasks[0].returns[:1]
            source, region = (
                (place[0].source, place[0].region) if place else (0, Region(0, 1, 0, 1))
            )
            size = [
                region.rows.size,
                region.columns.size,
                self.cluster.network.shape(source).channels,
            ]
            size[2] += flaw == "shape"
            region = Region(*(each + 1000 for each in region)) if flaw == "place" else region
            dtype = np.uint8 if flaw == "dtype" else np.float32
            pieces = () if flaw == "lacking" else (Piece(source, region, np.zeros(size, dtype)),)
            if flaw == "lacking" and not place:
                return
            line.worker.tasks.popleft()
            self.cluster.say(line, Result(task, False, pieces, 0.0, 0.0, 0.0, 0))
            for refusal in line.got(Refusal):  # none, if nobody wanted the task any more
                assert refusal.final == ("wrong result" in refusal.reason)
                if refusal.final:
                    self.cluster.cut(line)

    # ---- planning, time, the client

    @precondition(lambda self: self.cluster.questions)
    @rule(fits=st.booleans())
    def plan(self, fits: bool) -> None:
        """Planning answers."""
        if fits:
            self.cluster.plan()
        else:
            ask = self.cluster.questions.pop(0)
            self.cluster.handle(Planned(ask.number, None, "nothing fits"))

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def wait(self, seconds: float) -> None:
        self.cluster.wait(seconds)

    @rule(index=st.integers(0, 1), count=st.integers(1, 4))
    def serve_client(self, index: int, count: int) -> None:
        line = self.clients[index % len(self.clients)]
        for _ in range(count):
            self.cluster.deliver(line)
            self.cluster.hand_in(line)

    @rule(index=st.integers(0, 1), noticed=st.booleans())
    def client_comes_back(self, index: int, noticed: bool) -> None:
        """A client's connection ends; it submits its job again."""
        index %= len(self.clients)
        line = self.clients[index]
        self.cluster.cut(line)
        if noticed:
            self.cluster.handle(Gone(line.peer))
        self.clients[index] = self.cluster.connect(line.who)
        self.cluster.hand_in(self.clients[index])

    @rule(index=st.integers(0, 1))
    def other_frames(self, index: int) -> None:
        """A client gives its job up and submits other frames under the same name."""
        line = self.clients[index % len(self.clients)]
        line.inbox.clear()
        line.outbox.clear()
        self.cluster.say(line, line.client.other_frames())
        line.inbox.clear()
        line.outbox.append(line.client.submit())

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        with self.books:
            self.end_well()

    def end_well(self) -> None:
        cluster = self.cluster
        for line in cluster.lines.values():
            line.deaf = False
        for _ in range(4):
            cluster.run()
            cluster.wait(3.0)
        cluster.worker("last")
        for _ in range(10):
            cluster.run()
            cluster.wait(1.0)
        for line in self.clients:
            assert line.client.failed is None
            assert line.client.finished, cluster.logs
        cluster.say(self.clients[0], StatusRequest(PROTOCOL))
        cluster.exchange()
        status = self.clients[0].client.status
        assert status is not None and status.jobs == ()
        assert sum(worker.tasks for worker in status.workers) == 0


@pytest.mark.parametrize("seed", range(1))
def test_any_order_ends_well(seed: int) -> None:
    AnyOrder.TestCase.settings = settings()
    run_state_machine_as_test(
        AnyOrder, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
