"""The thread that computes: order, cancelling, ends, without anything being run."""

from __future__ import annotations

import select
import threading
from pathlib import Path

import pytest
from support.cluster.scriptedcoordinator import task_id, whole_task
from support.cluster.workertasks import image_of, task
from support.command import GUARD_S
from support.smallmodels import CHAIN, write_small_model

from ftdist.cluster.worker.compute_thread import ComputeThread
from ftdist.cluster.worker.task_inputs import Task
from ftdist.network.modelfile import Model, load
from ftdist.protocol.records import TaskId
from ftdist.protocol.worker_messages import Failed, Result


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


class Slow:
    """Runs tasks when the test says so."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.done: list[TaskId] = []
        self.behind: list[int] = []
        self.let_gos = 0
        self.progress = 0

    def run(self, each: Task, waiting_bytes: int) -> list[Result | Failed]:
        self.behind.append(waiting_bytes)
        self.begun.release()
        assert self.go_on.acquire(timeout=GUARD_S)
        self.done.append(each.assign.task)
        return [Result(each.assign.task, False, (), 0.0, 0.0, 0.0, 0)]

    def release_memory(self) -> None:
        self.let_gos += 1


def wait_for(computing: ComputeThread) -> None:
    assert select.select([computing.woken.fileno()], [], [], GUARD_S)[0], "nothing came"


def test_tasks_are_done_in_order_and_collected(chain: Model) -> None:
    slow = Slow()
    computing = ComputeThread(slow)
    image = image_of(chain)
    for tile in range(3):
        computing.submit(task(whole_task(chain, image, task_id(tile)), chain))
    assert slow.begun.acquire(timeout=GUARD_S) and computing.count == 3
    assert computing.held_bytes == 3 * image.nbytes
    assert computing.cancel(task_id(1)) and not computing.cancel(task_id(0))
    for _ in range(2):
        slow.go_on.release()
    assert slow.begun.acquire(timeout=GUARD_S)
    found: list[Result | Failed] = []
    while len(found) < 2:
        wait_for(computing)
        found += computing.collect()
    assert [each.task.tile for each in found] == [0, 2] == [each.tile for each in slow.done]
    assert computing.count == 0 and computing.progress == 2
    computing.close(20)


def test_an_ended_session_leaves_nothing_behind(chain: Model) -> None:
    slow = Slow()
    computing = ComputeThread(slow)
    for tile in range(2):
        computing.submit(task(whole_task(chain, image_of(chain), task_id(tile)), chain))
    assert slow.begun.acquire(timeout=GUARD_S)
    computing.reset()
    assert not computing.idle
    slow.go_on.release()
    while not computing.idle:
        wait_for(computing)
        assert computing.collect() == []
    assert [each.tile for each in slow.done] == [0] and slow.let_gos == 1
    computing.submit(task(whole_task(chain, image_of(chain), task_id(7)), chain))
    slow.go_on.release()
    wait_for(computing)
    (result,) = computing.collect()
    assert result.task == task_id(7)
    computing.close(20)


def test_closing_waits_for_the_task_that_runs(chain: Model, tmp_path: Path) -> None:
    slow = Slow()
    computing = ComputeThread(slow)
    for tile in range(2):
        computing.submit(task(whole_task(chain, image_of(chain), task_id(tile)), chain))
    assert slow.begun.acquire(timeout=GUARD_S)
    slow.go_on.release()
    computing.close(20)
    assert [each.tile for each in slow.done] == [0] and not computing._thread.is_alive()
