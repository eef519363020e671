"""What people are told: how far jobs are, and the state of everything at a glance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ftdist.coordinator.events import Arrived
from ftdist.coordinator.jobs.job_table import JobTable
from ftdist.coordinator.jobs.jobs import Job
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.planner import Planner
from ftdist.coordinator.settings import ModelInfo
from ftdist.coordinator.tasks.scheduler import Scheduler
from ftdist.coordinator.workers.roster import Roster
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.client_messages import (
    JobProgress,
    JobStatus,
    Status,
    StatusRequest,
    WorkerStatus,
)
from ftdist.protocol.limits import PROTOCOL, STATUS_WORKERS, versions_differ
from ftdist.protocol.shared_messages import Refusal
from ftdist.wording import counted

SOONEST_S = 0.25
"""No job's client is told more often how far it is."""


@dataclass(frozen=True, slots=True)
class Report:
    """Looks at everything, changes nothing but when a client was told last."""

    model: ModelInfo
    roster: Roster
    scheduler: Scheduler
    planner: Planner
    table: JobTable
    out: Outbox

    def progress(self, *, all_jobs: bool) -> None:
        """Tells clients how far their jobs are: those where something happened, or all."""
        for job in self.table.jobs.values():
            soon = self.out.now_s - job.told_s < SOONEST_S
            if job.client is None or soon or not (job.news or all_jobs):
                continue
            job.news, job.told_s = False, self.out.now_s
            self.out.send(job.client, self._progress(job, self._waits_for(job)))

    def completed(self, job: Job) -> None:
        """Tells a client that its last frame is computed, before it gets that and goes."""
        if job.client is not None and job.made.count == job.frames:
            job.news, job.told_s = False, self.out.now_s
            self.out.send(job.client, self._progress(job, ""))

    def farewell(self, text: str) -> None:
        """Tells all clients a last word."""
        for job in self.table.jobs.values():
            if job.client is not None:
                self.out.send(job.client, self._progress(job, text))

    @property
    def next_s(self) -> float:
        """When news may be told that are too fresh now."""
        due_s = float("inf")
        for job in self.table.jobs.values():
            if job.news and job.client is not None:
                due_s = min(due_s, job.told_s + SOONEST_S)
        return due_s

    def _progress(self, job: Job, text: str) -> JobProgress:
        return JobProgress(
            job=job.name,
            finished=job.made.count,
            frames=job.frames,
            workers=len(self.roster.by_number),
            sent_bytes=job.sent_bytes,
            received_bytes=job.received_bytes,
            text=text,
        )

    def _waits_for(self, job: Job) -> str:
        """What a job waits for, if it does."""
        first = self.table.next_job()
        if job.made.count == job.frames:
            return ""
        if not self.roster.by_number:
            return "waiting for workers"
        if first is not None and first is not job and not job.computing:
            return f"waiting for job {first.name}"
        if not job.computing:
            if job.wanted:
                return "waiting for its inputs"
            return "waiting for its client to take results" if job.results else ""
        stuck = any(frame.parked for frame in job.in_flight.values())
        if self.planner.current is None or job.complete or stuck:
            return self.planner.reason or self.scheduler.failures.remark or "waiting for a plan"
        if not any(queue.given for queue in self.scheduler.assignments.queues.values()):
            return "waiting for weights to reach the workers"
        return self.scheduler.failures.remark

    # ---- status

    def answer(self, event: Arrived, message: StatusRequest) -> None:
        """Sends whoever asked the state of everything, in as many parts as it takes."""
        if message.protocol != PROTOCOL:
            self.out.send(event.peer, Refusal(versions_differ(message.protocol), final=True))
            return
        for part in self._status():
            self.out.send(event.peer, part)

    def plan_text(self) -> str:
        """The plan in use, or why there is none."""
        plan = self.planner.current
        if plan is None:
            return f"no plan: {self.planner.reason}" if self.planner.reason else "no plan"
        shared = plan.plan
        text = (
            f"{counted(len(shared.stages), 'stage')}, {counted(len(plan.graph.tasks), 'task')}, "
            f"{shared.seconds:.3g} s a frame"
        )
        return f"{text}; {shared.note}" if shared.note else text

    def _status(self) -> list[Status]:
        text = self.plan_text()
        jobs = tuple(self.job(each) for each in self.table.jobs.values())
        whole = Status(self.model.name, text, (), jobs, self.scheduler.late)
        workers = [self.worker(each) for each in self.roster.by_number.values()]
        parts = [
            replace(whole, workers=tuple(workers[at : at + STATUS_WORKERS]), jobs=(), more=True)
            for at in range(0, len(workers), STATUS_WORKERS)
        ]
        last = parts.pop().workers if parts else ()
        return [*parts, replace(whole, workers=last)]

    def worker(self, worker: Worker) -> WorkerStatus:
        """One worker, as it is now."""
        queue = self.scheduler.assignments.queues.get(worker.number)
        plan = self.planner.current
        slot = queue.slots.get(plan) if queue is not None and plan is not None else None
        share = plan.plan.shares[slot] if plan is not None and slot is not None else 0.0
        link = worker.link_bytes_per_s  # infinite within the process, and before it is measured
        return WorkerStatus(
            name=worker.name,
            state=self._state(worker),
            instruction_set=worker.hello.instruction_set,
            threads=worker.hello.threads,
            budget_bytes=worker.hello.budget_bytes,
            peak_bytes=worker.peak_bytes,
            share=min(1.0, max(0.0, share)),
            macs_per_s=worker.hello.macs_per_s,
            link_bytes_per_s=link if math.isfinite(link) else 0.0,
            tasks=len(queue.given) if queue is not None else 0,
            finished=worker.finished,
            failed=worker.failed,
            key=worker.origin.name,
            address=worker.origin.address,
        )

    def _state(self, worker: Worker) -> str:
        queue = self.scheduler.assignments.queues.get(worker.number)
        past = f", died {min(worker.hello.oom_kills, 9)}x" if worker.hello.oom_kills else ""
        if queue is not None and queue.given:
            return f"running{past}"
        if worker.fetching:
            return "loading weights"
        return f"idle{past}" if worker.measured else "measuring link"

    def job(self, job: Job) -> JobStatus:
        """One job, as far as it is now."""
        computed = max(1, job.computed)
        seconds = job.ended_s - job.begun_s if job.begun_s is not None else 0.0
        return JobStatus(
            job=job.name,
            finished=job.made.count,
            frames=job.frames,
            seconds_a_frame=max(0.0, seconds) / computed,
            bytes_a_frame=(job.sent_bytes + job.received_bytes) // computed,
            classic_bytes_a_frame=self.model.classic_bytes,
            text=self._waits_for(job),
            key=job.origin.name,
            address=job.origin.address,
        )
