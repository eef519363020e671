"""The budget when nobody names one: what the control group or the machine leaves, with a margin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import InputError
from ftdist.runtime.memory import KIB, parse_size

MARGIN = 0.9
"""The share of what is free that is taken without asking."""

_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that the whole process may hold, and where the number comes from."""

    bytes: int
    origin: str


def budget(mem: str | int | None) -> Budget:
    """The budget that `mem` names (bytes or a SIZE), or what this process's surroundings allow."""
    if mem is not None:
        size = mem if isinstance(mem, int) else parse_size(mem)
        if size < 1:
            raise InputError(f"a budget of {size} bytes is no budget")
        return Budget(size, "--mem")
    group, machine = control_group_limit(), available_bytes()
    if group is not None and group < machine:
        return Budget(
            int(group * MARGIN), f"control group limit, less {1 - MARGIN:.0%}"
        )
    return Budget(int(machine * MARGIN), f"available memory, less {1 - MARGIN:.0%}")


def available_bytes() -> int:
    """What the machine could still give to a process without swapping (MemAvailable)."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * KIB
    return _UNLIMITED


def control_group_limit(
    cgroup_file: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """The lowest memory limit of this process's control group and its parents (v1 or v2)."""
    limits = []
    try:
        lines = cgroup_file.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        here = folder / path.lstrip("/")
        for each in (here, *here.parents):
            limit = _read_limit(each / name)
            if limit is not None:
                limits.append(limit)
            if each == folder:
                break
    return min(limits, default=None)


def _read_limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < _UNLIMITED else None
