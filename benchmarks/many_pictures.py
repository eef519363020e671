"""A batch of many small pictures, some broken: here, and on a Dask cluster that loses a worker.

Says what part of the time the network alone would take for the same pictures in as many lanes,
whether each picture has one record and the right one, which were left out, and what each process
held. Where other programs run at the same time, only ratios mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ftdist.many.inputs import read_input
from ftdist.network.modelfile import Model, load
from ftdist.planning.plan import parse_json
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.local import Session

BROKEN_EACH = 50
ALONE = 64
"""Pictures that the network alone is timed on, again and again."""

ALONE_PICTURES = 400
"""So many runs of it are timed at a time."""


def make_pictures(folder: Path, count: int) -> tuple[list[str], set[str]]:
    """Small JPEGs of several sizes, and which of them were cut."""
    folder.mkdir()
    chance, names, broken = np.random.default_rng(1), [], set[str]()
    for number in range(count):
        width, height = chance.integers(200, 400, 2)
        small = chance.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        path = folder / f"p{number:05}.jpg"
        Image.fromarray(small).resize((int(width), int(height))).save(path)
        names.append(str(path))
        if number % BROKEN_EACH == BROKEN_EACH // 2:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            broken.add(str(path))
    return names, broken


def batch(model: Path, pictures: Path, out: Path, *more: object) -> list[str]:
    """The words of `ftdist batch`."""
    words = [sys.executable, "-m", "ftdist", "batch", model, pictures, "-o", out]
    return [str(each) for each in (*words, "--json", out.with_suffix(".report"), *more)]


def alone_s(model: Model, plan: dict[str, Any], lanes: int, names: list[str], count: int) -> float:
    """What the network alone takes for so many pictures, in as many lanes of the same plan."""
    network, about = model.network, model.about
    some = [
        read_input(Path(each), network, fit=about.fit, fill=about.fill) for each in names[:ALONE]
    ]
    arrays = [each.array for each in some]
    first = Session(model, parse_json(json.dumps(plan), network, model.digest))
    sessions = [first, *(Session(model, first.plan, beside=first) for _ in range(lanes - 1))]
    for session in sessions:
        session.prepare(picture=True)

    def work(lane: int) -> None:
        for number in range(lane, count, lanes):
            sessions[lane].run(arrays[number % len(arrays)])

    started = time.perf_counter()
    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    for session in reversed(sessions):
        session.close()
    return seconds


def local(arguments: argparse.Namespace, folder: Path, names: list[str], broken: set[str]) -> None:
    """One process, its figures, and the network alone before and after each of its rounds."""
    out = folder / "local.jsonl"
    words = batch(
        *(arguments.model, folder / "pictures", out),
        *("--mem", arguments.mem, "--threads", arguments.threads),
    )
    good = [each for each in names if each not in broken]
    model, count = load(arguments.model), min(len(good), ALONE_PICTURES)
    shares, before_s = list[float](), 0.0
    for number in range(arguments.rounds):
        out.unlink(missing_ok=True)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        report = json.loads(out.with_suffix(".report").read_text())
        check(out, good, broken)
        measured, lanes = report["measured"], report["lanes"]
        after_s = alone_s(model, report["plan"], lanes, good, count) / count * len(good)
        alone = (before_s + after_s) / 2 if number else after_s
        shares.append(alone / measured["wall_s"])
        before_s = after_s
        print(f"here: {lanes} at once, {report['plan']['notation']}")
        print(f"  {len(good)} of {len(names)} in {measured['wall_s']:.1f} s")
        print(f"  the network alone {alone:.1f} s: {shares[-1]:.3f} of it")
        print(f"  lanes computed {measured['computing_s'] / measured['wall_s']:.3f} of the time")
        print(f"  peak {measured['peak_bytes'] / MIB:.1f} MiB of {arguments.mem}", flush=True)
    print(f"the network alone: {statistics.median(shares):.3f} of the time, the median")


def check(out: Path, good: list[str], broken: set[str]) -> None:
    """Each picture has one record, and the broken ones are named."""
    files = [json.loads(line)["file"] for line in out.read_bytes().splitlines()]
    assert files == good, "not each picture has one record, in order"
    lost = out.with_name(out.name + ".left-out").read_bytes().splitlines()
    assert {json.loads(line)["file"] for line in lost} == broken


def on_dask(arguments: argparse.Namespace, folder: Path, names: list[str]) -> None:
    """Three workers, of which one is killed when a third of the records is there."""
    out = folder / "dask.jsonl"
    words = batch(
        *(arguments.model, folder / "pictures", out, "--on", "dask", "--workers", 3),
        *("--mem", arguments.mem, "--threads", 1),
    )
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        part, peaks = out.with_name(out.name + ".part"), dict[int, int]()
        killed = 0
        while process.poll() is None:
            for pid in workers(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), peak_of(pid))
            if not killed and part.exists() and lines(part) > len(names) // 3:
                killed = min(workers(process.pid))
                os.kill(killed, signal.SIGKILL)
            time.sleep(0.2)
        _, said = process.communicate()
    assert process.returncode == 1, said.decode()
    same = out.read_bytes() == (folder / "local.jsonl").read_bytes()
    print(f"on Dask: worker {killed} was killed; records {'the same' if same else 'DIFFER'}")
    print(f"  peaks of workers {', '.join(f'{each / MIB:.1f}' for each in peaks.values())} MiB")


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def workers(parent: int) -> list[int]:
    """The processes of Dask's workers."""
    found = []
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in map(int, children.read_text().split()):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def peak_of(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    (line,) = [each for each in text.splitlines() if each.startswith("VmHWM")] or ["VmHWM: 0 kB"]
    return int(line.split()[1]) << 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a detector's model file")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--mem", default="128M")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-dask", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        names, broken = make_pictures(Path(folder) / "pictures", arguments.count)
        local(arguments, Path(folder), names, broken)
        if not arguments.no_dask:
            on_dask(arguments, Path(folder), names)


if __name__ == "__main__":
    main()
