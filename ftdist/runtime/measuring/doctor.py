"""What matters on the machine, each as one finding: what it is, and what to do when it is bad.

Every check is a function of values or of a `root` folder below which the system's files lie, so
that a test can set up any machine. None fails where a file is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.kernels.native import InstructionSet
from ftdist.runtime.budget.controlgroups import (
    MemoryGroup,
    memory_group,
    processor_quota,
    read_text,
)
from ftdist.runtime.budget.limits import memory_figures
from ftdist.runtime.budget.memory import MIB, format_size
from ftdist.runtime.measuring.profiles import Calibration

_LITTLE_MEMORY = 64 * MIB
_SMALLEST_LIMIT = 40 * MIB
_LITTLE_DISK = 256 * MIB
_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the machine; `advice` is empty where all is well."""

    name: str
    value: str
    advice: str = ""

    @property
    def state(self) -> str:
        return "warn" if self.advice else "ok"


def memory(root: Path) -> Finding:
    """How much memory there is, and how much of it is free."""
    figures = memory_figures(root)
    total, available = figures.get("MemTotal"), figures.get("MemAvailable")
    if total is None or available is None:
        return Finding("memory", "unknown", "name a budget: --mem SIZE")
    value = f"{format_size(total)}, available {format_size(available)}"
    little = available < _LITTLE_MEMORY
    return Finding("memory", value, "end other programs: most networks need more" * little)


def control_groups(root: Path) -> Finding:
    """Whether anything but ftdist limits the process's memory."""
    name, group = "control group", memory_group(root)
    if group.version is None:
        return Finding(
            name,
            "no memory controller",
            "nothing enforces a budget and a container's --memory is ignored; on Raspberry Pi OS "
            "add 'cgroup_enable=memory cgroup_memory=1' to cmdline.txt and restart",
        )
    value = f"version {group.version}, {_limit_text(group)}"
    small = group.limit_bytes is not None and group.limit_bytes < _SMALLEST_LIMIT
    return Finding(name, value, "raise the limit: most networks need more" * small)


def _limit_text(group: MemoryGroup) -> str:
    held = f", holds {format_size(group.held_bytes)}" if group.held_bytes is not None else ""
    if group.limit_bytes is None:
        return f"no limit on this process{held}"
    return f"limit {format_size(group.limit_bytes)}{held}"


def swap(root: Path) -> Finding:
    """Where the system puts memory that it runs out of."""
    devices, used, size = [], 0, 0
    for line in read_text(root / "proc/swaps").splitlines()[1:]:
        words = line.split()
        if len(words) == 5 and words[2].isdecimal() and words[3].isdecimal():
            kind = "zram" if words[0].startswith("/dev/zram") else words[1]
            devices.append(f"{kind} {format_size(int(words[2]) << 10)}")
            size, used = size + int(words[2]), used + int(words[3])
    if not devices:
        return Finding("swap", "none")
    value = f"{' and '.join(devices)}, used {format_size(used << 10)}"
    advice = "memory is short, so times will vary: end other programs" * (4 * used > size)
    return Finding("swap", value, advice)


def huge_pages(root: Path) -> Finding:
    """Whether the system hands out memory in pieces of 2 MiB unasked."""
    text = read_text(root / "sys/kernel/mm/transparent_hugepage/enabled")
    match = re.search(r"\[(\w+)\]", text)
    setting = match[1] if match else "not there"
    advice = (
        "a process may hold MiB more than predicted: "
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
    )
    return Finding("huge pages", setting, advice * (setting == "always"))


def instructions(used: InstructionSet, best: InstructionSet) -> Finding:
    """The instruction set in use, and whether its bits are those of other machines."""
    fused = "with" if used.fused else "without"
    value = f"{used.name}, {used.lanes} lanes, {fused} fused multiply-add"
    if used != best:
        return Finding("instructions", value, f"unset FTDIST_ISA: this machine has {best.name}")
    advice = "results differ in their last bits from those of machines that have it"
    return Finding("instructions", value, "" if used.fused else advice)


def processors(root: Path, count: int, usable: int, threads: int) -> Finding:
    """How many processors there are, how many this process may use, and the threads by default."""
    quota = processor_quota(root)
    granted = f", granted the time of {quota:.1f}" if quota is not None else ""
    value = f"{count}, usable {usable}{granted}, threads {threads}"
    slow = quota is not None and quota < 1
    return Finding("processors", value, "raise the quota: times will vary" * slow)


def calibration(found: Calibration, now: float) -> Finding:
    """Whose times predictions are made of."""
    if found.measured_at is None:
        guess = "the first plan will measure this machine; better: run 'ftdist calibrate'"
        return Finding("calibration", "none", found.note or guess)
    days = max(0, int((now - found.measured_at) / _DAY_S))
    age = "today" if days == 0 else f"{days} day{'s' * (days > 1)} ago"
    return Finding("calibration", f"{age}: {found.origin}", found.note or "")


def disk(name: str, folder: Path, free_bytes: int | None) -> Finding:
    """Room where files are kept."""
    if free_bytes is None:
        return Finding(name, f"{folder}", "cannot be written to by this user")
    little = free_bytes < _LITTLE_DISK
    value = f"{format_size(free_bytes)} free in {folder}"
    return Finding(name, value, "make room: models and results may not fit" * little)


def versions(found: Sequence[tuple[str, str | None]]) -> Finding:
    """Versions of what takes part; None for what is missing."""
    value = ", ".join(f"{name} {version}" for name, version in found if version is not None)
    missing = " and ".join(name for name, version in found if version is None)
    return Finding(
        "versions", value, f"{missing} is missing: pip install 'ftdist[image]'" * bool(missing)
    )
