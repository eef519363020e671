"""The planner's process: questions and answers as they were, faults said, an end when it dies."""

from __future__ import annotations

import math
import os
import select
import signal
from collections.abc import Callable, Iterator

import pytest
from support.command import GUARD_S

from ftdist.cluster.plain_values import made, plain
from ftdist.cluster.server.planner import Planner
from ftdist.coordinator.events import AskPlan, Planned
from ftdist.errors import BudgetError, FtdistError
from ftdist.geometry import Region
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.sharing.plan import SharedPlan, Tile, WorkerSpec

SPEC = WorkerSpec("pi", 64 << 20, 30 << 20, 1 << 20, 4, 2.5, math.inf, 0.0)
ASK = AskPlan(7, (SPEC,), 3, True)
PART = Plan((GroupPlan(0, 4, 2, 1, 8, True), GroupPlan(4, 6)), 2, region=Region(0, 10, 5, 20))
PLAN = SharedPlan(
    ("pi", "pi2"), ((Tile(0, (PART, None), (0.5, 0.0)),),), (1.0, 0.0), 0.5, 0.4, 9, 8, "ä note"
)


def test_events_survive_as_they_were() -> None:
    for kind, value in ((AskPlan, ASK), (Planned, Planned(7, PLAN)), (Planned, Planned(7, None))):
        assert made(kind, plain(value)) == value
    assert type(made(SharedPlan, plain(PLAN)).stages[0][0].parts[0].region) is Region


@pytest.fixture
def planner() -> Iterator[Callable[[Callable[[AskPlan], SharedPlan]], Planner]]:
    begun: list[Planner] = []

    def begin(plan: Callable[[AskPlan], SharedPlan]) -> Planner:
        begun.append(Planner(plan))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def answers(planner: Planner, count: int) -> list[Planned]:
    found: list[Planned] = []
    while len(found) < count:
        assert select.select([planner], [], [], GUARD_S)[0], "no answer"
        found += planner.answers()
    return found


def test_questions_are_answered_in_order_by_another_process(planner) -> None:
    def plan(question: AskPlan) -> SharedPlan:
        assert question == AskPlan(question.number, (SPEC,), 3, True)
        return SharedPlan((str(os.getpid()),), (), (), math.inf, 0.0, 0, 0, "x" * 200_000)

    asked = planner(plan)
    assert asked.answers() == []
    for number in range(5):
        asked.ask(AskPlan(number, (SPEC,), 3, True))
    found = answers(asked, 5)
    assert [each.number for each in found] == list(range(5))
    assert {each.plan.workers for each in found if each.plan} != {(str(os.getpid()),)}
    assert all(each.plan is not None and each.plan.seconds == math.inf for each in found)


def test_what_goes_wrong_is_said(planner) -> None:
    def plan(question: AskPlan) -> SharedPlan:
        if question.number == 0:
            raise BudgetError("no worker can hold anything", 5)
        raise ZeroDivisionError("odd")

    asked = planner(plan)
    asked.ask(AskPlan(0, (), 1, False))
    asked.ask(AskPlan(1, (), 1, False))
    first, second = answers(asked, 2)
    assert first == Planned(0, None, "no worker can hold anything")
    assert second.plan is None and second.fault
    assert "please report it: ZeroDivisionError" in second.reason


def test_a_planner_that_was_killed_is_noticed(planner) -> None:
    def plan(question: AskPlan) -> SharedPlan:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    asked = planner(plan)
    asked.ask(ASK)
    with pytest.raises(FtdistError, match="planning ended"):
        answers(asked, 1)


def test_closing_does_not_wait_for_a_search(planner) -> None:
    def plan(question: AskPlan) -> SharedPlan:
        while True:
            signal.pause()

    asked = Planner(plan)
    asked.ask(ASK)
    asked.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(asked._child, 0)
