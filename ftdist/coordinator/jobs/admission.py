"""Which jobs are taken: a new one if there is room, one that is there from its own client only."""

from __future__ import annotations

from ftdist.coordinator.jobs.jobs import Job
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.protocol.client_messages import Submit
from ftdist.protocol.limits import PROTOCOL, versions_differ
from ftdist.wording import counted

_MOST_FRAMES = 1 << 24
"""Frames of one job: what numbers in messages count up to."""


class Admission:
    """Decides on each job that is submitted."""

    def __init__(self, settings: Settings, model: ModelInfo) -> None:
        self._most_jobs = settings.most_jobs
        self._model = model

    def refusal(self, message: Submit, key: str, job: Job | None, jobs: int) -> str:
        """Why a client's job is not taken, empty if it is; `job`: the one of that name that is
        there already, of `jobs` in all."""
        if message.protocol != PROTOCOL:
            return versions_differ(message.protocol)
        frames = message.frames * self._model.bands_each
        if frames > _MOST_FRAMES:
            return f"{counted(message.frames, 'picture')} are too many bands for one job"
        if message.done and (
            message.band_rows != self._model.band_rows or message.done[-1][1] > frames
        ):
            return (
                f"job {message.job} began with {_rows(message.band_rows)}, and this coordinator "
                f"computes {_rows(self._model.band_rows)}; submit it under another name"
            )
        if job is None:
            return f"{counted(jobs, 'job')} are waiting already" if jobs >= self._most_jobs else ""
        if job.key != key:
            return f"a job {job.name} of somebody else is there; use another name"
        if (job.frames, job.picture) != (frames, message.picture):
            there = self.size_of(job.frames)
            return f"another job {job.name} is there: {there}; use another name"
        return ""

    def size_of(self, frames: int) -> str:
        """How much a job is, for people."""
        if self._model.bands is None:
            return counted(frames, "frame")
        pictures = counted(frames // self._model.bands_each, "picture")
        return f"{pictures} in {counted(frames, 'band')} of {self._model.band_rows} rows"


def _rows(band_rows: int) -> str:
    return f"bands of {counted(band_rows, 'row')}" if band_rows else "whole frames"
