"""What a run by bands leaves beside its output while it goes, for `--resume` to go on from.

It says of what the run is, so that no other is taken for it: the model, the picture and how it is
computed, on which bits depend. How many rows are safe is the sink's to know. What is known of the
values so far is written from time to time only; rows that came after it are computed once more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.atomic import write_json
from ftdist.errors import InputError
from ftdist.large.results import Judge, Reading
from ftdist.protocol.limits import PROTOCOL

_EVERY_S = 2.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run is of: digests and sizes, `how` its result is made of the network's map, and the
    `kernels` that compute it, by the protocol's version."""

    model: str
    picture: str
    how: str
    kernels: int = 0

    @classmethod
    def of(cls, model_digest: str, picture: Path, how: str) -> Begun:
        status = picture.stat()
        return cls(model_digest, f"{status.st_size} {status.st_mtime_ns}", how, PROTOCOL)


@dataclass(slots=True)
class Reached:
    """The plan of a run, and what is known of values above row `rows`."""

    plan: str
    rows: int = 0
    values: Reading | None = None
    sample: str = ""


class Journal:
    """The journal of the run that writes `target`; of one that writes nothing, none."""

    def __init__(
        self, target: Path | None, begun: Begun, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = None if target is None else target.with_name(f".{target.name}.ftdist-run")
        self._target, self._begun, self._clock = target, begun, clock
        self._written_s = -_EVERY_S

    def read(self) -> Reached | None:
        """How far an earlier run came; None where there was none. InputError for another one."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                value: Any = json.loads(file.read(_MOST_BYTES))
            begun, reached = Begun(**value["begun"]), Reached(**value["reached"])
            sound = type(reached.plan) is str and type(reached.rows) is int and reached.rows >= 0
            if reached.values is not None:
                black, white = reached.values
                reached.values = float(black), float(white)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError):
            sound = False
        if not sound:
            raise InputError(f"{self._path}: is damaged; run without --resume to begin anew")
        if begun != self._begun:
            what = next(
                name for name, value in asdict(begun).items()
                if value != getattr(self._begun, name)
            )  # fmt: skip
            raise InputError(
                f"{self._target}: was begun with another {_NAMES[what]}; run without --resume to "
                "begin anew"
            )
        return reached

    def write(self, reached: Reached, judge: Judge | None, *, now: bool = False) -> None:
        """Notes how far the run is, unless that was noted a moment ago."""
        if self._path is None or (not now and self._clock() - self._written_s < _EVERY_S):
            return
        self._written_s = self._clock()
        if judge is not None:
            reached.sample = judge.encoded()
        write_json(self._path, {"begun": asdict(self._begun), "reached": asdict(reached)})

    def end(self) -> None:
        """The run is over, or is not to be gone on with."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


_NAMES = {"model": "model", "picture": "picture", "how": "way of making it",
          "kernels": "version of ftdist"}  # fmt: skip
