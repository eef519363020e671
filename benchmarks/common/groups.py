"""Control groups around one process (v1 and v2), and a swap file for the time of a test.

A group is made at the top of the hierarchy, which needs root; it allows `limit_bytes` of memory and
beyond that either as much swap as the machine has or none. Page cache counts, but a file's pages
count where they were read first: drop them before, and they count in the group. It may also grant
only a share of a processor, in short periods, so that a slow core is slow at every moment; that
share it gets before any others, so that what else the machine does disturbs little.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

ROOT = Path("/sys/fs/cgroup")
MIB = 1 << 20
_PERIOD_US = 10_000
_MOST_WEIGHT, _MOST_SHARES = 10_000, 1 << 18


class GroupError(Exception):
    """Control groups or swap cannot be had here; says why."""


class Group:
    """A control group that exists within a `with` block; at most one of each `name` at a time.

    `limit_bytes` None: as much memory as there is. `cores`: how much of a processor's time its
    processes get together, infinity for any; None: they are like other processes.
    """

    def __init__(
        self,
        limit_bytes: int | None,
        *,
        swap: bool,
        cores: float | None = None,
        name: str = "benchmark",
    ) -> None:
        self._unified = _is_unified(cores is not None)
        name = f"ftdist-{name}-{os.getpid()}"
        parents = [ROOT] if self._unified else [ROOT / "memory", ROOT / "cpu"]
        self._folders = [each / name for each in parents[: 2 if cores is not None else 1]]
        self._limit_bytes = limit_bytes
        self._cores = cores
        self._swap = swap

    def __enter__(self) -> Group:
        try:
            for folder in self._folders:
                folder.mkdir()
            if self._limit_bytes is not None:
                self._limit_memory(self._limit_bytes)
            if self._cores is not None:
                self._limit_cores(self._cores)
        except OSError as error:
            self._remove()
            raise GroupError(f"{error.filename}: {error.strerror}; run as root") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def command(self, words: list[str]) -> list[str]:
        """A command that joins the group, then becomes the command given."""
        join = 'echo $$ > "$0" && exec "$@"'
        for folder in self._folders:
            words = ["sh", "-c", join, str(folder / "cgroup.procs"), *words]
        return words

    @property
    def kills(self) -> int:
        """How many of its processes the system killed for memory."""
        return self._event("memory.events" if self._unified else "memory.oom_control", "oom_kill")

    @property
    def refusals(self) -> int:
        """How often it was at its limit, so that pages of files had to go."""
        if self._unified:
            return self._event("memory.events", "max")
        return int((self._folders[0] / "memory.failcnt").read_text())

    def _limit_memory(self, limit_bytes: int) -> None:
        swaps = "memory.swap.max" if self._unified else "memory.memsw.limit_in_bytes"
        self._set("memory.max" if self._unified else "memory.limit_in_bytes", limit_bytes)
        if not self._swap and swap_bytes():
            self._set(swaps, 0 if self._unified else limit_bytes)

    def _limit_cores(self, cores: float) -> None:
        if self._unified:
            self._set("cpu.weight", _MOST_WEIGHT)
        else:
            self._set("cpu.shares", _MOST_SHARES)
        if math.isinf(cores):
            return
        quota_us = round(cores * _PERIOD_US)
        if self._unified:
            self._set("cpu.max", f"{quota_us} {_PERIOD_US}")
            return
        self._set("cpu.cfs_period_us", _PERIOD_US)
        self._set("cpu.cfs_quota_us", quota_us)

    def _event(self, file: str, name: str) -> int:
        for line in (self._folders[0] / file).read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
        return 0

    def _set(self, name: str, value: int | str) -> None:
        folder = self._folders[-1 if name.startswith("cpu") else 0]
        (folder / name).write_text(str(value))

    def _remove(self) -> None:
        """A group can only be removed when its last process has wholly gone."""
        for folder in self._folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                folder.rmdir()


def swap_bytes() -> int:
    """The machine's swap space."""
    lines = Path("/proc/swaps").read_text().splitlines()[1:]
    return sum(int(line.split()[2]) for line in lines) << 10


@contextmanager
def swap_file(path: Path, size_bytes: int) -> Iterator[None]:
    """Swaps to a new file within a `with` block; GroupError when the machine does not let us."""
    if path.exists():
        raise GroupError(f"{path} exists; name a new file for swap")
    if shutil.which("swapon") is None:
        raise GroupError("this machine has no swapon")
    try:
        path.touch(0o600)
        with path.open("wb") as file:
            for _ in range(size_bytes // MIB):  # written out: a swap file may have no holes
                file.write(bytes(MIB))
            os.fsync(file.fileno())
        _must("mkswap", str(path))
        _must("swapon", str(path))
        try:
            yield
        finally:
            _must("swapoff", str(path))
    finally:
        path.unlink(missing_ok=True)


def _must(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GroupError(f"{' '.join(words)}: {done.stderr.strip()}")


def _is_unified(cores: bool) -> bool:
    """Whether groups are v2; GroupError when what is wanted is no part of them at all."""
    wanted = ["memory", "cpu"] if cores else ["memory"]
    if all((ROOT / each / "cgroup.procs").exists() for each in wanted):
        return False
    controllers = ROOT / "cgroup.controllers"
    known = controllers.read_text().split() if controllers.exists() else []
    missing = [each for each in wanted if each not in known]
    if not missing:
        _hand_down(wanted)
        return True
    raise GroupError(
        f"no {missing[0]} control groups here; "
        "on a Raspberry Pi add cgroup_enable=memory to cmdline.txt"
    )


def _hand_down(wanted: list[str]) -> None:
    """Lets groups below the top limit what is wanted."""
    path = ROOT / "cgroup.subtree_control"
    for each in wanted:
        if each not in path.read_text().split():
            try:
                path.write_text(f"+{each}")
            except OSError as error:
                text = f"{path}: {error.strerror}; run as root, in no container"
                raise GroupError(text) from None
