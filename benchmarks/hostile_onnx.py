"""Bar: damaged and hostile ONNX files; no crash, no hang, no file read outside, memory bounded.

Random byte flips and cuts of real files, and files that claim huge shapes, deep nesting, cycles,
100,000 nodes, or data outside their folder. Each is imported as `ftdist run` does it, in a child
under a budget. Each ends with a model or with one line, within the budget. ::

    python benchmarks/hostile_onnx.py FILE.onnx [FILE.onnx ...] [--damaged 500] [--mem 512]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.hostileonnx import MIB, Trial, crafted, damaged, tried

SLOW_S = 30.0
AT_ONCE = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.onnx")
    parser.add_argument("--damaged", type=int, default=500, help="copies in all")
    parser.add_argument("--mem", type=int, default=512, metavar="MIB")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trials += tried(crafted(folder / "crafted"), arguments.mem * MIB)
        each = -(-arguments.damaged // len(arguments.files))
        for number, file in enumerate(arguments.files):
            own = folder / file.stem
            own.mkdir()
            copies = damaged(file.read_bytes(), each, arguments.seed + number)
            waiting: list[Path] = []
            for at, content in enumerate(copies):
                waiting.append(own / f"{file.stem}-{at}.onnx")
                waiting[-1].write_bytes(content)
                if len(waiting) == AT_ONCE or at == each - 1:
                    trials += tried(waiting, arguments.mem * MIB)
                    waiting.clear()
    return _told(trials, arguments.mem * MIB)


def _told(trials: list[Trial], most_bytes: int) -> int:
    """Prints what came of them; 1 when the bar is missed."""
    slowest = max(trials, key=lambda each: each.seconds)
    largest = max(trials, key=lambda each: each.peak_bytes)
    print(f"{len(trials)} files: exit statuses {dict(Counter(each.status for each in trials))}")
    print(f"slowest    {slowest.seconds:.1f} s ({slowest.file})")
    print(f"largest    {largest.peak_bytes / MIB:.0f} MiB ({largest.file})")
    wrong = {each.file: each.fault for each in trials if each.fault}
    wrong |= {e.file: f"took {e.seconds:.0f} s" for e in trials if e.seconds > SLOW_S}
    wrong |= {e.file: f"took {e.peak_bytes} bytes" for e in trials if e.peak_bytes > most_bytes}
    for file, what in wrong.items():
        print(f"{file}: {what}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
