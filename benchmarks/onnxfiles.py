"""Trained ONNX files at their own size, beside onnxruntime: memory, predictions, time.

Each measurement is a process of its own. *memory*: the smallest budget that `ftdist run` names,
beside the peak (VmHWM) of onnxruntime on one thread. *predicted*: the peak that was predicted less
the measured one, at the smallest budget, at 1.5 and at 3 times that. *time*: `run` without a budget
beside onnxruntime, one thread each, in turns; medians. Bars: memory at most 0.45 in the median and
0.8 anywhere; predicted never below what is measured, and at most 5% + 1 MiB above; time at most
1.3 in the median. ::

    python benchmarks/onnxfiles.py [NAME ...] [--rounds N] [--models FOLDER] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common.command import NO_PLAN_FITS, smallest_named

from ftdist.network.modelfile import Model, load

TRAINED = Path(__file__).resolve().parents[2] / "shared" / "models"
SIZES: dict[str, str | None] = {
    "ultraface-RFB-640": None,
    "superres_espcn_x3": None,
    "waifu2x_upconv7_photo": None,
    "palm_detection": None,
    "faceboxes_v2": None,
    "selfie_seg_landscape": None,
    "road_seg_adas_0001": None,
    "person_reid_0288": None,
    "tbefn_320x480": None,
    "sci_320x480": None,
    "sinet_portrait": None,
    "yolo-fastest-1.1-xl": None,
    "bodypix_mnv1_050_s16": "257x257",
    "dncnn6_M": "576x768",
    "realesr_animevideov3_x4": "144x192",
}
"""The networks, with a size where their files leave it open."""

MIB = 1 << 20
LEAST = 30 * MIB
"""Little more than what the interpreter and NumPy take by themselves."""

BUDGETS = (1.0, 1.5, 3.0)
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SIZES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, default=TRAINED)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--onnxruntime", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.onnxruntime:
        run_onnxruntime(*arguments.onnxruntime)
        return
    rows = []
    print(f"{'':26}{'ours':>8}{'theirs':>8}{'ratio':>7}   predicted above measured, MiB", end="")
    print(f"{'ours ms':>14}{'theirs':>9}{'ratio':>7}")
    for name in arguments.names or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            row = measured(arguments.models / f"{name}.onnx", Path(folder), arguments.rounds)
        rows.append(row)
        above = "  ".join(f"{(p - m) / MIB:6.2f}" for p, m in row["peaks"])
        print(f"{name:26}{row['smallest'] / MIB:8.1f}{row['their_peak'] / MIB:8.1f}", end="")
        print(f"{row['smallest'] / row['their_peak']:7.2f}   {above}", end="")
        print(
            f"{row['ms']:17.1f}{row['their_ms']:9.1f}{row['ms'] / row['their_ms']:7.2f}", flush=True
        )
    report(rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1))


def report(rows: list[Row]) -> None:
    """The figures that have bars."""
    memory = [row["smallest"] / row["their_peak"] for row in rows]
    pairs = [pair for row in rows for pair in row["peaks"]]
    above = [predicted - measured - measured / 20 - MIB for predicted, measured in pairs]
    times = [row["ms"] / row["their_ms"] for row in rows]
    print(f"memory: median {statistics.median(memory):.2f}, largest {max(memory):.2f}")
    print(f"predictions below: {sum(p < m for p, m in pairs)} of {len(pairs)};", end=" ")
    print(f"more than 5% + 1 MiB above: {sum(each > 0 for each in above)}")
    print(f"time: median {statistics.median(times):.2f}, largest {max(times):.2f}")


def measured(source: Path, folder: Path, rounds: int) -> Row:
    """All figures of one network, bytes and milliseconds."""
    model, arrays = folder / "model.ftd", folder / "input.npy"
    size = SIZES.get(source.stem)
    sized = [] if size is None else ["--size", size]
    finished(ftdist("import", source, *sized, "-o", model))
    np.save(arrays, an_input(load(model)))
    smallest = smallest_budget(model, arrays, folder)
    peaks = []
    for factor in BUDGETS:
        told = ours(model, arrays, folder, "--mem", int(factor * smallest))
        peaks.append((told["predicted"]["peak_bytes"], told["measured"]["peak_bytes"]))
    ms, their_ms, their_peak = [], [], 0
    for _ in range(rounds):
        told = ours(model, arrays, folder, "--repeat", 7)
        ms += [1e3 * each for each in told["measured"]["latency_s"][1:]]
        theirs = onnxruntime(source, arrays)
        their_ms += theirs["ms"]
        their_peak = max(their_peak, theirs["peak_bytes"])
    return {
        "name": source.stem,
        "smallest": smallest,
        "their_peak": their_peak,
        "peaks": peaks,
        "ms": statistics.median(ms),
        "their_ms": statistics.median(their_ms),
    }


def smallest_budget(model: Path, arrays: Path, folder: Path) -> int:
    """What a refused run says would do; LEAST where that is enough."""
    words = ("run", model, arrays, "-o", folder / "out.npz", "--threads", 1, "--mem", LEAST)
    refused = ftdist(*words)
    if refused.returncode == NO_PLAN_FITS:
        return smallest_named(refused.stderr)
    finished(refused)
    return LEAST


def an_input(model: Model) -> np.ndarray:
    given = model.network.inputs[0]
    generator = np.random.default_rng(0)
    return generator.random(given.layout.of(given.shape), dtype=np.float32)


def ftdist(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ftdist", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def finished(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise SystemExit(f"{' '.join(done.args)}: {done.stderr.strip()}")


def ours(model: Path, arrays: Path, folder: Path, *more: object) -> Any:
    """The report of a run on one thread."""
    told = folder / "report.json"
    words = (model, arrays, "-o", folder / "out.npz", "--threads", 1, "--json", told, *more)
    finished(ftdist("run", *words))
    return json.loads(told.read_text())


def onnxruntime(source: Path, arrays: Path) -> Any:
    """What a process of its own says of onnxruntime: `ms` of each run, and `peak_bytes`."""
    command = [sys.executable, __file__, "--onnxruntime", str(source), str(arrays)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def run_onnxruntime(source: Path, arrays: Path) -> None:
    """Loads a file, runs once to warm up, then seven times; prints a line of JSON."""
    import onnxruntime as engine

    options = engine.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = engine.InferenceSession(source, options, ["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: np.load(arrays)}
    session.run(None, given)
    milliseconds = []
    for _ in range(6):
        begun = time.perf_counter()
        session.run(None, given)
        milliseconds.append(1e3 * (time.perf_counter() - begun))
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) << 10 for line in status.splitlines() if "VmHWM" in line)
    print(json.dumps({"ms": milliseconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
