"""Whether this worker was ended for lack of memory while it computed, and what it offers then.

A process that the system kills says nothing more. So while a worker computes, a byte of a small
file beside its cache says so; the file is mapped, which costs nothing a task, and what is written
there outlives the process. Who finds that byte set, on a machine that was not started anew in
between and that has since killed something for lack of memory, was killed for that, and offers a
part less with each time. A budget that its user has changed is a new beginning.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from _blake2 import blake2b
from dataclasses import replace
from pathlib import Path

from ftdist.cluster.worker.compute_thread import Runner
from ftdist.cluster.worker.task_inputs import Task
from ftdist.protocol.worker_messages import Failed, Result
from ftdist.runtime.budget.controlgroups import read_text
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.sizes import format_size
from ftdist.wording import counted

_STATE = struct.Struct("<?xxxIQQ36s")
"""Whether it computes, its kills, its budget, the machine's kills when it began, the boot."""

_KEPT, _MOST = 7 / 8, 4
"""What is offered of the budget after a death, and how many of them make it less."""


class OomKills:
    """How often a worker of this name was killed for lack of memory; tells of the next time."""

    def __init__(self, folder: Path, name: str, given: Budget, root: Path = Path("/")) -> None:
        self.count = 0
        self._memory: mmap.mmap | None = None
        boot = read_text(root / "proc/sys/kernel/random/boot_id").strip().encode()[:36]
        kills = _kills(root)
        try:
            self._memory = _mapped(folder, name)
        except OSError:
            return  # its cache says why it cannot be written
        if self._memory is not None:
            computing, oom_kills, budget, before, booted = _STATE.unpack_from(self._memory)
            if budget == given.bytes:
                self.count = oom_kills + (
                    computing and booted.rstrip(b"\0") == boot and kills > before
                )
            state = False, self.count, given.bytes, kills, boot
            _STATE.pack_into(self._memory, 0, *state)

    def offered(self, given: Budget) -> Budget:
        """What is offered of a budget."""
        size = int(given.bytes * _KEPT ** min(self.count, _MOST))
        return replace(given, bytes=size) if self.count else given

    def words(self, given: Budget) -> str:
        """What to say of it."""
        times = counted(self.count, "time")
        return (
            f"was killed {times} for lack of memory while it computed: offers "
            f"{format_size(self.offered(given).bytes)} of {format_size(given.bytes)}; "
            "give it less by --mem, or let its machine do less beside it"
        )

    def computing(self, now: bool) -> None:
        """Notes whether it computes from now on."""
        if self._memory is not None:
            self._memory[0] = now


class RecordingRunner:
    """A runner of tasks whose ``OomKills`` know when it computes."""

    def __init__(self, runner: Runner, oom_kills: OomKills) -> None:
        self._runner = runner
        self._oom_kills = oom_kills

    @property
    def progress(self) -> int:
        return self._runner.progress

    def run(self, task: Task, waiting_bytes: int) -> list[Result | Failed]:
        self._oom_kills.computing(True)
        try:
            return self._runner.run(task, waiting_bytes)
        finally:
            self._oom_kills.computing(False)

    def release_memory(self) -> None:
        self._runner.release_memory()


def _mapped(folder: Path, name: str) -> mmap.mmap | None:
    """The file of a worker of this name; None while another process of that name uses it."""
    folder.mkdir(parents=True, exist_ok=True)
    words = blake2b(name.encode(), digest_size=8).hexdigest()
    handle = os.open(folder / f".at-work-{words}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    os.ftruncate(handle, mmap.PAGESIZE)
    return mmap.mmap(handle, mmap.PAGESIZE)  # the lock goes with the process, not with an object


def _kills(root: Path) -> int:
    """How many processes the machine has killed for lack of memory, in control groups or not."""
    for line in read_text(root / "proc/vmstat").splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdecimal():
            return int(value)
    return 0
