"""The inputs of one run, computed one after another under one plan and in one session.

Where the budget has room for the session and for reading and drawing at once, the session keeps its
memory from picture to picture; else it gives it back in between, as a run of one input does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ftdist.cli.files.input_queue import Looked, Queue
from ftdist.errors import BudgetError
from ftdist.many.drawn import Computed
from ftdist.planning.lowering.predictor import SLACK_BYTES
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import ceil_size, format_size
from ftdist.runtime.local import Outputs, Session
from ftdist.runtime.plans.choice import Choice

if TYPE_CHECKING:
    from ftdist.page.local import LocalPage


class Frames:
    """Computes the inputs of a queue; when the last is computed nothing of the session is left.

    `at_end` is called before the session's model is let go, for what it imports and makes would be
    memory that runs lack. `shown` is told of each input.
    """

    def __init__(
        self,
        queue: Queue,
        session: Session,
        repeat: int,
        at_end: Callable[[list[float]], None],
        *,
        keeps: bool,
        shown: LocalPage | None = None,
    ) -> None:
        self._shown = shown
        self._queue = queue
        self._session: Session | None = session
        self._repeat = repeat
        self._at_end: Callable[[list[float]], None] | None = at_end
        self._keeps = keeps
        self.latencies: list[float] = []
        gc.freeze()  # what is here by now stays: looking through it after each picture takes longer

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    def compute(self, looked: Looked) -> Computed | None:
        """The network's answer to an input; None when it could not be read."""
        session, given = self._session, self._queue.take(looked)
        assert session is not None
        if given is None:
            return None
        outputs: Outputs = {}
        for _ in range(self._repeat):
            outputs.clear()
            if self._shown is not None:
                self._shown.began(looked.source.name)
            started = time.perf_counter()
            outputs = session.run(given.array)
            self.latencies.append(time.perf_counter() - started)
            if self._shown is not None:
                self._shown.ended(self.latencies[-1], given.array, outputs)
        return Computed(outputs, given.letterbox)

    def rest(self, *, over: bool) -> None:
        """Makes room for what is done with outputs; for good when the run is over."""
        if self._session is None:
            return
        if over:
            self._session.close()
            if self._at_end is not None:
                self._at_end(self.latencies)
            self._session = self._at_end = None
            give_back_code()
            return
        if not self._keeps:
            self._session.rest()
        gc.collect()  # what pictures leave behind for each other must not add up
        trim_heap()
        give_back_code()


def for_all(choice: Choice, queue: Queue, limit: Budget) -> tuple[Choice, bool]:
    """The choice with the peak of a run of several inputs; whether its session keeps its memory.

    Its programs stay from picture to picture in any case.
    """
    if len(queue.waiting) < 2:
        return choice, False
    parts, largest = choice.footprint, queue.most_beside_bytes
    session = parts.peak_bytes - parts.input - SLACK_BYTES  # that is for while it runs
    session -= choice.context.reading_bytes  # counted in the largest
    if session + largest <= limit.bytes:
        return replace(choice, peak_bytes=max(choice.peak_bytes, session + largest)), True
    rest = session - parts.weights - parts.arenas - parts.boundary_maps
    queue.keep_below(limit.bytes - rest, limit)
    if not queue.waiting:
        smallest = rest + largest
        raise BudgetError(
            f"no input fits {format_size(limit.bytes)} ({limit.origin}); with "
            f"{ceil_size(smallest)} the largest does",
            smallest,
        )
    most = rest + queue.most_beside_bytes
    return replace(choice, peak_bytes=max(choice.peak_bytes, most)), False
