"""What those see who look on: a snapshot when they ask for one, and a frame that was finished.

Nothing is kept or counted for them while nobody asks.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

from ftdist.coordinator.events import Look, Pictured, Seen
from ftdist.coordinator.jobs.frames import Frame, State
from ftdist.coordinator.jobs.jobs import Job
from ftdist.coordinator.observing.snapshot import (
    FRAMES,
    FrameNow,
    JobNow,
    PartNow,
    PlanNow,
    Snapshot,
    TaskNow,
    TileNow,
    WorkerNow,
)
from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.plans.task_graph import Task
from ftdist.coordinator.report import Report
from ftdist.coordinator.workers.worker import Worker


class Observer:
    """Looks at what the report looks at, and changes nothing."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._out = report.out
        self._wants_picture = False

    def look(self, event: Look) -> None:
        """Somebody looks on."""
        self._wants_picture = self._wants_picture or event.picture
        self._out.actions.append(Seen(self._snapshot(event.plan_number)))

    def finished(self, frame: Frame) -> None:
        """All outputs of a frame are here: those who wait for a picture have one."""
        if self._wants_picture:
            self._wants_picture = False
            begun_s = self._out.now_s if frame.begun_s is None else frame.begun_s
            inputs, outputs = tuple(frame.inputs), tuple(frame.results())
            taken_s = self._out.now_s - begun_s
            self._out.actions.append(Pictured(frame.job, frame.number, taken_s, inputs, outputs))

    def _snapshot(self, known_plan: int) -> Snapshot:
        report = self._report
        plan, frames = report.planner.current, report.scheduler.assignments.frames
        oldest = islice(sorted(frames, key=lambda frame: frame.order), FRAMES)
        number = 0 if plan is None else plan.number
        return Snapshot(
            now_s=self._out.now_s,
            model=report.model.name,
            plan_number=number,
            plan_text=report.plan_text(),
            plan=None if plan is None or number == known_plan else _plan(plan),
            workers=tuple(self._worker(each) for each in report.roster.by_number.values()),
            jobs=tuple(self._job(each) for each in report.table.jobs.values()),
            frames=tuple(self._frame(each) for each in oldest),
            frames_in_flight=len(frames),
            totals=replace(self._out.totals, late_results=report.scheduler.late),
        )

    def _worker(self, worker: Worker) -> WorkerNow:
        queue = self._report.scheduler.assignments.queues.get(worker.number)
        given = [] if queue is None else [a for a in queue.given.values() if a.dropped_s is None]
        tasks = []
        for attempt in given:
            graph, stage = attempt.frame.graph, attempt.task.stage
            job, number = attempt.frame.job, attempt.frame.number
            tiles = len(attempt.frame.plan.plan.stages[stage])
            since_s = max(0.0, self._out.now_s - attempt.sent_s)
            place = (*graph.layers[stage], attempt.task.index, tiles)
            tasks.append(TaskNow(job, number, *place, since_s))
        return WorkerNow(
            number=worker.number,
            status=self._report.worker(worker),
            latency_s=worker.latency_s,
            shared=worker.crowded,
            silent_s=max(0.0, self._out.now_s - worker.heard_s),
            baseline_bytes=worker.baseline_bytes,
            tasks=tuple(tasks),
        )

    def _job(self, job: Job) -> JobNow:
        status = self._report.job(job)
        left = (job.frames - job.made.count) * status.seconds_a_frame
        return JobNow(status, len(job.in_flight), left if job.computed else -1.0)

    def _frame(self, frame: Frame) -> FrameNow:
        """A frame with the tiles of its first stage that is not done."""
        graph, states = frame.graph, frame.states
        open_tasks = [t for t in graph.tasks if t.useful and states[t.number] != State.DONE]
        stage = open_tasks[0].stage if open_tasks else len(frame.plan.plan.stages) - 1
        first, stop = graph.layers[stage]
        shape = self._report.model.network.shape(stop - 1)
        begun_s = self._out.now_s if frame.begun_s is None else frame.begun_s
        return FrameNow(
            job=frame.job,
            frame=frame.number,
            stage=stage,
            stages=len(frame.plan.plan.stages),
            first=first,
            stop=stop,
            height=shape.height,
            width=shape.width,
            since_s=max(0.0, self._out.now_s - begun_s),
            tiles=tuple(self._tile(frame, each) for each in graph.tasks if each.stage == stage),
        )

    def _tile(self, frame: Frame, task: Task) -> TileNow:
        part = next(each for each in task.tile.parts if each is not None)
        assert part.region is not None
        state = int(frame.states[task.number])
        attempts = self._report.scheduler.assignments.frames[frame].get(task.number, ())
        seated = None if task.slot is None else frame.plan.workers[task.slot]
        worker = 0 if seated is None else seated.number
        if state == State.DONE:
            worker = frame.makers.get(task.number, worker)
        elif attempts:
            worker = attempts[-1].worker.number
        return TileNow(worker, state, part.region)


def _plan(active: ActivePlan) -> PlanNow:
    """A plan with those parts only that are meant to be made."""
    shared, stages = active.plan, []
    for stage in shared.stages:
        tiles = []
        for tile in stage:
            slot = tile.worker
            if slot is None:  # any worker: the fastest one stands for all
                slot = next(n for n, part in enumerate(tile.parts) if part is not None)
            part = tile.parts[slot]
            assert part is not None
            seconds = tile.seconds[slot] if math.isfinite(tile.seconds[slot]) else 0.0
            tiles.append(PartNow(-1 if tile.worker is None else slot, part, seconds))
        stages.append(tuple(tiles))
    traits = (shared.seconds, shared.period_s, shared.sent_bytes, shared.received_bytes)
    return PlanNow(
        active.number, shared.workers, shared.shares, *traits, shared.note, tuple(stages)
    )
