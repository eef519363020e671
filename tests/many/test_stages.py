"""Stages that overlap: by events, never by time. What must happen at the same time would hang."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from support.command import GUARD_S

from ftdist.errors import InputError
from ftdist.many.stages import Crowd, in_order


class Stages:
    """Numbers that pass; what each stage waits for, and what was seen to be in hand."""

    def __init__(self) -> None:
        self.waits: dict[tuple[str, int], threading.Event] = {}
        self.reached: dict[tuple[str, int], threading.Event] = {}
        self.stopped = threading.Event()
        self.in_hand: set[int] = set()
        self.most_in_hand = 0
        self.lanes: set[int] = set()
        self._lock = threading.Lock()

    def hold(self, stage: str, item: int) -> threading.Event:
        """An event without which the stage does not go on with that item."""
        return self.waits.setdefault((stage, item), threading.Event())

    def arrival(self, stage: str, item: int) -> threading.Event:
        """Is set when the item reaches the stage."""
        with self._lock:
            return self.reached.setdefault((stage, item), threading.Event())

    def _pass(self, stage: str, item: int) -> None:
        self.arrival(stage, item).set()
        wait = self.waits.get((stage, item))
        if wait is not None:
            assert wait.wait(GUARD_S)

    def read(self, item: int) -> int:
        with self._lock:
            self.in_hand.add(item)
            self.most_in_hand = max(self.most_in_hand, len(self.in_hand))
        self._pass("read", item)
        if item % 10 == 7:
            self._gone(item)
            raise InputError(f"{item} is broken")
        return item

    def compute(self, lane: int, item: int, read: int) -> int:
        self.lanes.add(lane)
        self._pass("compute", item)
        return 2 * read

    def finish(self, item: int, computed: int) -> int:
        self._pass("finish", item)
        self._gone(item)
        return computed + 1

    def done_with(self, item: int) -> int:
        return item

    def stop(self) -> None:
        self.stopped.set()
        for each in self.waits.values():
            each.set()

    def _gone(self, item: int) -> None:
        with self._lock:
            self.in_hand.discard(item)


@pytest.mark.parametrize("crowd", [Crowd(1, 0, 1), Crowd(1, 1, 3), Crowd(3, 2, 8)])
def test_results_come_in_order_and_errors_in_their_place(crowd: Crowd) -> None:
    stages = Stages()
    found = list(in_order(iter(range(40)), stages, crowd))
    assert [each.number for each in found] == [each.item for each in found] == list(range(40))
    for each in found:
        if each.item % 10 == 7:
            assert isinstance(each.result, InputError)
        else:
            assert each.result == 2 * each.item + 1
    assert stages.most_in_hand <= crowd.hand
    assert not stages.in_hand


def test_of_what_waits_there_is_what_is_left_of_it() -> None:
    class Leaves(Stages):
        def done_with(self, item: int) -> int:
            return -item

    found = list(in_order(iter(range(20)), Leaves(), Crowd(2, 1, 4)))
    assert [each.item for each in found] == [-number for number in range(20)]


def test_one_is_read_and_one_finished_while_another_is_computed() -> None:
    """The lane stays with item 1 until 0 has been finished and 2 has been read."""
    stages = Stages()
    goes_on = stages.hold("compute", 1)
    results = in_order(iter(range(4)), stages, Crowd(1, 1, 3))
    assert next(results).item == 0
    assert stages.arrival("compute", 1).wait(GUARD_S)
    assert stages.arrival("read", 2).wait(GUARD_S)
    goes_on.set()
    assert [each.item for each in results] == [1, 2, 3]


def test_lanes_compute_at_the_same_time() -> None:
    stages = Stages()
    first, second = stages.hold("compute", 0), stages.hold("compute", 1)
    results = in_order(iter(range(2)), stages, Crowd(2, 0, 4))
    ended: list[int] = []
    consumer = threading.Thread(target=lambda: ended.extend(each.item for each in results))
    consumer.start()
    assert stages.arrival("compute", 0).wait(GUARD_S)
    assert stages.arrival("compute", 1).wait(GUARD_S)
    second.set()
    first.set()
    consumer.join()
    assert ended == [0, 1] and stages.lanes == {0, 1}


def test_what_is_ahead_of_a_slow_one_is_bounded() -> None:
    """With 4 in hand no more than 16 are taken before the first has been given."""
    stages = Stages()
    goes_on = stages.hold("finish", 0)

    def items() -> Iterator[int]:
        for number in (n for n in range(100) if n % 10 != 7):
            assert number < 18 or goes_on.is_set()
            yield number

    results = in_order(items(), stages, Crowd(2, 1, 4))
    ended: list[int] = []
    consumer = threading.Thread(target=lambda: ended.extend(each.item for each in results))
    consumer.start()
    assert stages.arrival("finish", 16).wait(GUARD_S)
    goes_on.set()
    consumer.join()
    assert len(ended) == 90


def test_a_failure_that_is_not_the_inputs_is_raised_and_all_threads_end() -> None:
    class Fails(Stages):
        def compute(self, lane: int, item: int, read: int) -> int:
            if item == 3:
                raise ZeroDivisionError
            return read

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(in_order(iter(range(100)), Fails(), Crowd(2, 1, 4)))
    assert threading.active_count() == before


def test_whoever_stops_listening_leaves_no_thread_behind() -> None:
    before, stages = threading.active_count(), Stages()
    stages.hold("compute", 5)
    results = in_order(iter(range(100)), stages, Crowd(2, 1, 4))
    assert next(results).item == 0
    results.close()
    assert stages.stopped.is_set()
    assert threading.active_count() == before
