"""Plans that were found, kept in the user's cache folder: a run like one before plans nothing.

A file is of one model, number of threads and device profile, and holds what searches for them came
to. A plan that was the fastest within so many bytes is so within any fewer that it still fits, so
an entry says from which size to which it is the answer, give or take what processes differ by. What
a file says is a proposal: whoever takes it lowers it and counts its bytes. A cache that is damaged,
or cannot be written, is none.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from _blake2 import blake2b
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist import __version__
from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.planning.profile import DeviceProfile
from ftdist.runtime.budget.sizes import SPREAD_BYTES
from ftdist.runtime.measuring.profiles import cache_folder

_VERSION = 6
"""Of the file and of the search: other plans are found by another search."""

_MOST_ENTRIES, _MOST_FILES, _MOST_BYTES = 16, 128, 1 << 18


@dataclass(frozen=True, slots=True)
class Entry:
    """A plan by its notation, its seconds by the cost model, and the bytes that it needs.

    It is the fastest plan within `within_bytes`, None where there is no bound; 0 for a plan that
    was named, not found. Bytes are those of weights, activations and programs.
    """

    notation: str
    seconds: float
    needs_bytes: int = 0
    within_bytes: int | None = 0

    def answers(self, left_bytes: int) -> bool:
        """Whether it is the answer where about so much is left for a plan."""
        bound = math.inf if self.within_bytes is None else self.within_bytes + SPREAD_BYTES
        return self.within_bytes != 0 and self.needs_bytes - SPREAD_BYTES <= left_bytes <= bound


@dataclass(frozen=True, slots=True)
class PlanCache:
    """The plans of one model for one number of threads and one profile.

    `exact_direct`: those that compute all layers directly.
    """

    model_digest: str
    threads: int
    profile: DeviceProfile
    exact_direct: bool = False

    @property
    def key(self) -> str:
        words = f"{_VERSION} {__version__} {self.model_digest} {self.threads}\n"
        words += "exact-direct\n" * self.exact_direct
        return blake2b((words + self.profile.to_json()).encode(), digest_size=16).hexdigest()

    def fastest(self, left_bytes: int) -> Entry | None:
        """The fastest plan where so much is left for it, if that is known."""
        fitting = (each for each in self._entries() if each.answers(left_bytes))
        return min(fitting, key=lambda each: each.seconds, default=None)

    def named(self, notation: str) -> Entry | None:
        """What is known of a plan."""
        return next((each for each in self._entries() if each.notation == notation), None)

    def keep(self, entry: Entry) -> None:
        """Adds an entry; the oldest ones go where there are too many."""
        path = self._path
        if path is None:
            return
        others = [e for e in self._entries() if e.notation != entry.notation or e.within_bytes]
        others = [each for each in others if each != entry]
        entries = [asdict(each) for each in (*others, entry)][-_MOST_ENTRIES:]
        with contextlib.suppress(OSError, InputError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps(entries))
            for old in _oldest(path.parent):
                old.unlink(missing_ok=True)

    @property
    def _path(self) -> Path | None:
        folder = cache_folder()
        return folder / "plans" / f"{self.key}.json" if folder else None

    def _entries(self) -> list[Entry]:
        path = self._path
        try:
            if path is None:
                return []
            with path.open("rb") as file:
                text = file.read(_MOST_BYTES)
            return [each for each in map(_entry, json.loads(text)) if each is not None]
        except (OSError, ValueError, TypeError, RecursionError):
            return []


def _entry(value: Any) -> Entry | None:
    """An entry as a file has it, if it is one."""
    try:
        entry = Entry(**value)
    except TypeError:
        return None
    sizes = entry.needs_bytes, entry.within_bytes or 0
    sound = all(type(size) is int and size >= 0 for size in sizes) and type(entry.notation) is str
    seconds = type(entry.seconds) in (int, float) and 0 <= entry.seconds < math.inf
    return entry if sound and seconds else None


def _oldest(folder: Path) -> Iterator[Path]:
    """The files beyond those that are kept."""
    with os.scandir(folder) as found:
        dated = [(each.stat().st_mtime, each.path) for each in found if each.is_file()]
    yield from (Path(path) for _, path in sorted(dated)[:-_MOST_FILES])
