"""What a worker says and does while it belongs to a coordinator: messages and the time in, messages
out, no socket and no clock.

A session begins after the worker's Hello and ends for a reason: the
coordinator refused or left, or has been silent for too long. Computing and weights live beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ftdist.cluster.worker.fetching import Weights
from ftdist.cluster.worker.map_store import MapStore
from ftdist.cluster.worker.task_inputs import Task
from ftdist.cluster.worker.tasks import fetched
from ftdist.protocol.messages import Message
from ftdist.protocol.records import TaskId
from ftdist.protocol.shared_messages import Beat, Drain, ModelChunk, Refusal
from ftdist.protocol.worker_messages import (
    Assign,
    Cancel,
    Failed,
    Fetch,
    Forget,
    Heartbeat,
    Prepare,
    Probe,
    ProbeReply,
    Result,
    Welcome,
)

WELCOME_S = 10.0
"""How long a coordinator may take to answer a Hello."""

MOST_TASKS = 8
"""More than a coordinator that keeps to two at a time ever has here, late cancels included."""

_SHORTEST_BEAT_S, _LONGEST_BEAT_S = 0.02, 60.0


class Tasks(Protocol):
    """What computes."""

    @property
    def count(self) -> int: ...

    @property
    def progress(self) -> int: ...

    def submit(self, task: Task) -> None: ...

    def cancel(self, name: TaskId) -> bool: ...

    def collect(self) -> list[Result | Failed]: ...


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session is over; `final` when another one would end the same way.

    `was_member`: the coordinator had taken the worker in before. `lasting`: another one will end
    so too, until somebody does something.
    """

    reason: str
    final: bool = False
    was_member: bool = False
    lasting: bool = False


class Session:
    """One worker's membership of a cluster, from its Hello on.

    `memory` tells the resident and the peak bytes of the process. `ending` is set when it is over;
    `odd` counts messages that had no place in the conversation.
    """

    def __init__(
        self,
        weights: Weights,
        tasks: Tasks,
        memory: Callable[[], tuple[int, int]],
        now_s: float,
    ) -> None:
        self.welcome: Welcome | None = None
        self.ending: Ending | None = None
        self.leaving = False
        self.odd = 0
        self._weights = weights
        self._tasks = tasks
        self._memory = memory
        self._maps = MapStore()
        self._heard_s = now_s
        self._beat_s = now_s
        self._checking = False

    def hear(self, now_s: float) -> None:
        """Something came: the coordinator is alive."""
        self._heard_s = now_s

    def handle(self, message: Message, now_s: float) -> list[Message]:
        """Takes in one message; returns the answers."""
        self._heard_s = now_s
        match message:
            case Refusal():
                self.ending = Ending(message.reason, message.final)
            case Drain():
                self.ending = Ending(message.reason or "the coordinator ends")
            case Welcome() if self.welcome is None:
                self.welcome = message
                self._beat_s = now_s
            case Probe():
                return [ProbeReply(message.number, now_s)]
            case Beat():
                pass
            case _ if self.welcome is not None:
                return self._work(message, now_s)
            case _:
                self.odd += 1
        return []

    def tick(self, now_s: float) -> list[Message]:
        """What is to be said now without being asked. Does a little work on weights, too."""
        found: list[Message] = [*self._tasks.collect()]
        if self.welcome is None:
            if now_s - self._heard_s > WELCOME_S:
                self.ending = Ending(f"no answer within {WELCOME_S:.0f} s")
            return found
        if now_s - self._heard_s > self._lost_after_s:
            self.ending = Ending(f"the coordinator was silent for {now_s - self._heard_s:.1f} s")
            return found
        self._checking = self._weights.step()
        found += self._weights.ready()
        found += self._weights.requests(now_s)
        if now_s >= self._beat_s:
            self._beat_s = now_s + self._heartbeat_s
            resident, peak = self._memory()
            found.append(Heartbeat(self._tasks.progress, self._tasks.count, resident, peak))
        return found

    def next_s(self, now_s: float) -> float:
        """When ``tick`` has something to do next, if nothing happens before."""
        if self._checking:
            return now_s
        if self.welcome is None:
            return self._heard_s + WELCOME_S
        return min(self._beat_s, self._heard_s + self._lost_after_s)

    @property
    def _heartbeat_s(self) -> float:
        assert self.welcome is not None
        return min(max(self.welcome.heartbeat_s, _SHORTEST_BEAT_S), _LONGEST_BEAT_S)

    @property
    def _lost_after_s(self) -> float:
        assert self.welcome is not None
        return max(self.welcome.lost_after_s, 2 * self._heartbeat_s)

    def _work(self, message: Message, now_s: float) -> list[Message]:
        match message:
            case Prepare():
                self.odd += not self._weights.prepare(message)
            case ModelChunk():
                self.odd += not self._weights.take(message)
            case Assign():
                return self._assign(message, now_s)
            case Cancel():
                self._tasks.cancel(message.task)
            case Fetch():
                return [*fetched(self._maps, message, now_s)]
            case Forget():
                self._maps.forget(message.job, message.before, message.frames)
            case _:
                self.odd += 1
        return []

    def _assign(self, message: Assign, now_s: float) -> list[Message]:
        if self.leaving:
            return []  # Bye says so
        first, stop = message.groups[0].first, message.groups[-1].stop
        if self._tasks.count >= MOST_TASKS:
            return [Failed(message.task, "error", f"{MOST_TASKS} tasks wait here already", 0)]
        model = self._weights.model(message.model, first, stop)
        if model is None:
            text = f"the weights of layers {first} to {stop - 1} are not here"
            return [Failed(message.task, "weights", text, 0)]
        self._tasks.submit(Task(message, model, self._maps, now_s))
        return []
