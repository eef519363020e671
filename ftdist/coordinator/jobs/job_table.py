"""Clients and their jobs: what is asked of them and what they are sent.

Frames are asked for as there is room (the *window*), so that inputs, maps and results never take
more memory here than was allowed. A job goes on without its client for a while, and under the same
name with the client that comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from ftdist.coordinator import trace_spans
from ftdist.coordinator.events import Arrived, Peer
from ftdist.coordinator.jobs.admission import Admission
from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.jobs.jobs import Job, Terms
from ftdist.coordinator.notices import Unwanted
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.network.graph import INPUT
from ftdist.protocol.client_messages import (
    Accepted,
    FrameInput,
    JobFailed,
    Received,
    Submit,
    WantFrame,
)
from ftdist.protocol.records import Piece, Place
from ftdist.protocol.regions import Collector, MapForm
from ftdist.protocol.shared_messages import Refusal
from ftdist.wording import counted

_ASKED_AT_ONCE = 1024
"""Frames that one WantFrame names at most."""


class JobTable:
    """Jobs in order of submission. `stray`: messages about jobs or frames that nobody asked for."""

    def __init__(self, settings: Settings, model: ModelInfo, out: Outbox) -> None:
        self._settings = settings
        self._model = model
        self._out = out
        self._admission = Admission(settings, model)
        self._serial = 0
        self.jobs: dict[str, Job] = {}
        self.stray = 0

    @property
    def under_way(self) -> bool:
        """Whether frames of any job are begun or done."""
        return any(job.in_flight or job.made.count for job in self.jobs.values())

    # ---- from clients

    def submit(self, arrived: Arrived, message: Submit) -> None:
        """A client has a job, or comes back to one."""
        peer, key = arrived.peer, arrived.key
        job = self.jobs.get(message.job)
        reason = self._admission.refusal(message, key, job, len(self.jobs))
        if reason:
            final = job is not None or len(self.jobs) < self._settings.most_jobs
            self._out.send(peer, Refusal(reason, final))
            return
        if job is None:
            self._serial += 1
            now_s = self._out.now_s
            frames = message.frames * self._model.bands_each
            job = Job(message.job, self._serial, peer, key, frames, message.picture, now_s)
            self.jobs[job.name] = job
            text = f"job {job.name}: {self._admission.size_of(job.frames)}{arrived.origin}"
            self._out.log(text, "job-submitted", job=job.name, frames=job.frames)
        elif job.client is None or job.client != peer:
            self._out.log(f"job {job.name}: its client is back", "client-back", job=job.name)
        job.client, job.heard_s, job.news = peer, self._out.now_s, True
        job.origin = arrived.origin
        self._unwanted(job.submitted(message))
        self._accept(job, peer)
        self._out.review()

    def _accept(self, job: Job, peer: Peer) -> None:
        model = self._model
        size = model.network.input
        self._out.send(
            peer,
            Accepted(
                job.name,
                model.digest,
                model.header_bytes,
                (size.height, size.width, size.channels),
                model.outputs,
                model.band_rows,
            ),
        )
        for number in job.results:
            self._deliver(job, number)

    def frame_input(self, job: Job, message: FrameInput) -> None:
        """A piece of a frame's input; what was not asked for is dropped."""
        job.heard_s = self._out.now_s
        collector = job.wanted.get(message.frame)
        if collector is None:
            self.stray += 1
            return
        problem = collector.take(message.pieces)
        if not problem and not message.more and not collector.whole:
            problem = "something is lacking"
        if problem:
            self.fail(job, (f"frame {message.frame}: {problem}",))
        elif not message.more:
            del job.wanted[message.frame]
            job.complete[message.frame] = collector.pieces
            self._trace(job, "receive", message.frame, job.asked_s, collector.pieces)
            self._out.review()

    def received(self, job: Job, message: Received) -> None:
        """The client has a result; when it has all, the job is over."""
        job.heard_s = self._out.now_s
        result = job.results.get(message.frame)
        if result is not None:
            self._trace(job, "send", message.frame, job.delivered_s, result.pieces)
        job.received(message.frame)
        self._out.review()

    def of(self, peer: Peer, name: str) -> Job | None:
        """The client's job of that name; others, and strangers, are told to submit it."""
        job = self.jobs.get(name)
        if job is not None and job.client == peer:
            return job
        self.stray += 1
        return None

    def job_of(self, frame: Frame) -> Job | None:
        """The job that a frame is in flight for; None when nobody waits for it any more."""
        job = self.jobs.get(frame.job)
        return job if job is not None and job.in_flight.get(frame.number) is frame else None

    def serves(self, peer: Peer) -> bool:
        """Whether a peer is the client of a job."""
        return any(job.client == peer for job in self.jobs.values())

    def moved_for(self, peer: Peer) -> bool:
        """Bytes move between a client and here; returns whether it is one."""
        jobs = [job for job in self.jobs.values() if job.client == peer]
        for job in jobs:
            job.heard_s = self._out.now_s
        return bool(jobs)

    def gone(self, peer: Peer) -> bool:
        """A client is gone, its jobs go on for a while; returns whether it had any."""
        jobs = [job for job in self.jobs.values() if job.client == peer]
        for job in jobs:
            self._out.log(f"job {job.name}: its client is gone", "client-gone", job=job.name)
            job.client_gone(self._out.now_s)
            self._out.review()
        return bool(jobs)

    def revoke(self, key: str, reason: str) -> None:
        """The clients of a key are sent away, their jobs dropped."""
        for job in [job for job in self.jobs.values() if job.key == key]:
            if job.client is not None:
                self._out.send(job.client, Refusal(reason, final=True))
            self.drop(job, reason)

    # ---- to clients

    def finish(self, frame: Frame) -> int:
        """A frame is computed; its client gets the result by ``hand_out``. All frames before the
        returned number are computed too."""
        job, totals = self.jobs[frame.job], self._out.totals
        totals.frames += 1
        totals.sent_bytes += frame.sent_bytes
        totals.received_bytes += frame.received_bytes
        job.finish(frame, self._out.now_s)
        self._out.review()
        return job.made.first_missing(0)

    def hand_out(self, frame: Frame) -> None:
        """The client of a frame that is computed gets its result."""
        self._deliver(self.jobs[frame.job], frame.number)

    def _deliver(self, job: Job, number: int) -> None:
        if job.client is not None:
            job.heard_s = job.delivered_s[number] = self._out.now_s
            for message in job.result_messages(number):
                self._out.send(job.client, message)

    def fail(self, job: Job, reasons: tuple[str, ...]) -> None:
        """Fails a job and tells its client why."""
        if job.client is not None:
            self._out.send(job.client, JobFailed(job.name, reasons[:16]))
        self.drop(job, "given up: " + "; ".join(reasons), "job-failed")

    def drop(self, job: Job, reason: str, event: str = "job-dropped") -> None:
        """Removes a job; its frames in flight are unwanted."""
        del self.jobs[job.name]
        self._unwanted(job.in_flight.values())
        self._out.log(f"job {job.name}: {reason}", event, job=job.name, frames=job.computed)
        self._out.review()

    def _unwanted(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._out.note(Unwanted(frame))

    # ---- which job, which frames

    def next_job(self) -> Job | None:
        """The job whose frames are asked for now: the first that can go on."""
        for job in list(self.jobs.values()):
            if job.over:
                seconds = job.ended_s - job.begun_s if job.begun_s is not None else 0.0
                done = f"done, {counted(job.computed, 'frame')} in {seconds:.1f} s"
                self.drop(job, done, "job-done")
            elif job.computing or (job.client is not None and not self._stalled(job)):
                return job
        return None

    def _stalled(self, job: Job) -> bool:
        """Whether the client lets everybody wait."""
        waits = bool(job.wanted or job.results)
        return waits and self._out.now_s - job.heard_s > self._settings.patience_s

    def start(self, terms: Terms, plan: ActivePlan) -> list[Frame]:
        """Frames that are complete here are started, those of jobs of these terms."""
        begun = []
        for job in self.jobs.values():
            if self.terms(job) == terms:
                for number in sorted(job.complete):
                    order = job.serial, number
                    inputs = job.complete.pop(number)
                    frame = Frame(job.name, job.label(), order, plan, inputs)
                    job.in_flight[number] = frame
                    begun.append(frame)
        return begun

    def requeue(self, frame: Frame) -> None:
        """A frame must begin again."""
        job = self.jobs[frame.job]
        self._out.totals.restarts += 1
        del job.in_flight[frame.number]
        job.complete[frame.number] = frame.inputs
        job.restarts += 1
        self._out.review()

    def terms(self, job: Job) -> Terms:
        """What plans for a job are made for: one frame at a time is as one frame."""
        return Terms(job.picture, job.many and self._settings.in_flight != 1)

    def want(self, job: Job, window: int) -> None:
        """Asks the client for as many frames as there is room for, at least one at a time."""
        new: list[int] = []
        window -= sum(each.held for each in self.jobs.values() if each is not job)
        while job.client is not None and len(new) < _ASKED_AT_ONCE:
            number = job.next_frame() if job.held < max(1, window) else None
            if number is None:
                break
            job.wanted[number] = self._collector(job, number)
            job.asked_s[number] = self._out.now_s
            new.append(number)
        if new and job.client is not None:
            job.heard_s = self._out.now_s
            self._out.send(job.client, WantFrame(job.name, tuple(new)))

    def _trace(
        self,
        job: Job,
        kind: Literal["send", "receive"],
        frame: int,
        begun_s: dict[int, float],
        pieces: list[Piece],
    ) -> None:
        now_s = self._out.now_s
        start_s = begun_s.pop(frame, now_s)
        if self._settings.trace:
            size = sum(piece.data.nbytes for piece in pieces)
            self._out.actions.append(trace_spans.transfer(job, kind, frame, start_s, now_s, size))

    def _collector(self, job: Job, number: int) -> Collector:
        dtype = np.dtype(np.uint8 if job.picture else np.float32)
        form = MapForm(self._model.network.input.channels, dtype)
        return Collector([Place(INPUT, self._model.input_region(number))], {INPUT: form})

    def drop_orphans(self) -> None:
        """Drops jobs whose clients have been gone for too long."""
        for job in list(self.jobs.values()):
            gone_s = self._out.now_s - job.orphan_s
            if job.client is None and gone_s > self._settings.orphan_s:
                self.drop(job, f"dropped, its client has been gone for {gone_s:.0f} s")
