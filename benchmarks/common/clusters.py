"""A cluster of real processes, started and ended by the commands that users type.

A process runs *somewhere*: on this machine as it is, or on an emulated board or its hub. Whatever
it says goes to a file of its own. All processes end with the cluster, however that ends.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

_START_S = 60.0
_END_S = 15.0
_POLL_S = 0.05
_WAIT_S = 600.0


class Somewhere(Protocol):
    """Where a command runs."""

    def command(self, words: list[str]) -> list[str]: ...


class Here:
    """This machine, without any limit."""

    def command(self, words: list[str]) -> list[str]:
        return words


HERE = Here()


class ClusterError(Exception):
    """A process did not do what it should; says what it said last."""


def ftdist(*words: object) -> list[str]:
    """A command line of ftdist."""
    return [sys.executable, "-m", "ftdist", *map(str, words)]


def finished(words: list[str], where: Somewhere = HERE) -> str:
    """What a command printed; ClusterError unless it did its work."""
    done = subprocess.run(
        where.command(words), capture_output=True, text=True, check=False, timeout=_WAIT_S
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise ClusterError(f"{' '.join(words[2:])}: status {done.returncode}: {last}")
    return done.stdout


class Process:
    """A process that runs until the cluster ends."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.popen = popen
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def peak_bytes(self) -> int:
        """The most that it held at once so far (VmHWM)."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        if found is None:
            raise ClusterError(f"{self._log.stem} has ended; it said: {self.said.strip()}")
        return int(found[1]) << 10

    def wait_for(self, pattern: str, count: int = 1) -> str:
        """Waits until it has said something so often; returns the last time's first group."""
        limit = time.monotonic() + _START_S
        while len(found := re.findall(pattern, self.said)) < count:
            if self.popen.poll() is not None or time.monotonic() > limit:
                raise ClusterError(f"{self._log.stem} did not get far: {self.said.strip()[-500:]}")
            time.sleep(_POLL_S)
        return str(found[-1])


@contextmanager
def running(
    name: str,
    words: list[str],
    folder: Path,
    where: Somewhere = HERE,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """A process that is there within a `with` block, in its own session: Ctrl-C is ours alone."""
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        popen = subprocess.Popen(
            where.command(words),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        yield Process(popen, log)
    finally:
        popen.send_signal(signal.SIGTERM)
        try:
            popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


class Cluster:
    """A coordinator and its workers, within a `with` block; `settings` is its TOML file's text.

    `words`: another command than ``ftdist coordinator`` that says where it listens.
    """

    def __init__(
        self,
        model: Path,
        folder: Path,
        hub: Somewhere = HERE,
        settings: str = "",
        trace: bool = False,
        words: list[str] | None = None,
    ) -> None:
        self._words = words
        self._model = model
        self._folder = folder
        self._hub = hub
        self._settings = settings
        self._trace = trace
        self._stack = ExitStack()
        self._port = 0
        self._submitted = 0
        self.workers: dict[str, Process] = {}

    def __enter__(self) -> Cluster:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "cluster.toml"
        config.write_text(self._settings)
        host = "127.0.0.1" if self._hub is HERE else "0.0.0.0"
        words = ftdist("coordinator", self._model, "--listen", f"tcp://{host}:*", "--insecure")
        words += ["--config", str(config)]
        if self._trace:
            words += ["--trace", str(self.trace)]
        with self._stack:
            self.coordinator = self._start("coordinator", self._words or words, self._hub)
            self._port = int(self.coordinator.wait_for(r"listens +tcp://\S+:(\d+)"))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    @property
    def trace(self) -> Path:
        return self._folder / "trace.json"

    def add(
        self,
        name: str,
        mem: str | None,
        where: Somewhere = HERE,
        host: str = "127.0.0.1",
        environment: Mapping[str, str] | None = None,
        threads: int = 1,
    ) -> Process:
        """One more worker; returns when the coordinator has taken it in."""
        words = ftdist("worker", f"tcp://{host}:{self._port}", "--insecure", "--threads", threads)
        words += ["--name", name, "--cache", str(self._folder / f"{name}-cache")]
        words += ["--mem", mem] if mem else []
        worker = self._start(name, words, where, environment)
        worker.wait_for("joined the cluster")
        self.workers[name] = worker
        return worker

    def submit(self, *inputs: Path, repeat: int = 1) -> dict[str, Any]:
        """Has inputs computed, each so often; returns the report, with where the results are."""
        self._submitted += 1
        results = self._folder / f"results-{self._submitted}"
        report = self._folder / f"report-{self._submitted}.json"
        words = ftdist("submit", *inputs, *self._to(), "-o", results, "--raw", "--json", report)
        finished([*words, "--repeat", str(repeat)], self._hub)
        return {**json.loads(report.read_text()), "results": results}

    def status(self) -> dict[str, Any]:
        """What the coordinator says of itself."""
        words = ftdist("status", f"tcp://127.0.0.1:{self._port}", "--json")
        status: dict[str, Any] = json.loads(finished(words, self._hub))
        return status

    def _to(self) -> list[str]:
        return ["--to", f"tcp://127.0.0.1:{self._port}"]

    def _start(
        self,
        name: str,
        words: list[str],
        where: Somewhere,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        return self._stack.enter_context(running(name, words, self._folder, where, environment))
