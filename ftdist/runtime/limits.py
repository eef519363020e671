"""The budget when nobody names one: what the control group or the machine leaves, with a margin.

And what stands behind any budget: whether anything but ftdist enforces it, and how much memory is
left beside it in which the system can keep files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import InputError
from ftdist.runtime.controlgroups import MemoryGroup, memory_group, read_text
from ftdist.runtime.memory import KIB, format_size, parse_size

MARGIN = 0.9
"""The share of what is free that is taken without asking."""

_UNLIMITED = 1 << 60
_BY_NOTHING = "kept by ftdist; enforced by nothing"


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that the whole process may hold, and where the number comes from.

    `keeper` says who sees to it that they are not exceeded. `cache_bytes`: how much of its files
    the system can keep in memory beside a process that holds the budget.
    """

    bytes: int
    origin: str
    keeper: str = "kept by ftdist"
    cache_bytes: int = 0


def budget(mem: str | int | None) -> Budget:
    """The budget that `mem` names (bytes or a SIZE), or what this process's surroundings allow."""
    group, machine = memory_group(), available_bytes()
    limit = _UNLIMITED if group.limit_bytes is None else group.limit_bytes
    keeper = _keeper(group)
    if mem is not None:
        size, origin = mem if isinstance(mem, int) else parse_size(mem), "--mem"
        if size < 1:
            raise InputError(f"a budget of {size} bytes is no budget")
        if limit <= size:
            keeper = f"enforced by the control group at {format_size(limit)}"
    elif limit < machine:
        size, origin = int(limit * MARGIN), f"control group limit, less {1 - MARGIN:.0%}"
        keeper = f"enforced by the control group at {format_size(limit)}"
    else:
        size, origin = int(machine * MARGIN), f"available memory, less {1 - MARGIN:.0%}"
    return Budget(size, origin, keeper, max(0, min(limit, machine) - size))


def _keeper(group: MemoryGroup) -> str:
    """Who keeps a budget that no limit stands behind."""
    if group.version is None:
        return f"{_BY_NOTHING} (memory control groups are off: a container's --memory is ignored)"
    return _BY_NOTHING


def available_bytes() -> int:
    """What the machine could still give to a process without swapping (MemAvailable)."""
    return memory_figures(Path("/")).get("MemAvailable", _UNLIMITED)


def memory_figures(root: Path) -> dict[str, int]:
    """The figures of /proc/meminfo, in bytes."""
    found = {}
    for line in read_text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[0].isdecimal():
            found[name] = int(words[0]) * KIB
    return found
