"""The inputs that a run can compute: looked at by their headers first, read when their turn comes.

The plan leaves room for the largest. What cannot be read, or does not fit the budget, is named and
left out where there are others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.cli.files.inputs import AGAIN_BYTES, FOUND_BYTES, TELLING_BYTES, phases
from ftdist.cli.files.sources import Source, Sources
from ftdist.errors import FtdistError, InputError
from ftdist.many.inputs import Input, read_input
from ftdist.network.about import About
from ftdist.network.graph import Network
from ftdist.planning.lowering.predictor import output_bytes
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import ceil_size, resident_bytes
from ftdist.runtime.plans.choice import RunContext

_PROGRAMS_BYTES = 1 << 20
"""What a picture among others is drawn smaller for: a plan's programs stay for the next."""

_REUSED_BYTES = 3 << 17
"""Of what detecting and drawing leave, free memory that reading the next picture takes again."""

_LEFT_BY_SEEING_BYTES, _LEFT_BY_DRAWING_BYTES = 2 << 20, 10 << 18
"""What detecting in the first picture, and drawing it, leave for the next: modules, a font, and
what is free between them. Their code is given back."""

_TOLD_BYTES, _MOST_TOLD_BYTES = 56 << 10, 1 << 20
"""What is kept of a picture's result, with twenty times a photo's objects; and of many results."""

LeaveOut = Callable[[Source, str], None]
"""Told of each input that is left out, and why."""


@dataclass(frozen=True, slots=True)
class Looked:
    """An input as its header told: what it needs beside the plan, and what reading it takes."""

    number: int
    source: Source
    context: RunContext
    reading_bytes: int


class Queue:
    """The inputs that can be run, and the first of them, read already."""

    def __init__(
        self,
        given: Sources,
        network: Network,
        limit: Budget,
        leave_out: LeaveOut,
        *,
        about: About,
        drawn: Sequence[Path],
        names: Sequence[str] = (),
    ) -> None:
        self._network = network
        self._about = about
        self._names = names
        self._several = given.several
        self._left_by_one_bytes = _LEFT_BY_DRAWING_BYTES if drawn else _LEFT_BY_SEEING_BYTES
        self._left_by_one_bytes += AGAIN_BYTES
        self._leave_out = leave_out
        self.too_large: RunContext | None = None
        self.waiting = [
            each
            for number, source in enumerate(given.all)
            if (each := self._look(number, source, limit, drawn[number] if drawn else None))
            is not None
        ]
        self._first: tuple[Looked, Input] | None = None
        self._are_pictures = False

    def read_first(self) -> RunContext:
        """Reads the first input that can be read; what the run of all needs beside the plan."""
        while self._first is None:
            if not self.waiting:
                raise FtdistError("none of the inputs can be used")
            given = self._read(self.waiting[0])
            if given is None:
                del self.waiting[0]
            else:
                self._first = self.waiting[0], given
                self._are_pictures = given.is_picture
        wanted = [each.context for each in self.waiting]
        return replace(
            wanted[0],
            picture=self._are_pictures,
            input_resident=self._first[1].resident,
            reading_bytes=self.left_bytes if len(self.waiting) > 1 else 0,
            after_bytes=self._after_bytes,
            other_phases_bytes=max(each.other_phases_bytes for each in wanted),
        )

    def take(self, looked: Looked) -> Input | None:
        """The input, read; None when it cannot be and is left out."""
        first, self._first = self._first, None
        if first is not None and first[0] is looked:
            return first[1]
        given = self._read(looked)
        if given is not None and given.is_picture != self._are_pictures:
            kinds = ("an array of numbers", "a picture")
            name = looked.source.path
            what = f"is {kinds[given.is_picture]}, the first input is not; run them apart"
            self.drop(looked.source, InputError(f"{name}: {what}"))
            return None
        return given

    def _read(self, looked: Looked) -> Input | None:
        source = looked.source
        try:
            return read_input(
                source.path,
                self._network,
                fit=self._about.fit,
                fill=self._about.fill,
                is_array=source.is_array,
                others=source.others,
            )
        except InputError as error:
            self.drop(source, error)
            return None

    def drop(self, source: Source, error: InputError) -> None:
        """Leaves an input out; when it is the only one, that is the error."""
        error = source.named(error)
        if not self._several:
            raise error from None
        self._leave_out(source, str(error))

    @property
    def left_bytes(self) -> int:
        """What inputs leave for those after them."""
        return self._left_by_one_bytes + min(_TOLD_BYTES * len(self.waiting), _MOST_TOLD_BYTES)

    @property
    def _after_bytes(self) -> int:
        """What comes after a run takes; of several, beside what the others left."""
        if len(self.waiting) == 1:
            return self.waiting[0].context.after_bytes
        return max(0, self.most_beside_bytes - self.left_bytes)

    @property
    def most_beside_bytes(self) -> int:
        """What the largest takes beside a session and outputs."""
        return max(self._beside_bytes(each) for each in self.waiting)

    def _beside_bytes(self, looked: Looked) -> int:
        """What one takes beside session and outputs after others: reading it, or what is after.

        By then the code of reading, running, detecting, drawing and telling is in memory at one
        time.
        """
        again = 0
        if looked.reading_bytes:
            from ftdist.pictures.footprint import CODE_BYTES  # only pictures need it

            again = max(0, looked.reading_bytes - CODE_BYTES)
        told = self.left_bytes - self._left_by_one_bytes
        code = AGAIN_BYTES // 2 + TELLING_BYTES - FOUND_BYTES  # both have the objects
        after = code + told + looked.context.after_bytes
        return max(self.left_bytes - _REUSED_BYTES + again, after)

    def keep_below(self, most_bytes: int, limit: Budget) -> None:
        """Leaves out what takes more than that beside session and outputs."""
        kept = []
        for each in self.waiting:
            excess = self._beside_bytes(each) - most_bytes
            if excess <= 0:
                kept.append(each)
            else:
                self._leave_out(each.source, _too_large(each.source, limit.bytes + excess, limit))
        self.waiting = kept

    def _look(
        self, number: int, source: Source, limit: Budget, drawn: Path | None
    ) -> Looked | None:
        try:
            found = phases(
                *(source.path, self._network, limit.bytes - _PROGRAMS_BYTES * self._several),
                is_array=source.is_array,
                drawn=drawn,
                about=self._about,
                names=self._names,
                others=source.others,
            )
        except InputError as error:
            self.drop(source, error)
            return None
        held = resident_bytes()
        needed = found.other_phases_bytes
        if self._several:  # one that is alone is left to the plan's account, which knows more
            left = held + found.reading_bytes + output_bytes(self._network)
            needed = max(needed, left + found.after_bytes)
        if needed > limit.bytes:
            self.too_large = self.too_large or found
            if self._several:
                self._leave_out(source, _too_large(source, needed, limit))
            return None
        return Looked(number, source, found, max(0, found.other_phases_bytes - held))


def _too_large(source: Source, needed: int, limit: Budget) -> str:
    return (
        f"{source.name}: reading and drawing it needs {ceil_size(needed)}, more than "
        f"{ceil_size(limit.bytes)} ({limit.origin}); make it smaller first"
    )
