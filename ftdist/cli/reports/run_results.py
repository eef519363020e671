"""What comes of the inputs of `ftdist run`: told and written as it comes, reported at the end.

Of one input the result is printed under the report; each of several is told at once, and the data
of all are written together. A full disk does not keep a result from being printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftdist.cli.console import complain, say, tell
from ftdist.cli.files.class_names import reading_line, thresholds_of, unsure_of
from ftdist.cli.files.findings import print_result, summary
from ftdist.cli.files.input_queue import Looked
from ftdist.cli.files.outputs import Outputs, write_text
from ftdist.cli.files.sources import Source, Sources
from ftdist.cli.reports.report import (
    Report,
    milliseconds,
    preparation_line,
    print_report,
    write_report,
)
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.many.drawn import Computed, Shown, write_picture
from ftdist.many.inputs import write_arrays
from ftdist.network.about import About, Names
from ftdist.network.graph import Network
from ftdist.network.task import Task
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.plans.fresh_process import peak_bytes
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.answers.seen import Answer, Result
    from ftdist.page.local import LocalPage


@dataclass
class RunResults:
    """What is asked for of the inputs, and what came of them so far."""

    arguments: argparse.Namespace
    given: Sources
    limit: Budget
    line: PassingLine
    network: Network
    task: Task
    about: About
    names: tuple[str, ...]
    names_from: Names
    outputs: Outputs
    results: list[Result] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    report: Report | None = None
    shown: LocalPage | None = None

    def leave_out(self, source: Source, reason: str) -> None:
        """Names an input that is left out."""
        self.line.clear()
        complain(f"ftdist: {reason}")
        self.left_out.append({"file": source.name, "reason": reason})
        if self.shown is not None:
            self.shown.failed()

    def take(self, looked: Looked, computed: Computed, latency_s: float) -> None:
        """Writes what is asked for of one input, and for one of several says it at once."""
        source = looked.source
        try:
            result, written = self._answer(looked, computed)
        except InputError as error:
            if not self.given.several:
                raise source.named(error) from None
            self.leave_out(source, str(source.named(error)))
            return
        if result is not None:
            self.results.append(result)
        if self.given.several and not self.outputs.is_printed:
            self.line.clear()
            what = f"{summary(result)}, " if result is not None else ""
            tell(f"input      {source.name}: {what}{milliseconds(latency_s)}")
            if result is not None:
                print_result(result, everything=self.arguments.all)
            if written is not None:
                tell(f"wrote      {written}")

    def _answer(self, looked: Looked, computed: Computed) -> tuple[Result | None, Path | None]:
        """What is on a picture, and the file that was written for it."""
        found = self._seen(looked.source, computed)
        result = None if found is None else found.result
        if not self.outputs.each:
            return result, None
        target = self.outputs.each[looked.number]
        trim_heap()  # what candidates took is free for what is written
        most_bytes = self.limit.bytes - resident_bytes()
        give_back_code()
        if self.outputs.kind == "arrays":
            write_arrays(target, computed.outputs)
        elif self.outputs.kind == "pictures":
            plain = self.arguments.labels_picture
            shown = Shown(looked.source.path, computed, found, self.names, plain)
            about = (self.network, self.task, self.about)
            room = most_bytes, looked.context.drawing_bytes
            notes = write_picture(target, *about, shown, *room, give_back_code)
            self.notes += [note for note in notes if note not in self.notes]
        else:
            assert result is not None
            self._write_data(target, [result])
        return result, target

    def _seen(self, source: Source, computed: Computed) -> Answer | None:
        """What the network's outputs say; None of networks that say nothing in words."""
        if self.task.kind not in ("detect", "classify", "segment", "points", "text"):
            return None
        from ftdist.answers.seen import answer  # other networks have no use for all it brings

        given = (self.network, self.task, computed.outputs, self.names, source.name)
        try:
            return answer(*given, computed.letterbox, thresholds_of(self.arguments))
        except InputError as error:
            if self.outputs.kind != "arrays":
                raise
            self.notes.append(str(error))
            return None

    def _write_data(self, target: Path | None, results: Sequence[Result]) -> None:
        from ftdist.answers.export import as_text  # with all that it brings: only where wanted

        file_format, scores = self.outputs.file_format, self.arguments.scores
        if file_format == "geojson":
            text = self._on_the_map(results)
        else:
            text = as_text(results, file_format, self.names, scores=scores, kind=self.task.kind)
        write_text(target, text)

    def _on_the_map(self, results: Sequence[Result]) -> str:
        """The objects of a picture where they lie on the earth."""
        from ftdist.answers.geojson import geojson  # as above
        from ftdist.answers.seen import Seen
        from ftdist.pictures.rows.opening import open_rows

        if len(results) != 1 or self.given.several or not isinstance(results[0], Seen):
            raise InputError("--format geojson is of one picture; run several apart")
        with closing(open_rows(self.given.all[0].path)) as rows:
            return geojson(results[0], rows.tags)

    def finish(self) -> None:
        """The data, the report, and what a single input's result was."""
        arguments, found, report = self.arguments, self.outputs, self.report
        assert report is not None
        give_back_code()  # what is left is to tell, which adds to none of what was done
        if found.kind == "data" and not found.each:
            self._write_data(found.all, self.results)
        if arguments.json is not None:
            report = report.with_answers(results=_values(self.results), left_out=self.left_out)
        report = report.with_peak(peak_bytes())
        try:
            if found.is_printed:
                if unsure := unsure_of(self.names, self.names_from):
                    complain(f"ftdist: {unsure}")
            else:
                self._print(report)
        finally:  # a full disk does not keep the result from being printed, nor the other way round
            if arguments.json is not None:
                write_report(arguments.json, report)

    def _print(self, report: Report) -> None:
        print_report(report)
        if any(not source.is_array for source in self.given.all):
            say(f"picture    {preparation_line(self.network, self.about)}")
        if not self.given.several and self.given.all[0].others:
            paths = (self.given.all[0].name, *self.given.all[0].others)
            pairs = zip(self.network.inputs, paths, strict=True)
            say(f"inputs     {', '.join(f'{port.name} {path}' for port, path in pairs)}")
        if self.task.kind == "text":
            say(f"reads      {reading_line(self.task, self.names, self.names_from)}")
        elif unsure := unsure_of(self.names, self.names_from):
            say(f"names      {unsure.removeprefix('the class names ')}")
        for note in self.notes:
            say(f"note       {note}" if self.outputs.kind == "arrays" else f"drawn      {note}")
        if self.given.several:
            count = len(self.given.all)
            lost = f"; {counted(len(self.left_out), 'input')} left out" if self.left_out else ""
            say(f"inputs     {count - len(self.left_out)} of {count}{lost}")
            if self.outputs.all is not None:
                say(f"wrote      {self.outputs.all}")
            return
        for result in self.results:
            print_result(result, everything=self.arguments.all)
        for path in self.outputs.files:
            say(f"wrote      {path}")


def _values(results: Sequence[Result]) -> list[Any]:
    from ftdist.answers.export import as_value  # as above

    return [as_value(each) for each in results]
