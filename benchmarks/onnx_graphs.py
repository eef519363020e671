"""Random ONNX graphs against onnxruntime, each under several plans: do they agree, to which bits?

    python benchmarks/onnx_graphs.py --count 2000 --first 0

Every graph is made from its number, so a fault is seen again by `--first NUMBER --count 1`. It is
imported, run as it is, and under random plans with one and two threads. Wanted: within 1e-4 of
onnxruntime, relative to the largest value (or to 1 where all are smaller), and the same bits under
every plan.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.onnxgraphs import arrays_for, computed, expected, imported
from support.randomgraphs import random_graph
from support.randomplans import random_plan

from ftdist.errors import FtdistError

TOLERANCE = 1e-4


def fault_of(seed: int, folder: Path, plans: int) -> tuple[str, float]:
    """What is wrong with a graph, "" where nothing is; and how far its values are off."""
    largest = 0.0
    path = random_graph(seed).save(folder / "graph.onnx")
    try:
        model = imported(path)
    except FtdistError as error:
        return f"refused: {str(error).replace(str(path), 'graph')}", largest
    arrays = arrays_for(model, seed)
    once = computed(model, arrays)
    for name, wanted in expected(path, arrays).items():
        if once[name].shape != wanted.shape:
            return f"shape: {name} is {once[name].shape}, not {wanted.shape}", largest
        apart = np.abs(once[name].astype(np.float64) - wanted)
        off = float(np.max(apart, initial=0.0)) / max(1.0, float(np.abs(wanted).max(initial=0)))
        largest = max(largest, off)
        if not off <= TOLERANCE:
            return f"values: {name} is off by {off:.2g}", off
    for number in range(plans):
        plan = random_plan(model.network, seed + 1000 * number, threads=1 + number % 2)
        for name, array in computed(model, arrays, plan).items():
            if array.tobytes() != once[name].tobytes():
                return f"bits: {name} under {plan}", largest
    return "", largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="how many graphs")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--plans", type=int, default=3, help="random plans of each")
    arguments = parser.parse_args()
    kinds: Counter[str] = Counter()
    largest = [(0.0, -1)]
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.first, arguments.first + arguments.count):
            try:
                fault, off = fault_of(seed, Path(folder), arguments.plans)
            except Exception as error:  # whatever it is, the next graph is tried
                fault, off = f"crash: {type(error).__name__}: {error}", 0.0
            largest = sorted([*largest, (off, seed)], reverse=True)[:3]
            kinds[fault.split(":")[0] or "right"] += 1
            if fault:
                sys.stdout.write(f"{seed}: {fault[:400]}\n")
                sys.stdout.flush()
    sys.stdout.write(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    furthest = ", ".join(f"{off:.1e} ({seed})" for off, seed in largest if off)
    sys.stdout.write(f"; furthest off: {furthest or 'none'}\n")
    sys.exit(0 if set(kinds) <= {"right"} else 1)


if __name__ == "__main__":
    main()
