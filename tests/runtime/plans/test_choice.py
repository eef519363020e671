"""Choosing a plan for a budget, with a process whose memory does not move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.smallmodels import random_image, write_small_model

from ftdist.errors import BudgetError
from ftdist.network import architectures
from ftdist.network.modelfile import Model, load
from ftdist.planning.lowering.predictor import lowering_bytes
from ftdist.planning.plan import parse_notation, untiled
from ftdist.runtime.budget import process_memory
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB, parse_size
from ftdist.runtime.budget.process_memory import ProcessMemory
from ftdist.runtime.plans import decision, plan_search, public
from ftdist.runtime.plans.choice import SPREAD_BYTES, Choice, PlanProblem, RunContext
from ftdist.runtime.plans.plan_search import PlanSearch

BASELINE = 30 * MIB
NOTHING_MORE = RunContext()


@pytest.fixture(scope="module")
def first16(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """YOLOv2's first sixteen layers for an input of 160x160."""
    folder = Path(architectures.__file__).parent
    text = (folder / "yolov2-first16.cfg").read_text().replace("608", "160")
    path = write_small_model(tmp_path_factory.mktemp("choice") / "first16.ftd", text)
    model = load(path)
    assert model.network.input == (160, 160, 3)
    return model


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process holds BASELINE and never held more."""
    monkeypatch.setattr(process_memory, "will_hold_bytes", lambda: BASELINE)
    monkeypatch.setattr(process_memory, "resident_bytes", lambda: BASELINE)
    for module in (process_memory, plan_search):
        monkeypatch.setattr(module, "peak_resident_bytes", lambda: BASELINE)
    monkeypatch.setattr(process_memory, "_RETURNING_BYTES", 0)
    monkeypatch.setattr(decision, "peak_bytes", lambda: BASELINE)


def problem(
    model: Model, size: int = MIB, context: RunContext = NOTHING_MORE, threads: int = 1
) -> PlanProblem:
    return PlanProblem(model, Budget(size, "--mem"), context, threads)


def chosen(model: Model, size: int, threads: int = 1, **around: int | bool) -> Choice:
    context = RunContext(**around)  # type: ignore[arg-type]
    return PlanSearch(problem(model, size, context, threads)).fastest()


def smallest(model: Model, threads: int = 1, **around: int | bool) -> int:
    with pytest.raises(BudgetError) as caught:
        chosen(model, MIB, threads, **around)
    return caught.value.smallest_bytes


@pytest.mark.parametrize("threads", [1, 3])
def test_no_choice_exceeds_its_budget_and_more_memory_is_never_slower(
    first16: Model, threads: int
) -> None:
    least = smallest(first16, threads)
    before = float("inf")
    for size in np.linspace(least, least + 16 * MIB, 5, dtype=int):
        found = chosen(first16, int(size), threads)
        assert found.peak_bytes <= size
        assert found.peak_bytes >= sum(found.footprint.parts.values())
        assert found.plan.threads == threads
        assert found.latency_s <= before
        before = found.latency_s


@pytest.mark.parametrize("threads", [1, 2])
def test_the_smallest_budget_is_named_works_and_is_small(first16: Model, threads: int) -> None:
    least = smallest(first16, threads)
    assert chosen(first16, least, threads).peak_bytes <= least
    with pytest.raises(BudgetError, match="no plan fits"):
        chosen(first16, least - SPREAD_BYTES - 1, threads)
    assert least < examine_untiled(first16).peak_bytes


def examine_untiled(model: Model) -> Choice:
    return problem(model).examine(untiled(model.network))


def test_the_error_says_what_is_needed_in_words_that_mem_understands(first16: Model) -> None:
    with pytest.raises(BudgetError) as caught:
        chosen(first16, 31 * MIB)
    message = str(caught.value)
    assert message.startswith("no plan fits 31.0 MiB (--mem): ")
    assert "\n" not in message and "ms a frame" in message
    named = message.split(" needs ")[1].split(",", maxsplit=1)[0]
    assert caught.value.smallest_bytes <= parse_size(named) < caught.value.smallest_bytes + MIB
    assert caught.value.exit_status == 3


def test_a_named_plan_keeps_the_same_promise(first16: Model) -> None:
    plan = parse_notation("5x5/8/2x2", first16.network)
    with pytest.raises(BudgetError) as caught:
        problem(first16, 31 * MIB).examine(plan).within_budget("no")
    assert "5x5/8/2x2 needs " in str(caught.value)
    enough = problem(first16, caught.value.smallest_bytes)
    assert enough.examine(plan).within_budget("no").plan == plan


def test_what_is_in_memory_already_is_counted_once(first16: Model) -> None:
    absent = examine_untiled(first16)
    context = RunContext(input_resident=True)
    resident = problem(first16, MIB, context).examine(absent.plan)
    assert absent.peak_bytes - resident.peak_bytes == first16.network.input.bytes


def test_other_phases_count_where_they_are_higher(first16: Model) -> None:
    least = smallest(first16)
    high = least + 10 * MIB
    assert smallest(first16, other_phases_bytes=high) == high + SPREAD_BYTES
    assert smallest(first16, other_phases_bytes=least // 2) == least
    assert smallest(first16, reading_bytes=MIB) == least + MIB
    ends_with = BASELINE + first16.network.shape(15).bytes
    assert smallest(first16, after_bytes=high) == ends_with + high + SPREAD_BYTES
    # neither a mapped file nor a picture's array is there any longer
    assert smallest(first16, after_bytes=high, picture=True) == ends_with + high + SPREAD_BYTES
    with pytest.raises(BudgetError, match="for what comes before and after it"):
        chosen(first16, MIB, other_phases_bytes=high)


def test_a_peak_of_the_past_cannot_be_undone(
    first16: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_memory, "peak_resident_bytes", lambda: 200 * MIB)
    with pytest.raises(BudgetError):
        chosen(first16, 199 * MIB)
    assert chosen(first16, 200 * MIB).peak_bytes == 200 * MIB


def test_a_choice_opens_the_session_that_it_lowered(first16: Model) -> None:
    found = chosen(first16, 100 * MIB)
    with found.open() as session:
        assert session.lowered(picture=False) is found.lowered
        outputs = session.run(random_image(160))
    (array,) = outputs.values()
    assert array.shape == (256, 10, 10) and np.isfinite(array).all()


def test_planning_from_python_takes_a_size_or_bytes(first16: Model) -> None:
    named = public.plan(first16, mem="100M", threads=2)
    assert named == public.plan(first16, mem=100 * MIB, threads=2)
    assert named.threads == 2
    with pytest.raises(BudgetError):
        public.plan(first16, mem="29M")


def test_who_waits_is_told_how_far_the_search_is(first16: Model) -> None:
    told: list[float] = []
    size = smallest(first16) + MIB
    with_word = PlanSearch(problem(first16, size), told.append).fastest()
    assert with_word.plan == chosen(first16, size).plan
    assert len(told) > 1 and 0 <= min(told) < max(told) <= 1 and told[0] < told[1]


def test_a_library_says_what_to_do_where_planning_left_too_little_memory(
    first16: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And doing either helps: a fresh process finds the plan kept, or is given it by name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    least = smallest(first16)
    left = lowering_bytes(first16.network)
    honest = decision.after_planning
    monkeypatch.setattr(
        decision,
        "after_planning",
        lambda *_: ProcessMemory(BASELINE, BASELINE, left + 4 * MIB),
    )
    size = least + left
    with pytest.raises(BudgetError) as caught:
        public.plan(first16, size)
    message = str(caught.value)
    assert "planning left in this process: start the program again" in message
    assert size < caught.value.smallest_bytes < size + 8 * MIB
    named = message.split("parse_notation('")[1].split("'", maxsplit=1)[0]
    monkeypatch.setattr(decision, "after_planning", honest)
    monkeypatch.setattr(decision, "PlanSearch", None)  # it is not searched for again
    assert public.plan(first16, size) == parse_notation(named, first16.network)


def test_a_library_finds_a_plan_beside_what_planning_left(
    first16: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where a smaller one fits: it is sought again, with less to spend."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    left = lowering_bytes(first16.network) + 4 * MIB
    monkeypatch.setattr(
        decision, "after_planning", lambda *_: ProcessMemory(BASELINE, BASELINE, left)
    )
    size = smallest(first16) + 8 * MIB
    fresh = chosen(first16, size)
    found = decision.Decision(problem(first16, size)).choice()
    assert fresh.peak_bytes + left > size, "the plan of a fresh process does not fit"
    assert found.fits and found.plan != fresh.plan
    assert found.problem.process.planning_bytes == left
