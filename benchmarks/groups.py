"""Memory control groups around one process (v1 and v2), and a swap file for the time of a test.

A group is made at the top of the hierarchy, which needs root; it allows `limit_bytes` of memory and
beyond that either as much swap as the machine has or none. Page cache counts, but a file's pages
count where they were read first: drop them before, and they count in the group.
"""

from __future__ import annotations

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


class GroupError(Exception):
    """Control groups or swap cannot be had here; says why."""


class Group:
    """A memory control group that exists within a `with` block."""

    def __init__(self, limit_bytes: int, *, swap: bool) -> None:
        self._unified = _is_unified()
        parent = ROOT if self._unified else ROOT / "memory"
        self._folder = parent / f"ftdist-benchmark-{os.getpid()}"
        self._limit_bytes = limit_bytes
        self._swap = swap

    def __enter__(self) -> Group:
        limit = self._limit_bytes
        try:
            self._folder.mkdir()
        except OSError as error:
            raise GroupError(f"{self._folder}: {error.strerror}; run as root") from None
        try:
            if self._unified:
                self._set("memory.max", limit)
                if not self._swap and swap_bytes():
                    self._set("memory.swap.max", 0)
            else:
                self._set("memory.limit_in_bytes", limit)
                if not self._swap and swap_bytes():
                    self._set("memory.memsw.limit_in_bytes", limit)
        except OSError as error:
            self._remove()
            raise GroupError(f"{error.filename}: {error.strerror}") from None
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
        return ["sh", "-c", join, str(self._folder / "cgroup.procs"), *words]

    @property
    def kills(self) -> int:
        """How many of its processes the system killed for memory."""
        name = "memory.events" if self._unified else "memory.oom_control"
        for line in (self._folder / name).read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def _set(self, name: str, value: int) -> None:
        (self._folder / name).write_text(str(value))

    def _remove(self) -> None:
        """A group can only be removed when its last process has wholly gone."""
        for _ in range(50):
            try:
                self._folder.rmdir()
                return
            except OSError:
                time.sleep(0.1)
        self._folder.rmdir()


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


def _is_unified() -> bool:
    """Whether groups are v2; GroupError when memory is no part of them at all."""
    if (ROOT / "memory" / "cgroup.procs").exists():
        return False
    controllers = ROOT / "cgroup.controllers"
    if controllers.exists() and "memory" in controllers.read_text().split():
        _hand_down()
        return True
    raise GroupError(
        "no memory control groups here; on a Raspberry Pi add cgroup_enable=memory to cmdline.txt"
    )


def _hand_down() -> None:
    """Lets groups below the top limit memory."""
    path = ROOT / "cgroup.subtree_control"
    if "memory" not in path.read_text().split():
        try:
            path.write_text("+memory")
        except OSError as error:
            raise GroupError(f"{path}: {error.strerror}; run as root, in no container") from None
