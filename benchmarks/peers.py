"""ftdist beside other engines on the same weights and input, without any memory limit.

Each contestant is a fresh process: it loads, runs once to warm up, and is timed. Rounds are
interleaved, so that a machine whose speed drifts drifts for all. Told are medians, our time and
peak relative to the fastest peer's, the peak (VmHWM) of each, and the largest error against an
evaluation in double precision, relative to the largest value; where that does not know an
operator, against onnxruntime. A peer whose error is above 1e-3 counts for nothing. ncnn takes part
in networks that ``ncnn_export`` knows. Prints a table in Markdown. ::

    pip install '.[bench]' MNN
    python benchmarks/peers.py [NETWORK...] [--threads 1 2] [--rounds 3] [--python PYTHON]

`--python` is the interpreter that has the peers, where that is another one.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
from common import command, ncnn_export, onnx_export
from common.models import Prepared, builtin, darknet
from common.peer_networks import NETWORKS as WRITTEN

from ftdist.kernels.native import chosen
from ftdist.network.graph import weighted_layers
from ftdist.network.modelfile import Model, load
from ftdist.network.modelheader import ArrayName
from ftdist.network.packing import BLOCKS
from ftdist.network.parameters import Parameters

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from support.oracles.oracle import evaluate  # noqa: E402  the tests' own, in double precision

MIB = 1 << 20
MOST_ERROR = 1e-3
BUILT_IN = ("yolov2-first16", "yolov2", "yolov3-tiny", "vgg16")
YOLO_FASTEST = "yolo-fastest"
OURS = "ftdist"


@dataclass
class Result:
    """What one contestant did on one network: times of all rounds, its largest peak, its error."""

    milliseconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    error: float = float("nan")
    failure: str = ""

    @property
    def counts(self) -> bool:
        return bool(self.milliseconds) and self.error <= MOST_ERROR

    @property
    def text(self) -> str:
        if self.failure:
            return self.failure
        return (
            f"{median(self.milliseconds):.1f} ms, {self.peak_bytes / MIB:.0f} MiB, {self.error:.0e}"
        )


def main() -> None:
    arguments = _arguments()
    names = arguments.networks or [*BUILT_IN, YOLO_FASTEST, *WRITTEN]
    lines, found = [], []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            contest = _Contest(name, Path(folder), arguments)
            for threads in arguments.threads:
                print(f"{name}, {threads} threads", file=sys.stderr, flush=True)
                results = contest.compete(threads)
                lines.append(_line(name, threads, results))
                found.append(_figures(name, threads, results))
                if arguments.json is not None:
                    arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    engines = [OURS, *_Contest.PEERS]
    print(f"{_processor()}, {chosen().name} kernels; time, peak, error\n")
    print("| network | threads |", " | ".join(engines), "| time | peak |")
    print("|---" * (len(engines) + 4) + "|")
    print("\n".join(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [*BUILT_IN, YOLO_FASTEST, *WRITTEN]
    parser.add_argument("networks", metavar="NETWORK", nargs="*", help=", ".join(known))
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each process")
    parser.add_argument("--timeout", type=float, default=300, help="seconds a process may take")
    parser.add_argument("--python", default=sys.executable, help="the interpreter with the peers")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures as JSON")
    arguments = parser.parse_args()
    for each in arguments.networks:
        if each not in known:
            parser.error(f"{each}: not one of {', '.join(known)}")
    return arguments


def prepared(name: str, folder: Path) -> tuple[Prepared, Path]:
    """A network as model file and as ONNX file."""
    path = folder / f"{name}.onnx"
    if name in WRITTEN:
        WRITTEN[name](path)
        model = folder / f"{name}.ftd"
        words = [sys.executable, "-m", "ftdist", "import", str(path), "-o", str(model)]
        subprocess.run(words, check=True, capture_output=True)
        network, image = load(model).network, folder / f"{name}.npy"
        height, width, channels = network.input
        generator = np.random.default_rng(1)
        np.save(image, generator.random((channels, height, width), np.float32))
        return Prepared(name, network, model, image), path
    if name == YOLO_FASTEST:
        cfg = ROOT.parent / "shared" / "models" / "yolo-fastest-1.1-xl.cfg"
        found = darknet(cfg, cfg.with_suffix(".weights"), folder)
    else:
        found = builtin(name, folder)
    onnx_export.export(found.network, parameters_of(load(found.model)), path)
    return found, path


def parameters_of(model: Model) -> Iterator[Parameters]:
    """The weights of a model file, as importers hand them over."""
    floats = model.weights.view(np.float32)
    for number, operation, source in weighted_layers(model.network):
        arrays = {}
        for array, size in BLOCKS.sizes(operation, source).items():
            at = model.offsets[ArrayName(number, BLOCKS.name, array)]
            arrays[array] = floats[at : at + size]
        yield Parameters(number, BLOCKS.unpack(operation, source, arrays))


class _Contest:
    """All contestants on one network."""

    PEERS = ("mnn", "ncnn", "onnxruntime", "openvino")

    def __init__(self, name: str, folder: Path, arguments: argparse.Namespace) -> None:
        self._folder, self._arguments = folder, arguments
        self._prepared, self._onnx = prepared(name, folder)
        self._outputs = [each.name for each in onnx.load(self._onnx).graph.output]
        self._expected: Mapping[str, Any] | None = self._evaluated()

    def compete(self, threads: int) -> dict[str, Result]:
        """The results of all contestants with so many threads, by name."""
        results = {each: Result() for each in (OURS, *self.PEERS)}
        files = {each: self._file(each, results[each]) for each in self.PEERS}
        for _ in range(self._arguments.rounds):
            for engine, result in results.items():
                if not result.failure:
                    self._run(engine, files.get(engine), threads, result)
        expected = self._expected or self._made("onnxruntime")
        for engine, result in results.items():
            if result.milliseconds:
                result.error = _error(self._made(engine), expected)
        return results

    def _evaluated(self) -> Mapping[str, Any] | None:
        model = load(self._prepared.model)
        image = np.load(self._prepared.image)
        try:
            return evaluate(model.network, parameters_of(model), image)
        except (AssertionError, NotImplementedError, ValueError, KeyError, TypeError):
            return None  # an operator that it does not know

    def _file(self, engine: str, result: Result) -> Path | None:
        """The model in an engine's own format."""
        if engine == "ncnn":
            try:
                model, path = load(self._prepared.model), self._folder / "ncnn"
                ncnn_export.export(model.network, parameters_of(model), path)
            except ValueError:
                result.failure = "not exported"
            return path
        if engine != "mnn":
            return self._onnx
        path = self._folder / "model.mnn"
        program = Path(self._arguments.python).with_name("mnnconvert")
        words = [program, "-f", "ONNX", "--modelFile", self._onnx, "--MNNModel", path]
        done = subprocess.run(
            [*map(str, words), "--bizCode", "x"], check=False, capture_output=True
        )
        if done.returncode or not path.exists():
            result.failure = "not converted"
        return path

    def _run(self, engine: str, file: Path | None, threads: int, result: Result) -> None:
        """One process of a contestant; adds to its result."""
        report, runs = self._folder / f"{OURS}.json", self._arguments.runs
        words: list[object]
        if engine == OURS:
            words = [
                *command.run_command(
                    self._prepared, report, mem=None, threads=threads, repeat=1 + runs
                )
            ]
        else:
            script = Path(__file__).with_name("contestants.py")
            words = [self._arguments.python, script, engine, file, self._prepared.image]
            words += ["--runs", runs, "--threads", threads, "--outputs", *self._outputs]
            words += ["-o", self._folder / f"{engine}.npz"]
        timeout = self._arguments.timeout
        try:
            done = subprocess.run(
                [*map(str, words)], capture_output=True, text=True, check=False, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            result.failure = f"over {timeout:.0f} s"
            return
        if done.returncode:
            result.failure = (done.stderr.strip().splitlines() or ["no word"])[-1][:60]
            return
        if engine == OURS:
            measured = json.loads(report.read_text())["measured"]
            milliseconds = [1e3 * each for each in measured["latency_s"][1:]]
            peak = measured["peak_bytes"]
        else:
            value = json.loads(done.stdout.splitlines()[-1])
            milliseconds, peak = value["ms"], value["peak_bytes"]
        result.milliseconds += milliseconds
        result.peak_bytes = max(result.peak_bytes, peak)

    def _made(self, engine: str) -> Mapping[str, Any]:
        return dict(np.load(self._folder / f"{engine}.npz"))


def _error(made: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """The largest over all outputs; they come in the same order where they have other names."""
    pairs = list(zip(made.values(), expected.values(), strict=True))
    if made.keys() == expected.keys():
        pairs = [(made[name], expected[name]) for name in expected]
    return max(
        float(np.abs(one.reshape(other.shape) - other).max() / np.abs(other).max())
        for one, other in pairs
    )


def _line(name: str, threads: int, results: Mapping[str, Result]) -> str:
    """A row of the table; the last columns are relative to the fastest peer."""
    ours = results[OURS]
    peers = [each for engine, each in results.items() if engine != OURS and each.counts]
    ratios = ["-", "-"]
    if peers and ours.milliseconds:
        best = min(peers, key=lambda each: median(each.milliseconds))
        ratios[0] = f"{median(ours.milliseconds) / median(best.milliseconds):.2f}"
        ratios[1] = f"{ours.peak_bytes / best.peak_bytes:.2f}"
    cells = [name, str(threads), *(each.text for each in results.values()), *ratios]
    return f"| {' | '.join(cells)} |"


def _figures(name: str, threads: int, results: Mapping[str, Result]) -> dict[str, Any]:
    value: dict[str, Any] = {"network": name, "threads": threads}
    value["results"] = {
        engine: {
            "ms": each.milliseconds,
            "peak_bytes": each.peak_bytes,
            "error": each.error,
            "failure": each.failure,
        }
        for engine, each in results.items()
    }
    return value


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
