"""What came of a batch: told while it runs, printed at its end, and written as JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ftdist.atomic import write_json
from ftdist.cli.console import complain, say
from ftdist.cli.files.advance import duration
from ftdist.cli.files.class_names import reading_line
from ftdist.cli.reports.report import algorithm_lines, budget_line, machine, preparation_line
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.many.local import Batch, LaneTime, Record
from ftdist.many.spool import Progress
from ftdist.runtime.budget.memory import format_size
from ftdist.runtime.plans.fresh_process import peak_bytes
from ftdist.wording import counted

_MOST_NAMED = 50

_WHOLE_S = 10.0
"""From here on seconds are told as whole ones, below by two digits."""


class Told:
    """What came of a batch of `total` inputs so far; None where nobody knows how many."""

    def __init__(self, total: int | None, line: PassingLine) -> None:
        self.total = total
        self.line = line
        self.lane_time = LaneTime()
        self.batch: Batch | None = None
        self.cluster = ""
        self.left_out: list[tuple[str, str]] = []
        self.before = self.done = self._left_out_before = 0
        self._started_s = time.perf_counter()
        self.wall_s = 0.0

    def go_on(self, progress: Progress) -> None:
        """Takes over the progress of an interrupted batch."""
        self.before, self._left_out_before = progress.done, progress.left_out
        if self.before:
            say(f"going on   after {self._of_all(self.before)}")

    def take(self, finished: Record) -> None:
        """Counts one more input; says so if it was left out."""
        self.done += 1
        if isinstance(finished.result, InputError):
            reason = str(finished.result)
            self.line.clear()
            complain(f"ftdist: {reason}")
            self.left_out.append((finished.item.name, reason))
            if self.batch is not None and self.batch.onlooker is not None:
                self.batch.onlooker.failed()

    def begin(self) -> None:
        """Starts the clock."""
        self._started_s = time.perf_counter()

    def end(self) -> None:
        """Stops the clock."""
        self.wall_s = time.perf_counter() - self._started_s

    @property
    def so_far(self) -> str:
        """How many are done."""
        return f"{self._of_all(self.before + self.done)} done"

    def _of_all(self, count: int) -> str:
        if self.total is None:
            return counted(count, "input")
        return f"{count:,} of {counted(self.total, 'input')}"

    @property
    def left_out_in_all(self) -> int:
        """How many were left out, before it was interrupted too."""
        return self._left_out_before + len(self.left_out)

    def summarize(self) -> None:
        """Names the inputs that were left out, once more."""
        if self.left_out:
            names = ", ".join(name for name, _ in self.left_out[:_MOST_NAMED])
            more = len(self.left_out) - _MOST_NAMED
            rest = f" and {more} more" if more > 0 else ""
            complain(f"ftdist: {counted(len(self.left_out), 'input')} left out: {names}{rest}")


def write_batch(path: Path, told: Told, kernels: str) -> None:
    """All of it as JSON."""
    value: dict[str, Any] = {
        "measured": {"peak_bytes": peak_bytes(), "wall_s": told.wall_s},
        "inputs": {"all": told.total, "before": told.before, "done": told.done},
        "left_out": [{"file": name, "reason": reason} for name, reason in told.left_out],
        "machine": machine(kernels),
    }
    if told.batch is not None:
        lanes, choice = told.batch.lanes, told.batch.lanes.choice
        value["plan"] = choice.plan.to_json(choice.model.digest)
        value["lanes"] = lanes.split.lanes
        value["predicted"] = {
            "peak_bytes": lanes.peak_bytes,
            "pictures_per_s": lanes.pictures_per_s,
            "room_bytes": lanes.room_bytes,
            "parts": choice.parts,
        }
        value["measured"]["computing_s"] = told.lane_time.seconds / lanes.split.lanes
    write_json(path, value)


def print_batch(told: Told, wrote: Path, left_out: Path | None = None) -> None:
    """All of it for people; `left_out` names those that were."""
    rate = f"{told.done / told.wall_s if told.wall_s else 0.0:.1f} a second"
    if told.batch is None:
        say(f"cluster    {told.cluster}")
        say(f"rate       measured {rate}")
    else:
        _print_lanes(told.batch, told, rate)
    done = told.before + told.done
    say(f"inputs     {done - told.left_out_in_all:,} of {done:,}")
    say(f"wrote      {wrote}")
    if told.left_out_in_all and left_out is not None:
        say(f"left out   {counted(told.left_out_in_all, 'input')}: named in {left_out}")


def _print_lanes(batch: Batch, told: Told, rate: str) -> None:
    lanes, choice = batch.lanes, batch.lanes.choice
    threads = counted(lanes.split.threads, "thread")
    at_once = f"{counted(lanes.split.lanes, 'picture')} at once, {threads} each"
    say(f"plan       {choice.plan.notation}, {at_once}")
    for each in algorithm_lines(choice.plan.to_json(choice.model.digest)):
        say(each)
    say(f"budget     {budget_line(choice.budget)}")
    say(
        f"peak       predicted at most {format_size(lanes.peak_bytes)}, "
        f"measured {format_size(peak_bytes())}"
    )
    asked = batch.asked
    say(f"picture    {preparation_line(asked.network, asked.about)}")
    if asked.task.kind == "text":
        say(f"reads      {reading_line(asked.task, asked.names, asked.about.names)}")
    share = told.lane_time.seconds / lanes.split.lanes / told.wall_s if told.wall_s else 0.0
    alone = f"the network alone predicted {lanes.pictures_per_s:.1f} a second"
    took = duration(told.wall_s) if told.wall_s >= _WHOLE_S else f"{told.wall_s:.2g} s"
    say(f"rate       measured {rate}, computing {share:.0%} of {took}; {alone}")
