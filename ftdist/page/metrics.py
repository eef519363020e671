"""A snapshot as metrics, in Prometheus' text form (version 0.0.4).

Units are seconds, bytes and ratios of 0 to 1, and stand in the names. What only grows ends in
`_total`. Workers and jobs are labels; one that is gone has no metrics any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ftdist.coordinator.observing.snapshot import JobNow, PlanNow, Snapshot, WorkerNow
from ftdist.page.subject import Subject

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class PageCounts:
    """What the page knows of itself."""

    streams: int
    refused: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class _Metric:
    """One metric; `samples` are its values by labels."""

    name: str
    kind: str
    about: str
    samples: list[tuple[_Labels, float]] = field(default_factory=list)

    def lines(self) -> Iterable[str]:
        yield f"# HELP {self.name} {self.about}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            yield f"{self.name}{{{inside}}} {value!r}" if inside else f"{self.name} {value!r}"


def as_text(
    subject: Subject,
    snapshot: Snapshot,
    plan: PlanNow | None,
    peak_bytes: int,
    page: PageCounts,
) -> str:
    """All metrics."""
    found = [
        *_of_the_whole(subject, snapshot, peak_bytes),
        *_of_the_plan(plan),
        *_of_totals(snapshot),
        *_of_workers(snapshot.workers),
        *_of_jobs(snapshot.jobs),
        *_of_the_page(page),
    ]
    return "\n".join(line for metric in found for line in metric.lines()) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _one(name: str, kind: str, about: str, value: float, /, **labels: str) -> _Metric:
    return _Metric(f"ftdist_{name}", kind, about, [(labels, value)])


def _of_the_whole(subject: Subject, snapshot: Snapshot, peak_bytes: int) -> Iterable[_Metric]:
    info = {"version": subject.version, "kind": subject.kind, "model": snapshot.model}
    yield _one("info", "gauge", "Whose metrics these are.", 1, **info)
    yield _one("start_time_seconds", "gauge", "When it began, since 1970.", subject.started_s)
    clock = "The moment of these figures, by a clock of its own: rates are to be taken by it."
    yield _one("clock_seconds", "gauge", clock, snapshot.now_s)
    budget = "Memory that the process and its page may hold."
    yield _one("process_budget_bytes", "gauge", budget, subject.budget_bytes)
    yield _one("process_peak_bytes", "gauge", "The most memory that it ever held.", peak_bytes)
    yield _one("workers", "gauge", "Workers that are there.", len(snapshot.workers))
    yield _one("jobs", "gauge", "Jobs that are not over.", len(snapshot.jobs))
    in_flight = "Frames on their way through the workers."
    yield _one("frames_in_flight", "gauge", in_flight, snapshot.frames_in_flight)


def _of_the_plan(plan: PlanNow | None) -> Iterable[_Metric]:
    yield _one("plan_in_use", "gauge", "Whether there is a plan.", int(plan is not None))
    if plan is not None:
        predicted = "Predicted time of one frame by the plan in use."
        yield _one("plan_frame_seconds", "gauge", predicted, plan.seconds)
        period = "Predicted time between frames where many are in flight."
        yield _one("plan_period_seconds", "gauge", period, plan.period_s)
        yield _one("plan_stages", "gauge", "Stages of the plan in use.", len(plan.stages))


def _of_totals(snapshot: Snapshot) -> Iterable[_Metric]:
    totals = snapshot.totals
    for name, about, value in (
        ("frames_finished_total", "Frames that were finished.", totals.frames),
        ("frames_restarted_total", "Frames that had to begin again.", totals.restarts),
        ("tasks_finished_total", "Tasks whose result was taken.", totals.tasks),
        ("tasks_failed_total", "Tasks that failed on a worker.", totals.failed_tasks),
        ("tasks_moved_total", "Tasks of lost workers, given to others.", totals.moved_tasks),
        ("results_late_total", "Results that came too late.", totals.late_results),
        ("workers_joined_total", "Workers that joined.", totals.joined),
        ("workers_lost_total", "Workers that left or were lost.", totals.lost),
        ("sent_bytes_total", "Inputs of finished frames' tasks, sent.", totals.sent_bytes),
        ("received_bytes_total", "Results of finished frames' tasks.", totals.received_bytes),
    ):
        yield _one(name, "counter", about, value)


_WORKER_METRICS: tuple[tuple[str, str, str, Callable[[WorkerNow], float]], ...] = (
    ("threads", "gauge", "Threads.", lambda w: w.status.threads),
    ("budget_bytes", "gauge", "Memory budget.", lambda w: w.status.budget_bytes),
    ("peak_bytes", "gauge", "The most memory held.", lambda w: w.status.peak_bytes),
    ("share_ratio", "gauge", "Share of a frame's work.", lambda w: w.status.share),
    (
        "flops_per_second",
        "gauge",
        "Measured rate of arithmetic.",
        lambda w: 2 * w.status.macs_per_s,
    ),
    (
        "link_bytes_per_second",
        "gauge",
        "Measured rate of its link; 0 within the process.",
        lambda w: w.status.link_bytes_per_s,
    ),
    ("link_latency_seconds", "gauge", "One way.", lambda w: w.latency_s),
    ("silence_seconds", "gauge", "Since it was last heard of.", lambda w: w.silent_s),
    ("tasks_in_progress", "gauge", "Tasks that it has.", lambda w: w.status.tasks),
    ("tasks_finished_total", "counter", "Tasks that it finished.", lambda w: w.status.finished),
    ("tasks_failed_total", "counter", "Tasks that failed there.", lambda w: w.status.failed),
)
"""Name, kind, what it is about, and value of each metric of a worker."""


def _of_workers(workers: Iterable[WorkerNow]) -> Iterable[_Metric]:
    workers = list(workers)
    labels = [{"worker": each.status.name} for each in workers]
    info = _Metric("ftdist_worker_info", "gauge", "Who a worker is, and what it is doing.")
    for each, label in zip(workers, labels, strict=True):
        status = each.status
        more = {"key": status.key, "address": status.address, "kernels": status.instruction_set}
        info.samples.append(({**label, **more, "state": status.state}, 1))
    yield info
    for name, kind, about, value in _WORKER_METRICS:
        samples = [(label, value(each)) for each, label in zip(workers, labels, strict=True)]
        yield _Metric(f"ftdist_worker_{name}", kind, about, samples)


def _of_jobs(jobs: Iterable[JobNow]) -> Iterable[_Metric]:
    jobs = list(jobs)
    labels = [{"job": each.status.job} for each in jobs]
    for name, about, values in (
        ("frames", "Frames of the job.", [j.status.frames for j in jobs]),
        ("frames_finished", "Frames that are finished.", [j.status.finished for j in jobs]),
        ("frame_seconds", "Time for each frame so far.", [j.status.seconds_a_frame for j in jobs]),
        ("frame_bytes", "Bytes on links for each frame.", [j.status.bytes_a_frame for j in jobs]),
    ):
        samples: list[tuple[_Labels, float]] = list(zip(labels, values, strict=True))
        yield _Metric(f"ftdist_job_{name}", "gauge", about, samples)
    known = [(label, j.left_s) for label, j in zip(labels, jobs, strict=True) if j.left_s >= 0]
    left = "Time that the job still takes, at its speed so far."
    yield _Metric("ftdist_job_left_seconds", "gauge", left, known)


def _of_the_page(page: PageCounts) -> Iterable[_Metric]:
    yield _one("page_streams", "gauge", "Browsers that look at the page.", page.streams)
    yield _one("page_refused_requests_total", "counter", "Requests not let in.", page.refused)
    resident = "Memory that the page's process holds."
    yield _one("page_resident_bytes", "gauge", resident, page.resident_bytes)
