"""Time lines of a few tasks, checked by hand, without what tasks cost beside their arithmetic."""

from __future__ import annotations

import pytest
from support.planning.workers import worker

from ftdist.planning.sharing import simulation
from ftdist.planning.sharing.simulation import Task, at_work_s, busiest_s, simulate

LINK = 1e6


TASK_S, BYTE_S = simulation.TASK_S, simulation.BYTE_S


@pytest.fixture(autouse=True)
def arithmetic_only(monkeypatch) -> None:
    monkeypatch.setattr(simulation, "TASK_S", 0.0)
    monkeypatch.setattr(simulation, "BYTE_S", 0.0)


def workers(count, relative_time=1.0):
    return [worker(f"w{n}", relative_time, link=LINK, latency_s=0.01) for n in range(count)]


def test_one_task_travels_computes_and_travels_back() -> None:
    assert simulate([Task(0, 0.5, 100_000, 200_000)], workers(1)).seconds == pytest.approx(
        0.1 + 0.01 + 0.5 + 0.2 + 0.01
    )


def test_inputs_travel_while_the_task_before_computes() -> None:
    tasks = [Task(0, 0.5, 100_000, 0), Task(0, 0.5, 100_000, 0)]
    assert simulate(tasks, workers(1)).seconds == pytest.approx(0.1 + 0.01 + 1.0 + 0.01)


def test_a_worker_has_two_tasks_at_a_time() -> None:
    """The third task's input begins to travel only when the first result has come."""
    tasks = [Task(0, 0.1, 0, 0), Task(0, 0.1, 0, 0), Task(0, 0.1, 300_000, 0)]
    assert simulate(tasks, workers(1)).seconds == pytest.approx(0.12 + 0.3 + 0.01 + 0.1 + 0.01)


def test_maps_go_through_the_coordinator() -> None:
    tasks = [Task(0, 0.5, 0, 100_000), Task(1, 0.5, 100_000, 0, [0])]
    assert simulate(tasks, workers(2)).seconds == pytest.approx(
        (0.01 + 0.5 + 0.1 + 0.01) + (0.1 + 0.01 + 0.5 + 0.01)
    )


def test_of_what_is_ready_the_first_in_the_plan_is_given() -> None:
    """Worker 1 waits for task 0 with task 1, and does task 2 meanwhile: that costs it nothing."""
    waits = [Task(0, 0.5, 0, 0), Task(1, 0.5, 0, 0, [0]), Task(1, 0.5, 0, 0)]
    assert simulate(waits, workers(2)).seconds == pytest.approx(0.52 + 0.52)


def test_frames_in_flight_fill_the_gaps() -> None:
    tasks = [Task(0, 0.5, 0, 0), Task(1, 0.5, 0, 0, [0])]
    one = simulate(tasks, workers(2), frames=4, in_flight=1)
    two = simulate(tasks, workers(2), frames=4, in_flight=2)
    assert one.ends_s == pytest.approx((1.04, 2.08, 3.12, 4.16))
    assert two.ends_s[-1] < 0.65 * one.ends_s[-1]
    assert list(two.ends_s) == sorted(two.ends_s)


def test_a_task_costs_more_than_its_arithmetic(monkeypatch) -> None:
    monkeypatch.setattr(simulation, "TASK_S", TASK_S)
    monkeypatch.setattr(simulation, "BYTE_S", BYTE_S)
    (slow,) = workers(1, relative_time=10.0)
    assert simulate([Task(0, 0.0)], [slow]).seconds > 10 * TASK_S
    assert Task(0, 0.0, 1000, 1000).busy_s(slow) > Task(0, 0.0).busy_s(slow)


def test_no_frame_comes_sooner_than_the_busiest_allows() -> None:
    tasks = [Task(0, 0.3, 400_000, 0), Task(1, 0.2, 0, 100_000, [0])]
    table = workers(2)
    assert busiest_s(tasks, table) == pytest.approx(0.4)
    ends_s = simulate(tasks, table, frames=30, in_flight=30).ends_s
    assert (ends_s[-1] - ends_s[9]) / 20 == pytest.approx(0.4)


def test_time_at_work_counts_no_waiting() -> None:
    tasks = [Task(0, 0.3, 100_000, 0), Task(1, 0.2, 0, 100_000, [0])]
    assert at_work_s(tasks, workers(2)) == pytest.approx((0.4, 0.3))
