"""The budget when nobody names one: what the control group or the machine leaves, with a margin.

And what stands behind any budget: whether anything but ftdist enforces it, and how much memory is
left beside it in which the system can keep files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import BudgetError, InputError
from ftdist.runtime.budget.controlgroups import MemoryGroup, memory_group, read_text
from ftdist.runtime.budget.sizes import KIB, MIB, format_size, parse_budget

MARGIN = 0.9
"""The share of what is free that is taken without asking."""

_UNLIMITED = 1 << 60
_BY_FTDIST = "only ftdist keeps it"

FLOOR_BYTES = 28 * MIB
"""The interpreter and numpy alone hold about so much: importing it takes 25.2 with Python 3.11."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that the whole process may hold, and where the number comes from.

    `origin`: who named it, --mem (that is `mem`), the control group or the machine. `keeper`: who
    sees to it that it is not exceeded. `cache_bytes`: how much of its files the system can keep in
    memory beside a process that holds the budget. `warning`: that it is less than was asked for.
    """

    bytes: int
    origin: str
    keeper: str = _BY_FTDIST
    cache_bytes: int = 0
    warning: str | None = None


def budget(mem: str | int | None = None) -> Budget:
    """The budget that `mem` names (bytes or a SIZE), or what its machine and control group allow.

    With None it is what is free there, less a tenth. It is never above the limit of the control
    group, which ends whoever goes there; `warning` says so where that is less than `mem`.
    """
    group, machine = memory_group(), available_bytes()
    limit = _UNLIMITED if group.limit_bytes is None else group.limit_bytes
    warning = None
    if mem is not None:
        size, origin = mem if isinstance(mem, int) else parse_budget(mem), "--mem"
        if size < 1:
            raise InputError(f"a budget of {size} bytes: a budget is at least one byte")
        if limit < size:
            warning = (
                f"the control group allows {format_size(limit)}, less than --mem "
                f"({format_size(size)}): the budget is what it allows"
            )
            size, origin = limit, "control group limit"
    elif limit < machine:
        size, origin = int(limit * MARGIN), f"control group limit, less {1 - MARGIN:.0%}"
    else:
        size, origin = int(machine * MARGIN), f"available memory, less {1 - MARGIN:.0%}"
    enforced = limit <= size if mem is not None else limit < machine
    left = max(0, min(limit, machine) - size)
    return Budget(size, origin, _keeper(group, enforced=enforced), left, warning)


def refuse_hopeless(mem: str | None) -> None:
    """BudgetError where not even the interpreter and numpy fit what `mem` or the control group
    allows; for before they are imported, in a group that would end the process without a word."""
    limit = memory_group().limit_bytes
    size, origin = limit, "the control group's limit"
    if mem is not None:
        named = parse_budget(mem)
        if limit is None or named <= limit:
            size, origin = named, "--mem"
    if size is not None and size <= FLOOR_BYTES:
        raise BudgetError(
            f"nothing fits {format_size(size)} ({origin}): the interpreter and numpy alone hold "
            f"about {format_size(FLOOR_BYTES)}; with more than that ftdist says what is needed",
            FLOOR_BYTES,
        )


def _keeper(group: MemoryGroup, *, enforced: bool) -> str:
    """Who keeps a budget: the control group, where its limit stands right behind, or ftdist."""
    if group.version is None:
        off = "memory control groups are off: a container's --memory is ignored"
        return f"no control-group limit: {_BY_FTDIST} ({off})"
    if group.limit_bytes is None:
        return f"no control-group limit: {_BY_FTDIST}"
    limit = format_size(group.limit_bytes)
    if enforced:
        return f"enforced by the control group at {limit}"
    return f"{_BY_FTDIST}: the control group allows {limit}"


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
