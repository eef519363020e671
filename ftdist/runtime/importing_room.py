"""How much memory importing may take: what the budget leaves, and no more than suits the file.

A file of another format is somebody's word: what it claims is bounded by what it is, and by the
budget of the run that imports it on the way. Who asks for more is refused in one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftdist.errors import BudgetError, InputError
from ftdist.runtime.budget.address_space import at_most
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.budget.sizes import MIB, ceil_size, format_size

_FILE_COPIES = 16
_LEAST_FOR_FILES_BYTES = 4096 * MIB
"""A graph may make constants of its own; in all it takes so many bytes, and copies of the file."""

_LEAST_BYTES = 4 * MIB
_USUAL_BYTES, _USUAL_COPIES = 16 * MIB, 4
"""What importing takes of most files, and copies of them: what is named where less is left."""


def private_bytes() -> int:
    """Resident memory of this process alone; all resident memory where that is not known."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text()
    except OSError:
        return resident_bytes()
    lines = (line.split() for line in text.splitlines() if line.startswith("Private_"))
    return sum(int(words[1]) * 1024 for words in lines)


@contextmanager
def importing_room(file: Path, limit: Budget, beside_bytes: int = 0) -> Iterator[None]:
    """Refuses what importing `file` may not take: BudgetError for what the budget lacks, InputError
    for what no such file needs. `beside_bytes` are held by the process that waits for this one.

    Where other threads run nothing is refused.
    """
    now = beside_bytes + (private_bytes() if beside_bytes else resident_bytes())
    suited = _LEAST_FOR_FILES_BYTES + _FILE_COPIES * _size(file)
    room = max(limit.bytes - now, _LEAST_BYTES)
    try:
        with at_most(
            min(room, suited) + _size(file)
        ):  # which is mapped, and read a layer at a time
            yield
    except MemoryError:
        if suited <= room:
            size = format_size(suited)
            raise InputError(f"{file}: asks for more than {size} of memory to import") from None
        raise lacking(file, limit, now) from None


def lacking(file: Path, limit: Budget, now: int) -> BudgetError:
    """What is said where importing lacks memory; `now` bytes are held before it begins."""
    room = max(limit.bytes - now, _LEAST_BYTES)
    smallest = now + max(2 * room, _USUAL_BYTES + _USUAL_COPIES * _size(file))
    return BudgetError(
        f"importing {file} takes more than {format_size(limit.bytes)} ({limit.origin}) leave "
        f"beside the {format_size(now)} of the process: import it where there is more memory "
        f"(ftdist import {file} -o MODEL.ftd) and run that, or try {ceil_size(smallest)}",
        smallest,
    )


def _size(file: Path) -> int:
    """Bytes of the file, and of what lies beside it under a name that begins alike."""
    try:
        beside = [each for each in file.parent.iterdir() if each.stem.startswith(file.stem)]
        return sum(each.stat().st_size for each in beside if each.is_file())
    except OSError:
        return 0
