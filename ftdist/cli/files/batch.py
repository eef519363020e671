"""The inputs of a submitted job, loaded when they are asked for, and their results in a folder.

Of a detector or a classifier NAME.json holds what was seen, raw
outputs are for those who ask; of any other network NAME.npy or .npz are its outputs. An input that
cannot be read is known only when its turn comes, and then the coordinator waits for it: a blank one
goes in its place, and what comes of that is dropped.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.drawing.draw import draw
from ftdist.answers.export import as_text, as_value, from_value
from ftdist.answers.kinds import task_of
from ftdist.answers.seen import Result, Seen, answer
from ftdist.answers.yolo import as_yolo
from ftdist.atomic import write_json
from ftdist.cli.bands.job import JobBands, blank_rows, refuse_bands
from ftdist.cli.console import complain, say
from ftdist.cli.files.class_names import names_of, thresholds_of, unsure_of
from ftdist.cli.files.findings import print_result
from ftdist.cli.files.job_files import ALL, DRAWN, JobFiles, are_pictures
from ftdist.cli.files.journal import Journal
from ftdist.cli.files.outputs import write_text
from ftdist.cli.files.sources import Sources
from ftdist.cli.progress import Progress
from ftdist.cluster.client.client import FrameOutputs, job_name
from ftdist.cluster.client.frames import Outputs
from ftdist.errors import InputError
from ftdist.many.drawn import Computed, Shown, write_picture
from ftdist.many.inputs import read_input, write_arrays
from ftdist.network.modelheader import Header
from ftdist.network.task import Task
from ftdist.pictures.fitting import Letterbox
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.runtime.budget.limits import budget

_JOB = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,47}")
_TOLD = ("detect", "classify", "segment", "points", "text")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What is remembered of an input: where the photo lies in it, whether it has a batch axis."""

    letterbox: Letterbox | None
    batched: bool


class Batch:
    """The inputs of one job, each so often as is asked for, and where their results go."""

    def __init__(self, given: Sources, arguments: argparse.Namespace, progress: Progress) -> None:
        self._inputs = given.all
        self._several = given.several
        self._arguments = arguments
        self._output: Path = arguments.output
        self._loaded: dict[int, _Loaded] = {}
        self._latest: tuple[int, NDArray[Any]] | None = None
        self._journal: Journal | None = None
        self._progress = progress
        self._names: tuple[str, ...] = ()
        self.model: Header | None = None
        self.job = job_name()
        self.done: set[int] = set()
        self.band_rows = 0
        self._files = JobFiles(self._output, self._inputs, drawn=arguments.draw)
        self._banded = JobBands(self._inputs, self._files, progress, drawn=arguments.draw)
        self.latency_s: list[float] = []
        self.left_out: dict[int, str] = {}
        self.are_pictures = are_pictures(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs) * int(self._arguments.repeat)

    def keep_journal(self) -> None:
        """Gives the job its name, if it has one, under which it can be gone on with."""
        job = self._arguments.job
        if job is None:
            return
        if not _JOB.fullmatch(job):
            raise InputError(f"'{job}' is not a name for a job: use letters, digits, '-' and '_'")
        self.job = job
        inputs = [os.path.abspath(each.name) for each in self._inputs] * self._arguments.repeat
        self._journal = Journal(self._output, job, inputs)
        self.done, self.band_rows = set(self._journal.done), self._journal.band_rows
        self._banded.done = self.done

    def close(self) -> None:
        """Ends, in order or not: of pictures in bands that are not whole a named job keeps what is
        there."""
        self._banded.close(keep=self._journal is not None)
        if self._journal is not None:
            self._journal.close()

    def end(self, header: Header | None = None) -> list[Result]:
        """All results are written: what was seen, of inputs that were done before, too.

        What a client before this one had written, and not given its name, gets it now.
        """
        if header is not None and self.band_rows:
            bands = NumberedBands(header.network, self.band_rows)
            self._know(header, bands)
            wanted = [each for each in range(len(self._inputs)) if each not in self.left_out]
            self._banded.end(header, bands, wanted)
        results = []
        for number in range(len(self._inputs)):
            path = self._files.of(number, ".json")
            if self._sees and number not in self.left_out and path.is_file():
                results.append(from_value(json.loads(path.read_text())))
        file_format = self._arguments.format
        if file_format in ("json", "csv", "coco") and self.model is not None and self._sees:
            path = self._output / f"{ALL}.{'csv' if file_format == 'csv' else 'json'}"
            write_text(
                path, as_text(results, file_format, self._names, kind=_task(self.model).kind)
            )
            say(f"wrote      {path}")
        if self._journal is not None:
            self._journal.end()
        return results

    def named_left_out(self) -> list[dict[str, str]]:
        """The inputs that were left out, and why."""
        return [
            {"file": self._inputs[number].name, "reason": reason}
            for number, reason in sorted(self.left_out.items())
        ]

    @property
    def _sees(self) -> bool:
        if self.model is None or self.band_rows:
            return False
        return _task(self.model).kind in _TOLD

    def load(self, header: Header, frame: int) -> NDArray[Any]:
        """An input's array, for the client."""
        number = frame % len(self._inputs)
        self._know(header)
        if self._latest is None or self._latest[0] != number:
            self._latest = number, self._read(header, number)
        return self._latest[1]

    def load_rows(self, header: Header, bands: NumberedBands, frame: int) -> NDArray[Any]:
        """The rows of an input that come with a band, for the client."""
        self._know(header, bands)
        try:
            if (number := bands.picture(frame)) not in self.left_out:
                return self._banded.rows(header, bands, frame, as_bytes=self.are_pictures)
        except InputError as error:
            self._leave_out(number, self._inputs[number].named(error))
        return blank_rows(bands, frame, as_bytes=self.are_pictures)

    def _read(self, header: Header, number: int) -> NDArray[Any]:
        """An input's array, without a batch axis; a blank one for what cannot be read."""
        source, network = self._inputs[number], header.network
        wanted = network.inputs[0]
        try:
            given = read_input(
                *(source.path, network),
                fit=header.about.fit,
                fill=header.about.fill,
                is_array=source.is_array,
                most_bytes=budget(None).bytes,
            )
            if given.is_picture != self.are_pictures:
                raise InputError(f"{source.path}: is no longer what it was")
        except InputError as error:
            self._leave_out(number, source.named(error))
            if self.are_pictures:
                return np.zeros(wanted.shape, np.uint8)
            return np.zeros(wanted.layout.inner(wanted.shape), np.float32)
        assert isinstance(given.array, np.ndarray)
        batched = given.array.shape == (1, *wanted.layout.inner(wanted.shape))
        self._loaded[number] = _Loaded(given.letterbox, batched)
        return given.array[0] if batched else given.array

    def _leave_out(self, number: int, error: InputError) -> None:
        """Names an input that cannot be read; when it is the only one, that is the error."""
        if not self._several:
            raise error from None
        if number not in self.left_out:
            self._progress.complain(str(error))
            self.left_out[number] = str(error)

    def _know(self, header: Header, bands: NumberedBands | None = None) -> None:
        """The model is known now: what does not suit it is refused before any work."""
        if self.model is not None:
            return
        arguments, network, kind = self._arguments, header.network, _task(header).kind
        if arguments.draw and kind not in ("detect", "image"):
            raise InputError(f"--draw: {network.name} is not a detector, and makes no picture")
        if bands is not None:
            refuse_bands(arguments, bands, is_told=kind in _TOLD)
        for_all = arguments.format in (None, "json", "csv") and kind in _TOLD
        if arguments.format is not None and not (kind == "detect" or for_all):
            raise InputError(f"--format {arguments.format}: {network.name} is not a detector")
        self._names, origin = names_of(arguments, header)
        if unsure := unsure_of(self._names, origin):
            complain(f"ftdist: {unsure}")
        if self._journal is not None:
            counts = () if bands is None else (bands.rows, bands.count)
            self._journal.begin(header.digest, *counts)
        self.band_rows = 0 if bands is None else bands.rows
        self.model = header

    def deliver(self, header: Header, result: FrameOutputs) -> None:
        """Writes what came of a frame."""
        number = self._deliver(header, result)
        if number not in self.left_out:
            self.latency_s.append(result.seconds)

    def _deliver(self, header: Header, result: FrameOutputs) -> int:
        """Gives the number of its input."""
        if result.region is not None:
            self._know(header, NumberedBands(header.network, result.band_rows))
            wanted = result.input not in self.left_out
            self._banded.deliver(header, result, result.region, self._journal, wanted=wanted)
            return result.input
        self._know(header)
        frame = result.frame
        number, repetition = frame % len(self._inputs), frame // len(self._inputs)
        if repetition == 0:
            if number not in self._loaded:  # sent by a client before this one, or left out
                self._read(header, number)
            if number not in self.left_out:
                self._write(header, number, result.outputs)
        if self._journal is not None and number not in self.left_out:
            self._journal.add(frame)
        return number

    def _write(self, header: Header, number: int, outputs: Outputs) -> None:
        source, loaded, arguments = self._inputs[number], self._loaded[number], self._arguments
        named = thresholds_of(arguments)
        task = _task(header)
        found = answer(
            *(header.network, task, outputs, self._names, source.name, loaded.letterbox), named
        )
        result, detections = found.result, found.detections
        self._progress.clear()
        if result is None or arguments.raw:
            if loaded.batched:
                outputs = {name: array[None] for name, array in outputs.items()}
            target = self._files.of(number, ".npy" if len(header.network.outputs) == 1 else ".npz")
            write_arrays(target, outputs)
            say(f"wrote      {target}")
        if result is not None:
            self._write_result(number, result)
            print_result(result, everything=arguments.all)
        if arguments.draw and task.kind == "image":
            self._write_made(header, number, loaded, outputs)
        elif arguments.draw and loaded.letterbox is not None:
            drawn = self._files.of(number, DRAWN)
            given = (source.path, detections, self._names, drawn, loaded.letterbox)
            notes = draw(*given, budget(None).bytes)
            say(f"wrote      {drawn}")
            for note in notes:
                say(f"drawn      {note}")

    def _write_made(self, header: Header, number: int, loaded: _Loaded, outputs: Outputs) -> None:
        """The picture that a network has made."""
        source, drawn = self._inputs[number], self._files.made(number)
        shown = Shown(source.path, Computed(outputs, loaded.letterbox), None, (), plain=False)
        task = _task(header)
        notes = write_picture(drawn, header.network, task, header.about, shown, budget(None).bytes)
        say(f"wrote      {drawn}")
        for note in notes:
            say(f"drawn      {note}")

    def _write_result(self, number: int, result: Result) -> None:
        arguments, target = self._arguments, self._files.of(number, ".json")
        write_json(target, as_value(result))
        if arguments.format == "yolo" and isinstance(result, Seen):
            target = self._files.of(number, ".txt")
            write_text(target, as_yolo(result, scores=arguments.scores))
        say(f"wrote      {target}")


def _task(header: Header) -> Task:
    return task_of(header.network, header.about)
