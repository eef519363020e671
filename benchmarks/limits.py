"""The same network within memory control groups: ftdist beside ncnn, onnxruntime and OpenVINO.

Each contestant is a fresh process in a group of its own: it loads, runs once to warm up, and is
timed; one thread, float32. ftdist gets the limit as its --mem. Rounds are interleaved, so that a
machine whose speed drifts drifts for all. Told are medians, the peak (VmHWM), and who did not
survive: killed by the group, or refused by itself. Before, all outputs are compared with
onnxruntime's. ncnn comes twice: as it is, and without Winograd and sgemm, which want more memory.

A group may swap as far as the machine has swap (never with --no-swap); `--swap FILE` adds a file
for the time of the benchmark. Files of models are dropped from memory before each run, so that
their pages count in the group; libraries' pages mostly do not, for anybody. Needs root. ::

    pip install '.[bench,plot]'
    python benchmarks/limits.py [LIMIT...] [--network yolov2] [--swap FILE] [--plot FILE.png]

LIMIT is in MiB, or `none`.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import charts, command, ncnn_export, onnx_export
from common.groups import Group, GroupError, swap_bytes, swap_file
from common.models import Prepared, builtin, drop_from_memory, on_disk
from common.outcomes import Outcome, Outcomes, draw, figures, print_table

MIB = 1 << 20
DEFAULT_LIMITS = {
    "yolov2-first16": (None, 256, 128, 96, 64, 48),
    "yolov2": (None, 256, 128, 64),
}
TOLERANCE = 1e-4
"""Largest difference from onnxruntime's output, relative to its largest value."""


@dataclass(frozen=True)
class Contestant:
    """`engine` as ``contestants.py`` calls it, and the files that it reads."""

    engine: str
    model: Path
    files: tuple[Path, ...]


def main() -> None:
    arguments = _arguments()
    limits = arguments.limits or DEFAULT_LIMITS[arguments.network]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # groups and swap are given back
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if arguments.swap is not None:
                stack.enter_context(swap_file(arguments.swap, arguments.swap_size * MIB))
            swap = _swap_said(arguments)
            print(f"{arguments.network}, one thread; swap: {swap}", flush=True)
            arena = _Arena(builtin(arguments.network, folder), folder, arguments)
            arena.compare()
            outcomes = arena.compete(limits)
    except GroupError as error:
        sys.exit(f"limits.py: {error}")
    print_table(outcomes)
    if arguments.json is not None:
        found = {"network": arguments.network, "threads": 1, "swap": swap}
        found["results"] = figures(outcomes)
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.plot is not None:
        draw(arguments.plot, f"{arguments.network}, one thread, swap: {swap}", outcomes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("limits", metavar="LIMIT", type=_limit, nargs="*", help="MiB, or none")
    parser.add_argument("--network", choices=DEFAULT_LIMITS, default="yolov2-first16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each process")
    parser.add_argument("--timeout", type=float, default=120, help="seconds a process may take")
    swap = parser.add_mutually_exclusive_group()
    swap.add_argument("--swap", metavar="FILE", type=Path, help="swap to a new file meanwhile")
    swap.add_argument("--no-swap", action="store_true", help="groups may not swap")
    parser.add_argument("--swap-size", metavar="MIB", type=int, default=2048)
    charts.add_outputs(parser)
    return parser.parse_args()


def _limit(text: str) -> int | None:
    return None if text == "none" else int(text)


def _swap_said(arguments: argparse.Namespace) -> str:
    if not swap_bytes():
        return "none on this machine"
    return "not allowed" if arguments.no_swap else f"{swap_bytes() / MIB:.0f} MiB"


class _Arena:
    """The contestants, their files, and the processes that they run in."""

    def __init__(self, prepared: Prepared, folder: Path, arguments: argparse.Namespace) -> None:
        self._prepared = prepared
        self._folder = folder
        self._arguments = arguments
        onnx = folder / "model.onnx"
        onnx_export.export(prepared.network, prepared.parameters(), onnx)
        ncnn = folder / "ncnn"
        ncnn_export.export(prepared.network, prepared.parameters(), ncnn)
        weights = (on_disk(ncnn.with_suffix(".bin")),)
        self._contestants = {
            "ftdist": Contestant("ftdist", prepared.model, (prepared.model,)),
            "onnxruntime": Contestant("onnxruntime", onnx, (on_disk(onnx),)),
            "OpenVINO": Contestant("openvino", onnx, (onnx,)),
            "ncnn": Contestant("ncnn", ncnn, weights),
            "ncnn plain": Contestant("ncnn-plain", ncnn, weights),
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._contestants)

    def compare(self) -> None:
        """Ends the program when a contestant computes something else than onnxruntime."""
        outputs = {}
        for name in self.names:
            outcome = Outcome()
            self._run(name, None, outcome, runs=1)
            if outcome.failures:
                sys.exit(f"limits.py: {name} fails without any limit: {outcome.failures[0]}")
            outputs[name] = self._output(name)
        expected = outputs["onnxruntime"]
        for name, output in outputs.items():
            error = np.abs(output.reshape(expected.shape) - expected).max() / np.abs(expected).max()
            said = f"{name:12} differs from onnxruntime by {error:.1e} of the largest value"
            print(said, flush=True)
            if not error < TOLERANCE:
                sys.exit(f"limits.py: {name} does not compute the same")

    def compete(self, limits: tuple[int | None, ...]) -> Outcomes:
        outcomes: Outcomes = {(name, limit): Outcome() for limit in limits for name in self.names}
        for number in range(self._arguments.rounds):
            print(f"round {number + 1} of {self._arguments.rounds}", flush=True)
            for (name, limit), outcome in outcomes.items():
                self._run(name, limit, outcome, self._arguments.runs)
        return outcomes

    def _run(self, name: str, limit: int | None, outcome: Outcome, runs: int) -> None:
        """One process of a contestant; adds to its outcome."""
        for file in self._contestants[name].files:
            drop_from_memory(file)
        words = self._words(name, limit, runs)
        if limit is None:
            done, kills = self._finished(words), 0
        else:
            with Group(limit * MIB, swap=not self._arguments.no_swap) as group:
                done, kills = self._finished(group.command(words)), group.kills
        if kills:
            outcome.failures.append("killed")
        elif done is None:
            outcome.failures.append(f"over {self._arguments.timeout:.0f} s")
        elif name == "ftdist" and done.returncode == command.NO_PLAN_FITS:
            needed = command.smallest_named(done.stderr)
            outcome.failures.append(f"refused, needs {needed / MIB:.1f} MiB")
        elif done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            outcome.failures.append(f"status {done.returncode}: {last}")
        else:
            self._add(name, done.stdout, outcome)

    def _words(self, name: str, limit: int | None, runs: int) -> list[str]:
        contestant = self._contestants[name]
        if contestant.engine == "ftdist":
            mem = None if limit is None else limit * MIB
            return command.run_command(
                self._prepared, self._report, mem=mem, threads=1, repeat=1 + runs
            )
        script = Path(__file__).with_name("common") / "contestants.py"
        words = [sys.executable, script, contestant.engine, contestant.model, self._prepared.image]
        words += ["--runs", runs, "-o", self._folder / f"{contestant.engine}.npz"]
        return [str(word) for word in words]

    def _finished(self, words: list[str]) -> subprocess.CompletedProcess[str] | None:
        """The finished process; None when it took too long."""
        timeout = self._arguments.timeout
        try:
            return subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            return None

    def _add(self, name: str, printed: str, outcome: Outcome) -> None:
        if name == "ftdist":
            measured = json.loads(self._report.read_text())["measured"]
            milliseconds = [1e3 * each for each in measured["latency_s"][1:]]
            peak = measured["peak_bytes"]
        else:
            value = json.loads(printed.splitlines()[-1])
            milliseconds, peak = value["ms"], value["peak_bytes"]
        outcome.milliseconds += milliseconds
        outcome.peaks.append(peak)

    @property
    def _report(self) -> Path:
        return self._folder / "ftdist.json"

    def _output(self, name: str) -> Any:
        if name == "ftdist":
            return next(iter(np.load(self._report.with_suffix(".npz")).values()))
        path = self._folder / f"{self._contestants[name].engine}.npz"
        return next(iter(np.load(path).values())).squeeze()


if __name__ == "__main__":
    main()
