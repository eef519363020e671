"""Reading, computing and finishing pictures overlap, in bounded memory; results come in order.

A picture passes three stages: it is read, computed, finished (its answer found, drawn, written).
Two sorts of threads do that. Each lane has a session, and computes; a lane that finds nothing to
compute finishes or reads, so none waits while there is something to do. Helpers only finish and
read, so that a disk or a long decoding keeps no lane waiting. At most `hand` pictures are in hand
at the same time, between the beginning of their reading and the end of their finishing: that and
nothing else bounds what they take. Results are few bytes; of those that wait for an earlier one
there are no more than `_AHEAD` times as many.

    lane        computes, else finishes, else reads
    helper      finishes, else reads; begins again when little is left to be computed
    consumer    takes results in the order of the inputs
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ftdist.errors import FtdistError, InputError
from ftdist.many.room import Closed

_AHEAD = 4
_BUNCH_S = 0.02
"""How long a result may wait for others before the consumer takes them: each time that it is woken
a thread that computes stands still."""

Item = TypeVar("Item")
Read = TypeVar("Read")
Computed = TypeVar("Computed")
Result = TypeVar("Result")
Given = TypeVar("Given")
Made_co = TypeVar("Made_co", covariant=True)


class Stages(Protocol[Given, Read, Computed, Made_co]):
    """What is done with an item; InputError in any stage makes that its result."""

    def read(self, item: Given) -> Read: ...

    def compute(self, lane: int, item: Given, read: Read) -> Computed: ...

    def finish(self, item: Given, computed: Computed) -> Made_co: ...

    def done_with(self, item: Given) -> Given:
        """What is left of an item once it is finished: few bytes, as results are."""

    def stop(self) -> None:
        """Ends the waiting of threads within a stage."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many threads compute, how many help, and how many pictures are in hand at most."""

    lanes: int
    helpers: int
    hand: int


@dataclass(frozen=True, slots=True)
class Finished(Generic[Item, Result]):
    """What came of an item: a result, or why there is none."""

    number: int
    item: Item
    result: Result | InputError


def in_order(
    items: Iterator[Item], stages: Stages[Item, Read, Computed, Result], crowd: Crowd
) -> Generator[Finished[Item, Result], None, None]:
    """Passes all items through the stages; gives what came of each, in their order.

    Any other error than an InputError is raised here. When the generator is closed, or
    anything is raised in whoever uses it, all threads have ended before that goes on.
    """
    hall = _Hall(items, stages, crowd)
    threads = [
        threading.Thread(target=hall.serve, args=(lane,), name=f"ftdist-{what}", daemon=True)
        for lane, what in [
            *((number, f"lane-{number}") for number in range(crowd.lanes)),
            *((None, f"helper-{number}") for number in range(crowd.helpers)),
        ]
    ]
    try:
        for thread in threads:
            try:
                thread.start()
            except RuntimeError as error:
                raise FtdistError(f"{error}; use fewer threads") from None
        while found := hall.take():
            yield from found
    finally:
        hall.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


class _Hall(Generic[Item, Read, Computed, Result]):
    """Where pictures wait between stages, and threads for pictures."""

    def __init__(
        self,
        items: Iterator[Item],
        stages: Stages[Item, Read, Computed, Result],
        crowd: Crowd,
    ) -> None:
        self._items = items
        self._stages = stages
        self._crowd = crowd
        self._lock = lock = threading.Lock()
        self._changed, self._ready = threading.Condition(lock), threading.Condition(lock)
        """What threads wait for, and what the consumer does: it is woken for several results."""
        self._waiting = 0
        self._low = threading.Condition(lock)
        """What helpers wait for: when one begins a lane stands still, and its code is in no cache.
        So they begin when little is left to be computed, and do all there is."""
        self._read: deque[tuple[int, Item, Read]] = deque()
        self._computed: deque[tuple[int, Item, Computed]] = deque()
        self._finished: dict[int, Finished[Item, Result]] = {}
        self._fetched = self._given = self._in_hand = 0
        self._fetching = self._exhausted = False
        self._ended = False
        """All is done, or something failed, or nobody wants it: threads end."""
        self._failure: BaseException | None = None

    def take(self) -> list[Finished[Item, Result]]:
        """Waits for the next results in order; none after the last."""
        with self._lock:
            while self._given not in self._finished:
                if self._failure is not None:
                    raise self._failure
                if self._exhausted and self._given == self._fetched:
                    return []
                self._ready.wait(_BUNCH_S)
            if self._is_ahead:  # who waits for that may go on
                self._wake()
            found = []
            while self._given in self._finished:
                found.append(self._finished.pop(self._given))
                self._given += 1
            return found

    def stop(self) -> None:
        with self._lock:
            self._end_all()
        self._stages.stop()

    def serve(self, lane: int | None) -> None:
        """What a thread does until all is done."""
        try:
            while self._step(lane):
                pass
        except Closed:
            pass
        except BaseException as error:  # whatever it is, the consumer raises it
            with self._lock:
                self._failure = self._failure or error
                self._end_all()

    def _step(self, lane: int | None) -> bool:
        """Does one thing; False when nothing is left to do."""
        with self._lock:
            while True:
                if self._ended:
                    return False
                if lane is not None and self._read:
                    number, item, read = self._read.popleft()
                    self._wake()
                    job = "compute"
                    break
                if self._computed:
                    number, item, computed = self._computed.popleft()
                    job = "finish"
                    break
                if self._may_fetch:
                    self._fetching = True
                    self._in_hand += 1
                    job = "read"
                    break
                self._wait(lane)
        if job == "read":
            self._fetch_and_read()
        elif job == "compute":
            assert lane is not None
            self._compute(lane, number, item, read)
        else:
            self._finish(number, item, computed)
        return True

    @property
    def _may_fetch(self) -> bool:
        if self._fetching or self._exhausted or self._in_hand >= self._crowd.hand:
            return False
        return not self._is_ahead

    @property
    def _is_ahead(self) -> bool:
        """Whether so many results wait, for others or for the consumer, that none is read."""
        return self._fetched - self._given >= _AHEAD * self._crowd.hand

    def _fetch_and_read(self) -> None:
        item = next(self._items, None)
        with self._lock:
            self._fetching = False
            if item is None:
                self._exhausted = True
                self._in_hand -= 1
                self._wake()
                if not self._in_hand:
                    self._end_all()
                return
            number = self._fetched
            self._fetched += 1
            self._wake()
        try:
            read = self._stages.read(item)
        except InputError as error:
            self._end(number, item, error)
            return
        with self._lock:
            self._read.append((number, item, read))
            self._wake()

    def _compute(self, lane: int, number: int, item: Item, read: Read) -> None:
        try:
            computed = self._stages.compute(lane, item, read)
        except InputError as error:
            self._end(number, item, error)
            return
        with self._lock:
            self._computed.append((number, item, computed))
            self._wake()

    def _finish(self, number: int, item: Item, computed: Computed) -> None:
        try:
            result: Result | InputError = self._stages.finish(item, computed)
        except InputError as error:
            result = error
        self._end(number, item, result)

    def _end(self, number: int, item: Item, result: Result | InputError) -> None:
        item = self._stages.done_with(item)
        with self._lock:
            self._finished[number] = Finished(number, item, result)
            self._in_hand -= 1
            self._wake()
            if len(self._finished) >= self._crowd.hand:
                self._ready.notify_all()
            if self._exhausted and not self._in_hand:
                self._end_all()

    def _wait(self, lane: int | None) -> None:
        if lane is None:
            self._low.wait()
            return
        self._waiting += 1
        self._changed.wait()
        self._waiting -= 1

    def _wake(self) -> None:
        """Has those look again who found nothing to do; mostly there are none."""
        if self._waiting:
            self._changed.notify_all()
        if len(self._read) <= self._crowd.lanes or self._exhausted:
            self._low.notify_all()

    def _end_all(self) -> None:
        self._ended = True
        self._low.notify_all()
        self._changed.notify_all()
        self._ready.notify_all()
