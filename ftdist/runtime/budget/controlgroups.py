"""Control groups: what others grant this process, by either version of them or both at once.

A process is in one group of each tree; that group's limits and those of all groups above it hold.
Files are read below a `root` folder, "/" but in tests. Inside a container the path that the system
names may be the host's; then only the tree's own folder is there, and is the container's group.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED = 1 << 60
_ROOT = Path("/")

_LIMITS = {1: ("memory.limit_in_bytes",), 2: ("memory.max", "memory.high")}
_HELD = {1: ("memory.usage_in_bytes",), 2: ("memory.current",)}


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """What control groups do about this process's memory.

    `version`: of the control groups that have the memory controller; None where it is off, so that
    limits are ignored. `limit_bytes`: the lowest limit on this process, None without any.
    `held_bytes`: what all processes of its group hold now.
    """

    version: int | None
    limit_bytes: int | None = None
    held_bytes: int | None = None


def memory_group(root: Path = _ROOT) -> MemoryGroup:
    """The memory limits of this process's control group and its parents."""
    version: int | None = None
    held: int | None = None
    limits: list[int] = []
    for number, chain in _groups(root, "memory"):
        found = list(_numbers(chain, _LIMITS[number]))
        if number == 1 or found or _has_controller(chain):
            version = version or number
        limits += found
        held = next(_numbers(chain, _HELD[number]), held)
    return MemoryGroup(version, min(limits, default=None), held)


def processor_quota(root: Path = _ROOT) -> float | None:
    """How many processors' time this process is granted at most; None without a limit."""
    quotas = []
    for number, chain in _groups(root, "cpu"):
        for folder in chain:
            if number == 1:
                words = [read_text(folder / f"cpu.cfs_{each}_us") for each in ("quota", "period")]
            else:
                words = read_text(folder / "cpu.max").split()
            numbers = [int(word) for word in words if word.strip().isdecimal()]
            if len(numbers) == 2 and numbers[1]:
                quotas.append(numbers[0] / numbers[1])
    return min(quotas, default=None)


def read_text(path: Path) -> str:
    """What a file of the system says; nothing where it is not there or may not be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _groups(root: Path, controller: str) -> Iterator[tuple[int, list[Path]]]:
    """(version, the process's group and those above it) in each tree that may have a controller."""
    mounted = root / "sys/fs/cgroup"
    for line in read_text(root / "proc/self/cgroup").splitlines():
        controllers, colon, path = line.partition(":")[2].partition(":")
        if not colon:
            continue
        if controllers == "":
            number, tree = 2, mounted / "unified"
            tree = tree if tree.is_dir() else mounted
        elif controller in controllers.split(","):
            number, tree = 1, mounted / controller
        else:
            continue
        group = tree / path.lstrip("/")
        chain = [group, *group.parents]
        yield number, chain[: chain.index(tree) + 1]


def _has_controller(chain: list[Path]) -> bool:
    """Whether the memory controller is on in any of these groups of version 2."""
    return any("memory" in read_text(each / "cgroup.controllers").split() for each in chain)


def _numbers(folders: list[Path], names: tuple[str, ...]) -> Iterator[int]:
    """The numbers that these files hold, where they are there and no "unlimited"."""
    for folder, name in itertools.product(folders, names):
        text = read_text(folder / name).strip()
        if text.isdecimal() and int(text) < _UNLIMITED:
            yield int(text)
