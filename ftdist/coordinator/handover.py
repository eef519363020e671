"""What follows for the others from what one part of the machine did: one notice after another.

A frame is finished: the job table has its result for the client, the planner looks at the speeds,
the scheduler lets go of it. Acting upon a notice may bring others; they are taken in the order in
which they come, and the review of whose turn it is comes when no other is left.
"""

from __future__ import annotations

from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.jobs.job_table import JobTable
from ftdist.coordinator.notices import (
    Finished,
    Hopeless,
    Misbehaved,
    Outgrown,
    Parked,
    Review,
    Unwanted,
)
from ftdist.coordinator.observing.observer import Observer
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.planner import Planner
from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.report import Report
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.tasks.scheduler import Scheduler
from ftdist.coordinator.workers.roster import Roster
from ftdist.coordinator.workers.shared_link import SharedLink
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.shared_messages import Refusal
from ftdist.wording import counted


class Handover:
    """Acts upon notices, until workers have what there is for them."""

    def __init__(
        self,
        settings: Settings,
        roster: Roster,
        scheduler: Scheduler,
        planner: Planner,
        table: JobTable,
        report: Report,
        observer: Observer,
        shared_link: SharedLink,
        out: Outbox,
    ) -> None:
        self._settings = settings
        self._roster = roster
        self._scheduler = scheduler
        self._planner = planner
        self._table = table
        self._report = report
        self._observer = observer
        self._shared_link = shared_link
        self._out = out

    def lose(self, worker: Worker, why: str, *, tell: bool = True, final: bool = False) -> None:
        """Removes a worker, tells it so, and has others do its tasks."""
        self._roster.remove(worker)
        self._shared_link.lose(worker)
        count = self._scheduler.lose(worker)
        if tell:
            self._out.send(worker.peer, Refusal(f"worker {worker.name}: {why}", final))
        tasks = f"; {counted(count, 'task')} given to others" if count else ""
        self._out.totals.lost += 1
        self._out.totals.moved_tasks += count
        text = f"worker {worker.name}: {why}{tasks}"
        self._out.log(text, "worker-lost", worker=worker.name, moved_tasks=count)
        self._planner.changed()

    def settle(self) -> None:
        """Acts upon all notices, and gives out what is ready, until neither is left."""
        while (notice := self._out.next_notice()) is not None or self._gives_out():
            match notice:
                case Misbehaved(worker, why):
                    if worker.number in self._roster.by_number:
                        self.lose(worker, why, final=True)
                case Hopeless(frame, reasons):
                    job = self._table.job_of(frame)
                    if job is not None:
                        self._table.fail(job, reasons)
                case Unwanted(frame):
                    self._end(frame)
                case Finished(frame):
                    self._finish(frame)
                case Parked(frame):
                    self._parked(frame)
                case Outgrown():
                    self._planner.changed()
                case Review():
                    self._serve()

    def _gives_out(self) -> bool:
        """Gives out what is ready; returns whether that left notices."""
        self._scheduler.flush()
        return self._out.has_notices

    def _finish(self, frame: Frame) -> None:
        job = self._table.job_of(frame)
        if job is not None:
            self._planner.compare_speeds(frame.plan)
            self._observer.finished(frame)
            before = self._table.finish(frame)
            self._report.completed(job)
            self._table.hand_out(frame)
            self._end(frame, before)

    def _end(self, frame: Frame, before: int = 0) -> None:
        if not frame.over:
            self._scheduler.end(frame, before)
            self._planner.retire_unused(frame.plan)

    def _parked(self, frame: Frame) -> None:
        """A frame cannot go on with its plan: it begins again with another one, now or later."""
        if frame.over or not frame.parked:
            return
        if self._planner.current is frame.plan:
            self._planner.changed()
        elif self._planner.current is not None:
            self._begin_again(frame)

    def _begin_again(self, frame: Frame) -> None:
        self._table.requeue(frame)
        self._end(frame)

    def _serve(self) -> None:
        """Sees to the job whose turn it is: that it has a plan, and frames in flight."""
        job, workers = self._table.next_job(), list(self._roster.by_number.values())
        if job is None:
            if not self._table.jobs:
                self._planner.get_ready(workers)
            return
        terms = self._table.terms(job)
        frames = job.frames if terms.many else 1
        frames = frames if job.unbegun else 0
        under_way, single = self._table.under_way, job.frames == 1
        self._planner.ask(workers, terms, frames, under_way=under_way, single=single)
        if self._planner.adopt(terms):
            self._scheduler.failures.remark = ""
            for frame in [f for f in self._scheduler.assignments.frames if f.parked]:
                self._begin_again(frame)
        plan = self._planner.usable(terms)
        if plan is not None:
            for frame in self._table.start(terms, plan):
                self._scheduler.begin(frame)
        elif fault := self._planner.take_fault():
            self._table.fail(job, (fault,))
            return
        self._scheduler.dispatcher.to_come = job.unbegun if terms.many else 0
        self._table.want(job, self._window(plan))

    def _window(self, plan: ActivePlan | None) -> int:
        """How many frames there is room for."""
        if plan is None:
            return 1
        settings = self._settings
        returning = sum(
            [bool(queue.returning) for queue in self._scheduler.assignments.queues.values()]
        )
        most = settings.in_flight or 2 * len(self._roster.by_number) + 1 + returning
        return min(most, settings.memory_bytes // plan.graph.frame_bytes)
