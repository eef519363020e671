"""Tasks that exceed the budget or make no sense: each is answered by name, and nothing breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.cluster.scriptedcoordinator import assignment, joined, task_id, whole, whole_task
from support.cluster.workertasks import at_home, done, failed, image_of, piece, task
from support.smallmodels import CHAIN, TWO_OUTPUTS, write_small_model

from ftdist.cluster.worker import tasks
from ftdist.cluster.worker.map_store import MapStore
from ftdist.cluster.worker.tasks import TaskRunner
from ftdist.geometry import Region
from ftdist.network.modelfile import Model, load
from ftdist.protocol.pieces import assembled
from ftdist.protocol.records import Group, Piece, Place
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.memory import MIB, resident_bytes

GENEROUS = 1 << 40


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("two") / "two.ftd", TWO_OUTPUTS))


@pytest.fixture
def runner() -> TaskRunner:
    return TaskRunner(GENEROUS, MIB, 1)


def test_a_task_beyond_the_budget_fails_with_figures(chain: Model) -> None:
    trim_heap()
    budget = resident_bytes() - MIB
    outcome = TaskRunner(budget, 0, 1).run(task(whole_task(chain, image_of(chain)), chain), 0)
    answer = failed(outcome, "memory")
    assert answer.needed_bytes > budget
    assert "layers 0 to 3" in answer.text and "MiB" in answer.text


def test_a_task_is_held_to_what_it_takes_and_messages_may_take(chain: Model) -> None:
    """With just what it said that it needs it runs; room for messages to come is kept free."""
    assign = whole_task(chain, image_of(chain))
    tight = TaskRunner(1, 0, 1)
    needed = failed(tight.run(task(assign, chain), 0), "memory").needed_bytes
    assert done(TaskRunner(needed + MIB, 0, 1).run(task(assign, chain), 0))
    failed(TaskRunner(needed + MIB, 64 * MIB, 1).run(task(assign, chain), 0), "memory")
    assert done(TaskRunner(needed + MIB, 64 * MIB, 1).run(task(assign, chain), 64 * MIB))


def test_what_other_tasks_left_is_let_go_before_one_fails(
    chain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = image_of(chain)
    large = whole_task(chain, image)
    kept = MapStore()
    first = assignment(
        chain,
        task_id(),
        (Group(0, 2, 1, 1, 1, False),),
        Region(0, 32, 0, 32),
        pieces=(piece(-1, image, whole(chain, -1)),),
        keep=True,
    )
    second = assignment(
        chain,
        task_id(stage=1),
        (Group(2, 4, 1, 1, 1, False),),
        Region(0, 32, 0, 32),
        kept=(Place(1, Region(0, 32, 0, 32)),),
        returns=(Place(3, whole(chain, 3)),),
    )
    monkeypatch.setattr(tasks, "resident_and_peak_bytes", lambda: (100 * MIB, 100 * MIB))
    runner = TaskRunner(GENEROUS, 0, 1)
    done(runner.run(task(large, chain), 0))

    def held_now() -> dict[str, int]:
        assert runner._runner is not None
        return runner._runner.held

    held = held_now()
    done(runner.run(task(first, chain, kept), 0))
    assert held_now() == held, "with room enough everything stays"
    runner._budget_bytes = 1
    least = failed(runner.run(task(second, chain, kept), 0), "memory").needed_bytes
    runner._budget_bytes = least
    now: list[dict[str, int]] = []

    def put_together(*given: Any) -> np.ndarray:
        now.append(held_now())
        return assembled(*given)

    monkeypatch.setattr(tasks, "assembled", put_together)
    done(runner.run(task(second, chain, kept), 0))
    assert now == [held_now()], "it went before the inputs took memory too"
    assert now[0]["block"] < held["block"] and now[0]["weights"] < held["weights"]


def test_copies_of_what_is_returned_count(chain: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some columns of a map do not lie in one run: sending them takes as much again."""
    monkeypatch.setattr(tasks, "resident_and_peak_bytes", lambda: (100 * MIB, 100 * MIB))

    def needed(columns: tuple[int, int]) -> int:
        assign = whole_task(chain, image_of(chain))
        place = Place(3, Region(0, 32, *columns))
        assign = replace(assign, returns=(place,))
        return failed(TaskRunner(1, 0, 1).run(task(assign, chain), 0), "memory").needed_bytes

    channels = chain.network.shape(3).channels
    assert needed((0, 20)) - needed((0, 32)) == 4 * 32 * 20 * channels


def test_copies_are_made_where_they_are_counted(chain: Model, runner: TaskRunner) -> None:
    """What is handed over to be sent needs no further copy, and is cut out right."""
    image = image_of(chain)
    place = Place(3, Region(4, 9, 5, 20))
    assign = replace(whole_task(chain, image), returns=(place,))
    (part,) = done(runner.run(task(assign, chain), 0))
    (only,) = part.pieces
    assert only.data.flags.c_contiguous and only.data.base is None
    assert only.data.tobytes() == at_home(chain, image)[3][4:9, 5:20].tobytes()


def test_results_that_are_being_sent_are_waited_for(
    chain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first result is still held by the socket; once it is gone, the second task runs."""
    runner = TaskRunner(GENEROUS, 0, 1)
    assign = whole_task(chain, image_of(chain))
    unsent = done(runner.run(task(assign, chain), 0))
    rss = 100 * MIB

    def held() -> tuple[int, int]:
        return (2 * rss if unsent else rss), 2 * rss

    monkeypatch.setattr(tasks, "resident_and_peak_bytes", held)
    monkeypatch.setattr(tasks.time, "sleep", lambda _: unsent.clear())
    runner._budget_bytes = rss + 50 * MIB
    assert done(runner.run(task(assign, chain), 0))


def test_running_out_of_memory_is_named_as_such(
    chain: Model, runner: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(tasks.Runner, "run", none_left)
    answer = failed(runner.run(task(whole_task(chain, image_of(chain)), chain), 0), "memory")
    assert "out of memory" in answer.text and answer.needed_bytes > GENEROUS


def test_parts_are_lowered_once_and_not_kept_without_limit(
    chain: Model, runner: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    lower = tasks.lower

    def counted(*args: object, **more: object) -> object:
        nonlocal count
        count += 1
        return lower(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(tasks, "lower", counted)
    monkeypatch.setattr(tasks, "_LOWERED", 3)
    image = image_of(chain)

    def run(bottom: int) -> None:
        region = Region(0, bottom, 0, 32)
        assign = whole_task(chain, image)
        assign = replace(assign, region=region, returns=(Place(3, region),))
        done(runner.run(task(assign, chain), 0))

    for bottom in (8, 9, 10, 8, 9, 10):
        run(bottom)
    assert count == 3
    run(11)
    run(9)
    assert count == 4 and len(runner._parts) == 3
    run(8)
    assert count == 5


def test_missing_rows_are_an_error(chain: Model, runner: TaskRunner) -> None:
    image = image_of(chain)
    pieces = (piece(-1, image, Region(0, 30, 0, 64)), piece(-1, image, Region(31, 64, 0, 64)))
    assign = replace(whole_task(chain, image), pieces=pieces)
    assert "map -1" in failed(runner.run(task(assign, chain), 0), "error").text
    assign = replace(assign, pieces=())
    failed(runner.run(task(assign, chain), 0), "error")


def test_what_is_not_kept_is_said(chain: Model, runner: TaskRunner) -> None:
    assign = assignment(
        chain,
        task_id(frame=5),
        (Group(2, 4, 1, 1, 0, False),),
        Region(0, 32, 0, 32),
        kept=(Place(1, Region(0, 32, 0, 32)),),
    )
    assert "frame 5" in failed(runner.run(task(assign, chain), 0), "kept").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": (Group(0, 5, 1, 1, 0, False),)},
        {"groups": (Group(7, 9, 1, 1, 0, False),)},
        {"region": Region(0, 33, 0, 32)},
        {"region": Region(5, 5, 0, 32)},
        {"region": Region(0, 65536, 0, 65536)},
        {"returns": (Place(3, Region(0, 33, 0, 32)),)},
        {"returns": (Place(0, Region(0, 1, 0, 1)),)},
        {"returns": (Place(-1, Region(0, 1, 0, 1)),)},
        {"returns": (Place(60000, Region(0, 1, 0, 1)),)},
        {"pieces": (Piece(-1, Region(0, 64, 0, 64), np.zeros((64, 64, 4), np.float32)),)},
        {"pieces": (Piece(-1, Region(0, 64, 0, 64), np.zeros((64, 32, 3), np.float32)),)},
        {"pieces": (Piece(-1, Region(0, 64, 0, 65), np.zeros((64, 65, 3), np.float32)),)},
        {"pieces": (Piece(9, Region(0, 64, 0, 64), np.zeros((64, 64, 3), np.float32)),)},
        {"kept": (Place(9, Region(0, 0, 0, 0)),), "pieces": ()},
    ],
    ids="-".join,
)
def test_a_task_that_makes_no_sense_is_an_error_and_no_crash(
    chain: Model, runner: TaskRunner, wrong: dict[str, object]
) -> None:
    image = image_of(chain)
    assign = replace(whole_task(chain, image), **wrong)  # type: ignore[arg-type]
    answer = failed(runner.run(task(assign, chain), 0), "error")
    assert answer.text and "fault" not in answer.text
    assert done(runner.run(task(whole_task(chain, image), chain), 0)), "and the next one runs"


def test_pieces_of_mixed_kinds_are_an_error(chain: Model, runner: TaskRunner) -> None:
    picture, floats = image_of(chain, picture=True), image_of(chain)
    pieces = (
        piece(-1, picture, Region(0, 32, 0, 64)),
        piece(-1, floats, Region(32, 64, 0, 64)),
    )
    assign = replace(whole_task(chain, floats), pieces=pieces)
    failed(runner.run(task(assign, chain), 0), "error")


def test_a_fault_of_ours_is_a_failed_task(
    chain: Model, runner: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "lower", lambda *_, **__: 1 // 0)
    answer = failed(runner.run(task(whole_task(chain, image_of(chain)), chain), 0), "error")
    assert "ZeroDivisionError" in answer.text


def test_no_more_threads_than_the_worker_has(chain: Model) -> None:
    runner = TaskRunner(GENEROUS, 0, 2)
    image = image_of(chain)
    assign = replace(whole_task(chain, image), threads=1024, groups=(Group(0, 4, 8, 8, 0, False),))
    parts = done(runner.run(task(assign, chain), 0))
    assert np.array_equal(joined(parts, chain, 3), at_home(chain, image)[3])
    assert next(iter(runner._parts))[0].threads == 2
    runner.release_memory()
