"""Real processes of the command line on this machine: started, listened to, harmed and ended.

A test never sleeps to be right: it waits for what a process prints, up to ``PATIENCE_S``. Lines
carry the time (``time.monotonic``, one clock for all processes of a machine) at which they came,
and none of those that the program wrote.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.command import COMMAND, GUARD_S, environment

WRITTEN_AT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d ")
"""The time that the logs of a coordinator and of a worker have before each line."""

PATIENCE_S = GUARD_S


@dataclass(frozen=True, slots=True)
class Said:
    """A line that a process printed: its number, when it came, and its text."""

    number: int
    time_s: float
    text: str


class Process:
    """One `python -m ftdist ARGUMENTS`; both of its streams are kept line by line.

    `program` is Python to run instead, with the same arguments; `more` is environment.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[object],
        folder: Path,
        *,
        program: str | None = None,
        **more: str,
    ) -> None:
        self.name = name
        self.began_s = time.monotonic()
        self.lines: list[Said] = []
        self._change = threading.Condition()
        self._silent = False
        command = [*COMMAND[:-2], "-c", program] if program else COMMAND
        self._process = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=folder,
            env=environment(PYTHONUNBUFFERED="1", **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"lines of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def says(self, pattern: str, after: int = 0, timeout_s: float = PATIENCE_S) -> Said:
        """The first line, from number `after` on, in which a pattern is found; waits for it."""
        until_s = time.monotonic() + timeout_s
        with self._change:
            number = after
            while True:
                for said in self.lines[number:]:
                    if re.search(pattern, said.text):
                        return said
                number = max(number, len(self.lines))
                left_s = until_s - time.monotonic()
                assert left_s > 0, f"{self.name} did not say '{pattern}':\n{self.log()}"
                assert not self._silent, f"{self.name} ended without '{pattern}':\n{self.log()}"
                self._change.wait(left_s)

    def said(self, pattern: str, after: int = 0) -> list[Said]:
        """The lines so far, from number `after` on, in which a pattern is found."""
        with self._change:
            return [said for said in self.lines[after:] if re.search(pattern, said.text)]

    def mark(self) -> int:
        """The number of the next line."""
        with self._change:
            return len(self.lines)

    def log(self) -> str:
        """All that it said."""
        times = [f"{said.time_s - self.began_s:7.2f}  {said.text}" for said in self.lines]
        return "\n".join([f"--- {self.name} (status {self._process.returncode})", *times])

    def peak_bytes(self) -> int:
        """The most resident memory that it had so far, as the system counted it."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
        assert found, status
        return int(found[1]) << 10

    def signal(self, number: signal.Signals) -> float:
        """Sends a signal; returns when."""
        now_s = time.monotonic()
        self._process.send_signal(number)
        return now_s

    def kill(self) -> float:
        """Ends it as a failing machine does; returns when."""
        return self.signal(signal.SIGKILL)

    def status(self, timeout_s: float = PATIENCE_S) -> int:
        """Waits for its end; returns its exit status, or less a signal's number."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end:\n{self.log()}") from None
        self._reader.join(PATIENCE_S)
        return status

    def end(self) -> int:
        """Asks it to end, and sees that it does."""
        self.signal(signal.SIGTERM)
        return self.status(PATIENCE_S)

    def close(self) -> None:
        """Whatever it is at, it ends now."""
        if self.is_running:
            self.kill()  # also when it is stopped
        self._process.wait()
        self._reader.join(PATIENCE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                text = WRITTEN_AT.sub("", line.rstrip("\n"))
                said = Said(len(self.lines), time.monotonic(), text)
                with self._change:
                    self.lines.append(said)
                    self._change.notify_all()
        except ValueError:  # closed meanwhile
            pass
        with self._change:
            self._silent = True
            self._change.notify_all()


class Coordinator(Process):
    """`ftdist coordinator`; it listens where it says."""

    @property
    def endpoint(self) -> str:
        return re.split(r"[\s,]+", self.says("^listens ").text)[1]

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])


class Cluster:
    """Processes that belong together, in a folder of their own; a context manager that ends them.

    `more` is a table of settings for every coordinator that it starts.
    """

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.model = model
        self.processes: list[Process] = []
        self._count = 0

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.close()

    def log(self) -> str:
        """All that all of them said."""
        return "\n".join(process.log() for process in self.processes)

    def coordinator(
        self,
        *,
        port: int = 0,
        heartbeat_s: float = 0.2,
        model: Path | None = None,
        trace: Path | None = None,
        keys: Path | None = None,
        **job: object,
    ) -> Coordinator:
        """A coordinator that listens; `job` are keys of that table."""
        listen = f"tcp://127.0.0.1:{port or '*'}"
        lines = ["[coordinator]", f'listen = "{listen}"', f"heartbeat_s = {heartbeat_s}"]
        lines += ["[job]", *(f"{key} = {json.dumps(value)}" for key, value in job.items())]
        self._count += 1
        config = self.folder / f"cluster{self._count}.toml"
        config.write_text("\n".join(lines) + "\n")
        arguments: list[object] = ["coordinator", model or self.model, "--config", config]
        arguments += ["--mem", "256M"]
        arguments += ["--trace", trace] if trace else []
        arguments += ["--keys", keys] if keys else []
        process = Coordinator(f"coordinator {self._count}", arguments, self.folder)
        self.processes.append(process)
        process.says("^listens ")
        return process

    def worker(
        self,
        name: str,
        endpoint: str,
        *more: object,
        mem: str = "128M",
        threads: int = 1,
        **variables: str,
    ) -> Process:
        """A worker with a cache of its own; it is not waited for."""
        cache = self.folder / f"cache-{name}"
        arguments = ["worker", endpoint, "--name", name, "--mem", mem, "--threads", threads]
        return self.start(name, *arguments, "--cache", cache, *more, **variables)

    def submit(self, inputs: Sequence[Path], endpoint: str, output: Path, *more: object) -> Process:
        """A client with a job; it is not waited for."""
        self._count += 1
        arguments = ["submit", *inputs, "--to", endpoint, "-o", output, "--raw", *more]
        return self.start(f"client {self._count}", *arguments)

    def status(self, endpoint: str, *more: object) -> dict[str, Any]:
        """What the coordinator says of itself."""
        process = self.start("status", "status", endpoint, "--json", *more)
        assert process.status() == 0, process.log()
        found: dict[str, Any] = json.loads(process.lines[-1].text)
        return found

    def start(
        self, name: str, *arguments: object, program: str | None = None, **variables: str
    ) -> Process:
        """Any command of ours."""
        process = Process(name, arguments, self.folder, program=program, **variables)
        self.processes.append(process)
        return process


def joined(worker: Process, after: int = 0) -> Said:
    """Waits until a worker joined the cluster."""
    return worker.says("joined the cluster", after)


def ready(worker: Process, after: int = 0) -> Said:
    """Waits until a worker has weights."""
    return worker.says("has the weights of", after)


def descriptors(process: Process) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))
