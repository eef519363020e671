"""What is done with each picture of a batch: read it, compute it, make a record of its answer.

A record is a line of JSON: what was seen, as ``answers.export`` has it, and which files were
written of it. Memory that a picture takes by its own size, for decoding and drawing, comes out of
the batch's room.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from ftdist.answers.kinds import answering_bytes
from ftdist.atomic import USERS_TO_MEND
from ftdist.errors import InputError, OutputError
from ftdist.kernels.program import Watch
from ftdist.many.drawn import Computed, Shown, write_picture
from ftdist.many.inputs import Input, read_input, write_arrays
from ftdist.many.listing import Source
from ftdist.many.room import Room
from ftdist.network.about import About
from ftdist.network.graph import Network
from ftdist.network.task import Task
from ftdist.runtime.local import Session

if TYPE_CHECKING:
    from ftdist.answers.seen import Answer

_LINES = json.JSONEncoder(ensure_ascii=False)

TOLD = ("detect", "classify", "segment", "points", "text")
"""The tasks whose records say what was seen."""

Target = Callable[[Source], Path | None]
"""The file that is to be written for an input, if any."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of each picture.

    `thresholds` are those of ``detect``; `plain`: classes of a segmentation are drawn as numbers.
    """

    network: Network
    task: Task
    about: About
    names: tuple[str, ...]
    thresholds: Mapping[str, float]
    plain: bool = False

    @property
    def told(self) -> dict[str, Any]:
        """The same as plain values, by option: to compare what two batches ask."""
        pixels = self.network.inputs[0].pixels
        return {
            "thresh": self.thresholds.get("threshold"),
            "nms": self.thresholds.get("overlap"),
            "names": list(self.names),
            "task": repr(self.task),
            "mean": repr((pixels, self.about.fit, self.about.fill)),
            "labels-picture": self.plain,
        }

    @property
    def is_told(self) -> bool:
        return self.task.kind in TOLD


class Onlooker(Protocol):
    """Who is told what each lane computes: the live page."""

    def began(self, name: str, lane: int) -> None:
        """A lane begins an input."""

    def ended(
        self,
        seconds: float,
        given: NDArray[Any] | Mapping[str, NDArray[Any]],
        outputs: Mapping[str, NDArray[Any]],
        lane: int,
    ) -> None:
        """It is done: what the network was given, and its outputs by name."""

    def failed(self) -> None:
        """An input was left out."""

    def watch(self, lane: int) -> Watch:
        """What the lane's session is to be watched by."""


class PictureStages:
    """The stages of pictures and arrays from files, in these sessions.

    An `onlooker` is told of each picture that is computed.
    """

    def __init__(
        self,
        asked: Asked,
        sessions: Sequence[Session],
        room: Room,
        target: Target,
        *,
        plain: bool,
        onlooker: Onlooker | None = None,
    ) -> None:
        self._asked = asked
        self._sessions = sessions
        self._room = room
        self._target = target
        self._plain = plain
        self._answering_bytes = answering_bytes(asked.network, asked.task)
        self._onlooker = onlooker
        if onlooker is not None:
            for lane, session in enumerate(sessions):
                session.watch(onlooker.watch(lane))

    def read(self, item: Source) -> Input:
        asked = self._asked
        if item.problem is not None:
            raise InputError(item.problem)
        with self._room.lease() as lease:
            try:
                given = read_input(
                    *(item.readable, asked.network),
                    fit=asked.about.fit,
                    fill=asked.about.fill,
                    is_array=item.is_array,
                    ask=lease.ask,
                )
            except InputError as error:
                raise called(item, error) from None
        if given.is_picture != self._plain:
            kinds = ("an array of numbers", "a picture")
            what = f"is {kinds[given.is_picture]}, the first input is not; run them apart"
            raise InputError(f"{item.name}: {what}")
        return given

    def compute(self, lane: int, item: Source, read: Input) -> Computed:
        session, onlooker = self._sessions[lane], self._onlooker
        if onlooker is None:
            return Computed(session.run(read.array), read.letterbox)
        onlooker.began(item.name, lane)
        started_s = time.perf_counter()
        outputs = session.run(read.array)
        onlooker.ended(time.perf_counter() - started_s, read.array, outputs, lane)
        return Computed(outputs, read.letterbox)

    def finish(self, item: Source, computed: Computed) -> bytes:
        with self._room.lease() as lease:
            try:
                return self._finished(item, computed, lease.ask)
            except InputError as error:
                _refuse_full_disk(error)
                raise called(item, error) from None

    def done_with(self, item: Source) -> Source:
        """Of a frame its name."""
        if item.picture is None:
            return item
        return replace(item, picture=replace(item.picture, content=b""))

    def stop(self) -> None:
        self._room.close()

    def _finished(self, item: Source, computed: Computed, ask: Callable[[int], None]) -> bytes:
        asked, answer, record = self._asked, None, {"file": item.name}
        if asked.is_told:
            answered, as_value = _telling()
            ask(self._answering_bytes)
            given = asked.names, item.name, computed.letterbox, asked.thresholds
            answer = answered(asked.network, asked.task, computed.outputs, *given)
            assert answer.result is not None
            record = as_value(answer.result)
        target = self._target(item)
        if target is not None:
            if target.suffix in (".npy", ".npz"):
                write_arrays(target, computed.outputs)
            else:
                shown = Shown(item.readable, computed, answer, asked.names, asked.plain)
                size = drawing_bytes(item, asked, target, self._room.size)
                ask(size)
                write_picture(target, asked.network, asked.task, asked.about, shown, size)
            record["output"] = str(target)
        return as_line(record)


@cache
def _telling() -> tuple[Callable[..., Answer], Callable[[Any], dict[str, Any]]]:
    """What tells of what was seen, and makes a value of it: for tasks whose records say so."""
    from ftdist.answers.export import as_value
    from ftdist.answers.seen import answer

    return answer, as_value


def as_line(record: Mapping[str, Any]) -> bytes:
    """A record as a line without its end. A name that is not UTF-8 has its bytes as JSON can say
    them, as Python calls them (\\udcff is 255): the line is UTF-8 whatever the name is."""
    return _LINES.encode(record).encode("utf-8", "backslashreplace")


def _refuse_full_disk(error: InputError) -> None:
    """OutputError where no room is left: the next input would find none either, and once there is
    some, this one is to be done."""
    if isinstance(error.__cause__, OSError) and error.__cause__.errno in USERS_TO_MEND:
        raise OutputError(str(error)) from error


def called(item: Source, error: InputError) -> InputError:
    """The error with the input's name in it."""
    error = item.named(error)
    return error if item.name in str(error) else InputError(f"{item.name}: {error}")


def reading_bytes(source: Source, network: Network, about: About) -> int:
    """What reading an input takes at most; InputError when it cannot be read."""
    if source.is_array:
        return 0
    from ftdist.pictures.fitted import loading_bytes  # only pictures need it

    return loading_bytes(source.readable, network.input, about.fit)


def drawing_bytes(source: Source, asked: Asked, target: Path, most_bytes: int) -> int:
    """What writing the picture of an input takes at most, where a smaller one may be drawn."""
    if asked.task.kind == "image":
        from ftdist.answers.drawing.made import making_bytes

        made = asked.network.shape(asked.network.output(asked.task.outputs[0]))
        taken = making_bytes(target, made.width, made.height)
        return taken + (reading_bytes(source, asked.network, asked.about))
    from ftdist.answers.drawing.draw import drawing_bytes as bytes_drawn

    return bytes_drawn(source.readable, asked.names, target, most_bytes)
