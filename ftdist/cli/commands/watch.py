"""`ftdist watch`: a model on a camera, a stream or a folder, until somebody stops it.

One thread brings frames, this one computes the newest with all threads of the plan, and tells what
was seen: as a line of JSON, as a picture, to a broker. What cannot be read is said and passed over.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftdist.answers.drawing.formats import FORMATS as PICTURES
from ftdist.atomic import make_folder
from ftdist.cli.console import complain, say
from ftdist.cli.files.asked import asked_by, tell_once
from ftdist.cli.files.class_names import wishes_of
from ftdist.cli.plan_and_budget import choose_plan, within_budget
from ftdist.cli.reports.report import machine
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.many.lanes import Lanes, OpenLanes, Pictures, choose_one
from ftdist.many.listing import Source
from ftdist.many.pictures import TOLD, Asked, Onlooker, PictureStages, as_line
from ftdist.many.room import Room
from ftdist.network.modelfile import Model
from ftdist.runtime.budget.heap import SPARING_BYTES, settle_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.imported import opened
from ftdist.runtime.overriding import with_wishes
from ftdist.runtime.plans.choice import Choice, RunContext
from ftdist.runtime.threads import default_threads
from ftdist.watch.bringing import Folder, bring_folder, bring_stream, is_stream, start
from ftdist.watch.mqtt import Publisher
from ftdist.watch.newest import Newest
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.cli.page import Page

_STANDARD_OUTPUT = "-"
_LINES = (".jsonl", ".ndjson")
_ROOM_BYTES = 24 << 20
"""For reading and drawing a frame, at least: a Full HD JPEG, drawn and written."""

_CAMERA_BYTES = 96 << 20
"""What FFmpeg holds of a camera in Full HD: libraries, a decoder's frames, two of ours."""


class Told:
    """Where it is told what was seen, and how many frames there were."""

    def __init__(self, word: str | None, publisher: Publisher | None, task: str) -> None:
        self.frames = self.left_out = 0
        self.onlooker: Onlooker | None = None
        self._publisher = publisher
        path = None if word is None or word == _STANDARD_OUTPUT else Path(word)
        self._path = path
        self._lines: Any = None
        self._picture: Path | None = None
        self._folder: Path | None = None
        if path is None or path.suffix.lower() in _LINES:
            if task not in TOLD:
                raise InputError(
                    "this network's outputs are not listed: name a folder or a picture"
                )
            self._lines = _appended(path)
        elif path.suffix.lower() in PICTURES:
            self._picture = path
        else:
            make_folder(path)
            self._folder = path

    def target(self, source: Source) -> Path | None:
        """The file of a frame."""
        if self._folder is None:
            return self._picture
        stamp = time.strftime("%Y%m%d-%H%M%S") + f"-{self.frames:06}"
        return self._folder / f"{stamp}-found.jpg"

    def take(self, line: bytes, dropped: int) -> None:
        """What was seen on a frame."""
        self.frames += 1
        record = json.loads(line.decode("utf-8", "surrogateescape"))
        record |= {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "dropped": dropped}
        if self._lines is not None:
            self._add(as_line(record) + b"\n")
        if self._publisher is not None:
            self._publisher.publish(record)

    def _add(self, line: bytes) -> None:
        try:
            self._lines.write(line)
            self._lines.flush()
        except OSError as error:
            if self._path is None or error.errno == errno.EPIPE:
                raise
            with suppress(OSError):
                self._lines.close()  # what is left of the line finds no room either
            raise InputError(f"cannot write {self._path}: {error.strerror}") from None

    def leave_out(self, error: InputError) -> None:
        """A frame could not be read."""
        self.left_out += 1
        if self.onlooker is not None:
            self.onlooker.failed()
        complain(f"ftdist: {error}")


def run(arguments: argparse.Namespace) -> int:
    """Watches until it is stopped, or a video ends; 1 when that was damaged or cut off."""
    return within_budget(arguments, _run)


def _run(arguments: argparse.Namespace, limit: Budget, page: Page | None) -> int:
    settle_heap(SPARING_BYTES)
    publisher = None
    if arguments.mqtt is not None:
        publisher = Publisher(arguments.mqtt, lambda text: complain(f"ftdist: {text}"))
    bring = _bringer(arguments.source)
    model = with_wishes(
        opened(arguments.model, arguments.size, tell_once, limit=limit), wishes_of(arguments)
    )
    asked = asked_by(arguments, model)
    told = Told(arguments.output, publisher, asked.task.kind)
    with ExitStack() as stack:
        lanes = _planned(arguments, model, limit, stack)
        if page is not None:
            shown = page.of_run("watch", lanes.choice, 0, machine(arguments.kernels))
            told.onlooker = stack.enter_context(shown)
            complain(f"ftdist: {page.line()}")
        lane = stack.enter_context(OpenLanes(lanes, arguments.kernels))
        room = Room(lanes.room_bytes, lanes.peak_bytes - lanes.room_bytes)
        given = asked, lane.sessions, room, told.target
        stages = PictureStages(*given, plain=True, onlooker=told.onlooker)
        if publisher is not None:
            publisher.start()
            stack.callback(publisher.stop)
        newest, stopping, ended_well = Newest(), threading.Event(), True
        complain(f"ftdist: watching {arguments.source}")
        try:
            start(newest, partial(bring, newest, stopping))
            ended_well = _watch(stages, newest, told)
        except KeyboardInterrupt:  # as whoever serves: to be stopped is the end of it
            pass
        finally:
            stopping.set()
    _finish(arguments, asked, told, newest)
    return 0 if ended_well else 1


def _bringer(word: str) -> Callable[[Newest, threading.Event], None]:
    """What brings frames from there; InputError where there is nothing of the kind."""
    if not is_stream(word) and os.path.isdir(word):
        return partial(bring_folder, Folder(Path(word)))
    if not is_stream(word) and not os.path.isfile(word):
        raise InputError(f"{word}: neither a folder nor a video, a device or an address")

    def bring(newest: Newest, stopping: threading.Event) -> None:
        bring_stream(word, newest, stopping, lambda text: complain(f"ftdist: {text}"))

    return bring


def _planned(arguments: argparse.Namespace, model: Model, limit: Budget, stack: ExitStack) -> Lanes:
    """One lane of all threads, beside a frame that is read and what brings frames."""
    machine(arguments.kernels)
    line = stack.enter_context(PassingLine())
    camera = 0 if os.path.isdir(arguments.source) else _CAMERA_BYTES
    pictures = Pictures.of(model.network, [_ROOM_BYTES], plain=True, beside_bytes=camera)
    threads = arguments.threads or default_threads()

    def decide(count: int, context: RunContext) -> Choice:
        return choose_plan(arguments, model, limit, context, line, count)

    return choose_one(decide, threads, pictures)


def _watch(stages: PictureStages, newest: Newest, told: Told) -> bool:
    """Takes frames until there are no more; whether a video ended as it should."""
    while True:
        try:
            frame = newest.take()
        except InputError as error:
            if not told.frames:
                raise
            complain(f"ftdist: {error}")
            return False
        if frame is None:
            return True
        try:
            line = stages.finish(frame, stages.compute(0, frame, stages.read(frame)))
        except InputError as error:
            told.leave_out(error)
            continue
        told.take(line, newest.dropped)


def _finish(arguments: argparse.Namespace, asked: Asked, told: Told, newest: Newest) -> None:
    lost = f", {told.left_out:,} unreadable" if told.left_out else ""
    text = f"{counted(told.frames, 'frame')} seen, {newest.dropped:,} dropped{lost}"
    if arguments.output in (None, _STANDARD_OUTPUT):
        complain(f"ftdist: {text}")  # standard output holds nothing but lines
    else:
        say(f"frames     {text}")


def _appended(path: Path | None) -> Any:
    """A file to which lines are added, or standard output."""
    if path is None:
        return sys.stdout.buffer if sys.stdout is not None else None
    try:
        return path.open("ab")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
