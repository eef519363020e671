"""Bar: damaged and hostile pictures; each is read or refused in one line, within a few MiB.

Of each kind of picture 500 copies with flipped bits, and cuts, are read by rows and written again,
and are fitted into a network's input, as `ftdist run` does either; so are files whose headers claim
100,000 x 100,000 pixels, and bombs. One process reads all copies of one kind: its peak is printed,
above what sound pictures take. Nothing may be left of what was begun. ::

    python benchmarks/hostile_pictures.py [--flips 500] [--mem 24] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.hostile import claiming, cuts, flipped, read_by_rows, samples

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.fitted import load_picture

MIB = 1 << 20
NETWORK = Shape(64, 64, 3)
SLOW_S = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=500, help="damaged copies of each kind")
    parser.add_argument("--mem", type=int, default=24, metavar="MIB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind:
        return _read_all(arguments.kind, arguments.flips, arguments.mem * MIB, arguments.seed)
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        kinds = [path.name for path in samples(Path(name))]
    for kind in (*kinds, "claims"):
        command = [sys.executable, __file__, "--kind", kind]
        for option in ("flips", "mem", "seed"):
            command += [f"--{option}", str(getattr(arguments, option))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            wrong += 1
            print(f"{kind:16} ended with {done.returncode}: {done.stderr[-300:]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        bad = found["faults"] or found["taken"] > arguments.mem * MIB or found["slowest"] > SLOW_S
        wrong += bool(bad)
        print(
            f"{kind:16} read {found['read']:4}, refused {found['refused']:4}, "
            f"{found['taken'] / MIB:5.1f} MiB, slowest {found['slowest']:.2f} s",
            *found["faults"][:3],
            sep="\n    ",
        )
    return int(bool(wrong))


def _read_all(kind: str, flips: int, most_bytes: int, seed: int) -> int:
    """In a process of its own: all damaged copies of one kind, by both ways."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        by_name = {path.name: path for path in samples(folder)}
        for path in by_name.values():
            _tried(path, most_bytes)
        held = _figure("VmHWM")
        if kind == "claims":
            cases = [(path, path.read_bytes()) for path in claiming(folder)]
        else:
            content = by_name[kind].read_bytes()
            every = [flipped(content, seed + number) for number in range(flips)]
            cases = [(by_name[kind], each) for each in (*every, *cuts(content))]
        before = set(folder.iterdir())
        for path, each in cases:
            path.write_bytes(each)
            begun = time.perf_counter()
            for line in _tried(path, most_bytes):
                counts["refused" if line else "read"] += 1
                if "\n" in line or len(line) > 400 + len(name):
                    faults.append(f"not one line: {line}")
            slowest = max(slowest, time.perf_counter() - begun)
            if left := set(folder.iterdir()) - before:
                faults.append(f"left behind: {left}")
                for stray in left:
                    stray.unlink()
        taken = _figure("VmHWM") - held
    found = {"read": counts["read"], "refused": counts["refused"], "taken": taken}
    print(json.dumps(found | {"slowest": slowest, "faults": faults}))
    return 0


def _tried(path: Path, most_bytes: int) -> list[str]:
    """What refuses it: read by rows and written again; fitted into a network's input."""
    out = path.with_name("out.tif")
    lines = [read_by_rows(path, out, most_bytes)]
    out.unlink(missing_ok=True)
    if path.suffix != ".npy":
        try:
            load_picture(path, NETWORK, most_bytes=most_bytes)
            lines.append("")
        except InputError as error:
            lines.append(str(error))
    return lines


def _figure(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


if __name__ == "__main__":
    sys.exit(main())
