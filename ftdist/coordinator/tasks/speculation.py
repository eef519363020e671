"""What a worker does that has nothing to do: it takes over what others will not end soon.

That is a second attempt at a task that runs, or a task that waits for a worker that is late or has
not got the weights yet. All its inputs must be here, and it must be clearly sooner. A worker that
merely waits for its neighbours' rows leaves theirs alone: where a task is planned to run its maps
are kept, and elsewhere they would have to travel. Only when a worker takes far too long its tasks
are taken away, and the maps that it keeps are fetched from it.

What travels over a link that both share is left alone while it moves, or while it waits its turn: a
second copy would take the link from the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.plans.task_graph import Task
from ftdist.coordinator.tasks.assignments import Assignments
from ftdist.coordinator.tasks.attempts import Attempt
from ftdist.coordinator.tasks.dispatch import Dispatcher
from ftdist.coordinator.tasks.worker_queue import WorkerQueue

_LOOKED_AT = 4
"""The oldest attempts that are looked at."""

_LATE, _FAR_TOO_LONG = 1.5, 4.0
"""How many times as long as predicted an attempt takes until it is repeated, and until moved."""

_SOONER = 1.25
"""How many times as long the other one must be predicted to take."""


def speculate(
    queue: WorkerQueue,
    assignments: Assignments,
    dispatcher: Dispatcher,
    now_s: float,
    patience_s: float,
    *,
    shared_moves: bool,
) -> Attempt | None:
    """Gives an idle worker a task of another one, if there is one to give.

    Returns an attempt that goes on far too long, many times `patience_s` too, and that can only be
    helped by taking it away. `shared_moves`: bytes move on the link that workers share.
    """
    slow = _slow(queue, assignments, dispatcher, now_s, patience_s, shared_moves=shared_moves)
    for frame, task, theirs_s in slow:
        plan = frame.plan
        slot = queue.slots.get(plan)
        if slot is None or not (plan.able(task) & plan.ready(task.stage)) >> slot & 1:
            continue
        trouble = frame.troubles.get(task.number)
        if trouble is not None and trouble.slots >> slot & 1:
            continue
        if not _sooner(plan.seconds(task, slot), theirs_s - now_s):
            continue
        back_s = queue.worker.transfer_s(task.returned_bytes)
        if not _sooner(dispatcher.end_s(plan, task, slot) + back_s - now_s, theirs_s - now_s):
            continue
        inputs = frame.inputs_for(task, queue.worker.number)
        if not inputs.missing:
            assignments.assign(frame, task, queue, slot, inputs)
            return None
        running = assignments.frames[frame].get(task.number)
        if running and _lateness(running[0], now_s, patience_s) > _FAR_TOO_LONG:
            return running[0]
    return None


def _slow(
    queue: WorkerQueue,
    assignments: Assignments,
    dispatcher: Dispatcher,
    now_s: float,
    patience_s: float,
    *,
    shared_moves: bool,
) -> Iterator[tuple[Frame, Task, float]]:
    """Tasks that might be helped, and when they are predicted to end as it is."""
    for attempt in list(islice(assignments.running, _LOOKED_AT)):
        other = assignments.queues[attempt.worker.number]
        if other is queue:
            continue
        ends_s = max(attempt.expected_s, 2 * now_s - attempt.expected_s)
        late = _lateness(attempt, now_s) > _LATE
        lonely = len(assignments.frames[attempt.frame][attempt.task.number]) == 1
        shared = queue.worker.crowded and attempt.worker.crowded
        moves = now_s - attempt.worker.moved_s < patience_s
        moves = shared and (moves or (shared_moves and attempt.worker.left_bytes > 0))
        if lonely and not moves and (late or attempt.task.slot is None):
            yield attempt.frame, attempt.task, ends_s
        if late and (waiting := other.waiting.first()) is not None:
            frame, task = waiting
            yield frame, task, ends_s + frame.plan.seconds(task, other.slots[frame.plan])
    for other in dispatcher.unready.values():
        if other is not queue and (waiting := other.waiting.first()) is not None:
            yield *waiting, math.inf


def _sooner(mine_s: float, theirs_s: float) -> bool:
    return theirs_s > _SOONER * mine_s


def _lateness(attempt: Attempt, now_s: float, least_s: float = 1e-9) -> float:
    """How many times as long as predicted, or as `least_s`, an attempt takes so far."""
    return (now_s - attempt.sent_s) / max(attempt.expected_s - attempt.sent_s, least_s)
