"""A cluster of real processes on loopback, for tests: a coordinator, workers, and what they say."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from support.command import COMMAND, GUARD_S, Outcome, environment, ftdist_command


class Running:
    """A command that runs in a folder of its own; what it says goes to a file there."""

    def __init__(self, folder: Path, name: str, *arguments: object, **more: str) -> None:
        folder.mkdir(exist_ok=True)
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                cwd=folder,
                env=environment(**more),
                stdout=log,
                stderr=log,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Waits until it has said something; fails when it ends without."""
        deadline = time.monotonic() + GUARD_S
        while True:
            ended = self.process.poll() is not None
            found = re.search(pattern, self.said)
            if found:
                return found
            assert not ended, f"it ended ({self.process.returncode}): {self.said}"
            assert time.monotonic() < deadline, f"it never said {pattern}: {self.said}"
            time.sleep(0.01)

    def wait(self) -> int:
        return self.process.wait(GUARD_S)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()


class Cluster:
    """A coordinator on a port of its own choice, with any number of workers."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.model = model
        self.endpoint = "tcp://127.0.0.1:0"
        self.running: list[Running] = []

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in reversed(self.running):
            if each.process.poll() is None:
                each.process.kill()
                each.process.wait()
            if error is not None:
                print(f"---- {each.log.name}\n{each.said}")

    def coordinator(self, *options: object, name: str = "coordinator") -> Running:
        """Starts it, or starts it again at the same port, and waits until it listens."""
        arguments = ("coordinator", self.model, "--listen", self.endpoint, *options)
        made = Running(self.folder, name, *arguments)
        self.running.append(made)
        self.endpoint = made.wait_for(r"listens +(tcp://[0-9.]+:[0-9]+),")[1]
        return made

    def worker(
        self, name: str, *options: object, mem: str = "256M", named: bool = True, **more: str
    ) -> Running:
        """Starts a worker with a model cache of its own; does not wait for it. Where it is not
        `named` it has to find its coordinator."""
        address = (self.endpoint,) if named else ()
        arguments = ("worker", *address, "--name", name, "--mem", mem, "--threads", 1)
        cache = ("--cache", self.folder / f"cache-{name}")
        made = Running(self.folder, name, *arguments, *cache, *options, **more)
        self.running.append(made)
        return made

    def submit(self, *arguments: object) -> Outcome:
        return ftdist_command("submit", *arguments, "--to", self.endpoint, folder=self.folder)

    def begin(self, name: str, *arguments: object) -> Running:
        """A client that is not waited for."""
        made = Running(self.folder, name, "submit", *arguments, "--to", self.endpoint)
        self.running.append(made)
        return made


@contextmanager
def cluster(folder: Path, model: Path) -> Iterator[Cluster]:
    """A cluster whose processes are gone in the end."""
    with Cluster(folder, model) as made:
        yield made
