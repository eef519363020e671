"""What one part of the machine leaves for another to do, carried on until nothing is left.

The parts do not know each other's affairs: the scheduler only notes that a frame is finished, and
here the table gets it for the client, the planner looks at the speeds, the scheduler lets go of it.
"""

from __future__ import annotations

from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.jobs.job_table import JobTable
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.planner import Planner
from ftdist.coordinator.report import Report
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.tasks.scheduler import Scheduler
from ftdist.coordinator.workers.active_plan import ActivePlan
from ftdist.coordinator.workers.roster import Roster
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.shared_messages import Refusal
from ftdist.wording import counted


class Handover:
    """`review`: workers, weights or plans changed, or time passed; see whose turn it is."""

    def __init__(
        self,
        settings: Settings,
        roster: Roster,
        scheduler: Scheduler,
        planner: Planner,
        table: JobTable,
        report: Report,
        out: Outbox,
    ) -> None:
        self._settings = settings
        self._roster = roster
        self._scheduler = scheduler
        self._planner = planner
        self._table = table
        self._report = report
        self._out = out
        self.review = False

    def lose(self, worker: Worker, why: str, *, tell: bool = True, final: bool = False) -> None:
        """A worker is no more; it is told so, and its tasks go to others."""
        self._roster.remove(worker)
        count = self._scheduler.lose(worker)
        if tell:
            self._out.send(worker.peer, Refusal(f"worker {worker.name}: {why}", final))
        tasks = f"; {counted(count, 'task')} given to others" if count else ""
        self._out.log(f"worker {worker.name}: {why}{tasks}")
        self._planner.changed()
        self.review = True

    def settle(self) -> None:
        """Carries on whatever is left to do, until workers have what there is for them."""
        while True:
            while self._carry_on():
                pass
            self._scheduler.flush()
            if not self._scheduler.notices:
                return

    def _carry_on(self) -> bool:
        """Does the next thing that is left to do; returns whether there was one."""
        scheduler, table = self._scheduler, self._table
        failures = scheduler.failures
        if scheduler.wrong:
            worker, why = scheduler.wrong.pop()
            if worker.number in self._roster.by_number:
                self.lose(worker, why, final=True)
        elif failures.hopeless:
            frame, words = failures.hopeless.pop()
            if not frame.over and frame.job in table.jobs:
                table.fail(table.jobs[frame.job], words)
        elif table.ended:
            self._end(table.ended.pop())
        elif scheduler.finished:
            frame = scheduler.finished.pop(0)
            if not frame.over:
                self._planner.compare_speeds(frame.plan)
                before = table.finish(frame)
                self._report.completed(table.jobs[frame.job])
                table.hand_out(frame)
                self._end(frame, before)
        elif scheduler.dispatcher.parked:
            self._parked(scheduler.dispatcher.parked.pop())
        elif failures.beliefs_changed:
            failures.beliefs_changed = False
            self._planner.changed()
            self.review = True
        elif self.review or table.moved:
            self.review = table.moved = False
            self._serve()
        else:
            return False
        return True

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
            self.review = True
        elif self._planner.current is not None:
            self._begin_again(frame)

    def _begin_again(self, frame: Frame) -> None:
        self._table.requeue(frame)
        self._end(frame)

    def _serve(self) -> None:
        """Sees to the job whose turn it is: that it has a plan, and frames in flight."""
        job = self._table.serve()
        if job is None:
            return
        terms = self._table.terms(job)
        frames = job.frames if terms.many else 1
        frames = frames if job.unbegun else 0
        self._planner.ask(list(self._roster.by_number.values()), terms, frames)
        if self._planner.adopt(terms):
            self._scheduler.failures.remark = ""
            for frame in [f for f in self._scheduler.assignments.frames if f.parked]:
                self._begin_again(frame)
        plan = self._planner.usable(terms)
        if plan is not None:
            for frame in self._table.start(terms, plan):
                self._scheduler.begin(frame)
        elif fault := self._planner.take_fault():
            self._table.fail(job, [fault])
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
