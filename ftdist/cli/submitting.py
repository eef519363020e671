"""`ftdist submit`: pictures and arrays to a coordinator, results into a folder."""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ftdist.atomic import atomic_write, refuse_unwritable
from ftdist.cli.findings import print_result
from ftdist.cli.inputs import read_input, write_arrays
from ftdist.cli.journal import Journal
from ftdist.cli.printing import complain, say
from ftdist.cli.progress import Progress
from ftdist.cluster.client import Client
from ftdist.cluster.endpoints import connecting, refuse_open
from ftdist.cluster.frames import Outputs
from ftdist.cluster.keys import peer_keys
from ftdist.cluster.submission import Work
from ftdist.coordinator.settings import ModelInfo
from ftdist.detection import class_count, detect, is_detector
from ftdist.detection.draw import draw
from ftdist.detection.names import class_names, doubt
from ftdist.detection.picture import Letterbox
from ftdist.detection.seen import seen
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.modelfile import Header
from ftdist.wording import counted

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,47}")


def run(arguments: argparse.Namespace) -> None:
    """Has all inputs computed, writes the results, and says how it went."""
    endpoint = connecting(arguments.to)
    warning = refuse_open(endpoint, keys=bool(arguments.keys), insecure=arguments.insecure)
    keys = peer_keys(arguments.keys) if arguments.keys else None
    batch = Batch(arguments.inputs, arguments.output, arguments.repeat, draws=arguments.draw)
    if arguments.json is not None:
        refuse_unwritable(arguments.json)
    batch.keep_journal(arguments.job)
    if warning:
        complain(f"ftdist: {warning}")
    started = time.monotonic()
    with Progress() as progress, Client(str(endpoint), keys, say=progress.complain) as client:
        client.submit(batch.work(progress), batch.done)
    batch.end()
    report = _report(batch, progress, time.monotonic() - started)
    _print(report)
    if arguments.json is not None:
        with atomic_write(arguments.json) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What is remembered of an input: where the photo lies in it, whether it has a batch axis."""

    letterbox: Letterbox | None
    batched: bool


class Batch:
    """The inputs of one job, each `repeat` times, and where their results go."""

    def __init__(self, inputs: list[Path], output: Path, repeat: int, *, draws: bool) -> None:
        self._inputs = inputs
        self._output = output
        self._repeat = repeat
        self._draws = draws
        self._loaded: dict[int, _Loaded] = {}
        self._latest: tuple[int, NDArray[Any]] | None = None
        self._journal: Journal | None = None
        self._progress: Progress | None = None
        self.model: Header | None = None
        self.job = f"{os.uname().nodename[:40]}-{os.getpid()}-{os.urandom(4).hex()}"
        self.done: set[int] = set()
        self.latency_s: list[float] = []
        self.picture = _are_pictures(inputs)
        _refuse_same_names(inputs, output)
        self._make_folder()

    @property
    def frames(self) -> int:
        return len(self._inputs) * self._repeat

    def keep_journal(self, job: str | None) -> None:
        """Gives the job a name under which it can be gone on with."""
        if job is None:
            return
        if not _NAME.fullmatch(job):
            raise InputError(f"'{job}' is no name for a job: use letters, digits, '-' and '_'")
        self.job = job
        inputs = [os.path.abspath(path) for path in self._inputs] * self._repeat
        self._journal = Journal(self._output, job, inputs)
        self.done = set(self._journal.done)

    def work(self, progress: Progress) -> Work:
        """The job as the client runs it."""
        self._progress = progress
        return Work(self.job, self.frames, self.picture, self._load, self._deliver, progress.show)

    def end(self) -> None:
        """All results are written."""
        if self._journal is not None:
            self._journal.end()

    def _load(self, header: Header, frame: int) -> NDArray[Any]:
        number = frame % len(self._inputs)
        self._know(header)
        if self._latest is None or self._latest[0] != number:
            given = read_input(self._inputs[number], header.network, fit=header.about.fit)
            batched = given.array.ndim == 4
            self._loaded[number] = _Loaded(given.letterbox, batched)
            self._latest = number, given.array[0] if batched else given.array
        return self._latest[1]

    def _know(self, header: Header) -> None:
        """The model is known now: what does not suit it is refused before any work."""
        if self.model is not None:
            return
        if self._draws and not is_detector(header.network):
            raise InputError(f"--draw: {header.network.name} is no detector")
        if self._journal is not None:
            self._journal.begin(header.digest)
        self.model = header
        if is_detector(header.network):
            origin = header.about.names if header.labels else "none"
            unsure = doubt(origin, class_count(header.network))
            if unsure is not None:
                complain(f"ftdist: {unsure}")

    def _deliver(self, header: Header, frame: int, outputs: Outputs, seconds: float) -> None:
        self._know(header)
        self.latency_s.append(seconds)
        number, repetition = frame % len(self._inputs), frame // len(self._inputs)
        if repetition == 0:
            self._write(header, number, outputs)
        if self._journal is not None:
            self._journal.add(frame)

    def _write(self, header: Header, number: int, outputs: Outputs) -> None:
        path = self._inputs[number]
        detections = detect(header.network, outputs) if is_detector(header.network) else None
        if number not in self._loaded:  # sent by a client before this one
            self._load(header, number)
        loaded = self._loaded[number]
        if loaded.batched:
            outputs = {name: array[None] for name, array in outputs.items()}
        target = _target(self._output, path, header.network)
        write_arrays(target, outputs)
        assert self._progress is not None
        self._progress.clear()
        say(f"wrote      {target}")
        if detections is not None:
            names = class_names(class_count(header.network), header.labels or None)
            print_result(seen(str(path), detections, names, header.network, loaded.letterbox))
            if self._draws and loaded.letterbox is not None:
                drawn = self._output / f"{path.stem}-found.jpg"
                draw(path, detections, names, drawn, loaded.letterbox)
                say(f"wrote      {drawn}")

    def _make_folder(self) -> None:
        try:
            self._output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make {self._output}: {error.strerror}") from None
        refuse_unwritable(self._output / "results.npy")


def _target(folder: Path, path: Path, network: Network) -> Path:
    suffix = ".npy" if len(network.outputs) == 1 else ".npz"
    return folder / f"{path.stem}{suffix}"


def _are_pictures(inputs: list[Path]) -> bool:
    """Whether the inputs travel as bytes; InputError when some do and some do not."""
    kinds: dict[bool, Path] = {}
    for path in inputs:
        if path.suffix == ".npz":
            raise InputError(f"{path}: an input is one array; write it as a .npy file")
        if not path.is_file():
            raise InputError(f"{path}: cannot be read: no such file")
        kinds.setdefault(path.suffix != ".npy" or _holds_bytes(path), path)
    if len(kinds) > 1:
        raise InputError(f"{kinds[True]} is a picture, {kinds[False]} is not: submit them apart")
    return next(iter(kinds))


def _holds_bytes(path: Path) -> bool:
    try:
        mapped: Any = npy.open_memmap(path, mode="r")
    except Exception:  # numpy raises nearly anything on damaged headers
        raise InputError(f"{path}: is no .npy file, or is damaged") from None
    return bool(mapped.dtype == np.uint8)


def _refuse_same_names(inputs: list[Path], output: Path) -> None:
    by_stem: dict[str, Path] = {}
    for path in inputs:
        other = by_stem.setdefault(path.stem, path)
        if other is not path:
            raise InputError(f"{other} and {path} would both be written as {output / path.stem}")
        if path.suffix == ".npy" and os.path.realpath(output / path.name) == os.path.realpath(path):
            raise InputError(f"{path}: its result would replace it; name another folder by -o")


def _report(batch: Batch, progress: Progress, seconds: float) -> dict[str, Any]:
    """What came of it, as `--json` writes it; bytes are those of one frame."""
    last = progress.last
    traffic = None
    if last is not None and last.finished and batch.model is not None:
        info = ModelInfo("", batch.model.network, batch.model.digest, batch.model.bytes)
        traffic = {
            "sent_bytes": last.sent_bytes // last.finished,
            "received_bytes": last.received_bytes // last.finished,
            "classic_bytes": info.classic_bytes,
        }
    return {
        "job": batch.job,
        "frames": batch.frames,
        "seconds": seconds,
        "latency_s": batch.latency_s,
        "traffic": traffic,
    }


def _print(report: dict[str, Any]) -> None:
    latencies, seconds = sorted(report["latency_s"]), report["seconds"]
    if not latencies:
        say(f"done       all done before: {counted(report['frames'], 'frame')}")
        return
    median = latencies[len(latencies) // 2]
    say(
        f"done       {counted(len(latencies), 'frame')} in {seconds:.2f} s, "
        f"{len(latencies) / seconds:.2f} a second; a frame took {median * 1e3:.0f} ms"
    )
    traffic = report["traffic"]
    if traffic:
        count = traffic["sent_bytes"] + traffic["received_bytes"]
        say(
            f"traffic    {count / 1e6:.2f} MB a frame to workers and back; "
            f"3x3 tiles (DeepThings) take {traffic['classic_bytes'] / 1e6:.1f} MB"
        )
