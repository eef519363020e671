"""Bar: one huge picture through a coordinator and its workers, each within its budget, same bits.

The picture is made row by row; it and what the network makes of it are never whole anywhere. Some
regions of the result are compared with the network run whole, without tiles, on what they see of
the picture: every bit. Peaks (VmHWM) of all processes are printed beside their budgets. ::

    python benchmarks/cluster_bands.py DENOISER.onnx [--side 20000] [--mem 128M] [--workers 3]

The network is one whose size is open, of one output as large as its input. The exit status is 1
when a bar is missed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from common.clusters import Cluster, finished, ftdist
from numpy.typing import NDArray

import ftdist as package
from ftdist.geometry import Region
from ftdist.network.graph import Network, weighted_layers
from ftdist.network.implementations import IMPLEMENTATIONS, Arithmetic
from ftdist.network.modelfile import Model, load
from ftdist.pictures.rows.opening import open_rows
from ftdist.planning.plan import untiled
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.runtime.budget.memory import parse_size

MIB = 1 << 20
REGION = 1000
MARGIN = 64
"""More than a denoiser sees beyond what it makes; of whole blocks, as are the regions' corners."""

NOISE_ROWS = 61


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("--side", type=int, default=20000)
    parser.add_argument("--mem", default="128M", metavar="SIZE", help="of each process")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--regions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        return _run(arguments, Path(made))


def _run(arguments: argparse.Namespace, folder: Path) -> int:
    model = _imported(arguments.network, arguments.side, arguments.side, folder)
    picture = folder / "picture.pgm"
    channels = load(model).network.input.channels
    _draw(picture, arguments.side, channels, arguments.seed)
    settings = f'[memory]\nbudget = "{arguments.mem}"\n'
    with Cluster(model, folder / "cluster", settings=settings) as cluster:
        for number in range(arguments.workers):
            cluster.add(f"w{number + 1}", arguments.mem)
        report = cluster.submit(picture)
        peaks = dict(_peaks(cluster))
    bands = re.search(r"bands +(.*)", cluster.coordinator.said)
    print(f"{arguments.side}x{arguments.side}, {bands[1] if bands else 'whole frames'}")
    count = len(report["latency_s"])
    print(f"{report['seconds']:.0f} s, {report['seconds'] / count:.2f} s a band")
    budget = parse_size(arguments.mem)
    kept = bands is not None
    for name, peak in peaks.items():
        print(f"{name:12} {peak / MIB:6.1f} MiB of {budget / MIB:.0f}")
        kept &= peak <= budget
    wrong = _wrong(arguments, picture, report["results"] / "picture.npy", model, folder)
    print(f"{wrong} of {arguments.regions} regions of {REGION}x{REGION} differ in some bit")
    return 0 if kept and not wrong else 1


def _imported(network: Path, height: int, width: int, folder: Path) -> Path:
    path = folder / f"{height}x{width}.ftd"
    if not path.exists():
        finished(ftdist("import", network, "--size", f"{height}x{width}", "-o", path))
    return path


def _draw(path: Path, side: int, channels: int, seed: int) -> None:
    """Waves with noise, that of some rows again and again at another place."""
    noise = np.random.default_rng(seed).normal(0, 20, (NOISE_ROWS, side, channels))
    noise = noise.astype(np.float32)
    across = np.sin(np.arange(side, dtype=np.float32) / 37)[:, None]
    with path.open("wb") as file:
        file.write(b"P%d\n%d %d\n255\n" % (5 if channels == 1 else 6, side, side))
        for row in range(side):
            again, number = divmod(row, NOISE_ROWS)
            values = 127 + 60 * across * np.cos(np.float32(row / 23))
            values = values + np.roll(noise[number], 131 * again, 0)
            file.write(values.clip(0, 255).astype(np.uint8).tobytes())


def _peaks(cluster: Cluster) -> Iterator[tuple[str, int]]:
    yield "coordinator", cluster.coordinator.peak_bytes
    parent = cluster.coordinator.popen.pid
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text())
        if found:
            yield "its planner", int(found[1]) << 10
    for name, worker in cluster.workers.items():
        yield name, worker.peak_bytes


def _wrong(
    arguments: argparse.Namespace, picture: Path, result: Path, model: Path, folder: Path
) -> int:
    """Regions that differ, by the algorithms for which fewest do: all bands are computed by one."""
    network = load(model).network
    counts = []
    for arithmetic in dict.fromkeys(_arithmetics(network)):
        wrong = 0
        for region in _regions(arguments):
            made = _made(result, region)
            expected = _expected(arguments, picture, region, arithmetic, folder)
            wrong += not np.array_equal(made, expected)
        if not wrong:
            return 0
        counts.append(wrong)
    return min(counts)


def _arithmetics(network: Network) -> Iterator[Arithmetic]:
    """Those that a coordinator may have chosen."""
    yield arithmetics(network, DEFAULT)[0]
    yield tuple(
        (number, "winograd4")
        for number, _, _ in weighted_layers(network)
        if IMPLEMENTATIONS["winograd4"].suits(*network.asked(number))
    )
    yield ()


def _regions(arguments: argparse.Namespace) -> Iterator[Region]:
    """Corners of the picture, then anywhere."""
    random = np.random.default_rng(arguments.seed)
    last = (arguments.side - REGION) // 4 * 4
    for number in range(arguments.regions):
        corner = (0, last)[number // 2 % 2], (0, last)[number % 2]
        top, left = corner if number < 4 else (4 * random.integers(0, last // 4, 2)).tolist()
        yield Region(top, top + REGION, left, left + REGION)


def _made(result: Path, region: Region) -> NDArray[np.float32]:
    top, bottom, left, right = region
    return np.array(np.load(result, mmap_mode="r")[:, top:bottom, left:right])


def _expected(
    arguments: argparse.Namespace,
    picture: Path,
    region: Region,
    arithmetic: Arithmetic,
    folder: Path,
) -> NDArray[np.float32]:
    """The region as the network makes it, run whole on what the region sees of the picture."""
    top, bottom, left, right = region
    first, side = max(0, top - MARGIN), max(0, left - MARGIN)
    stop, end = (min(arguments.side, each + MARGIN) for each in (bottom, right))
    source = open_rows(picture)
    seen = source.rows(first, stop)[:, side:end]
    source.close()
    model: Model = load(_imported(arguments.network, stop - first, end - side, folder))
    plan = replace(untiled(model.network), arithmetic=arithmetic)
    with package.Session(model, plan) as session:
        (found,) = session.run(np.ascontiguousarray(seen)).values()
    planes = found.reshape(-1, stop - first, end - side)
    return planes[:, top - first : bottom - first, left - side : right - side]


if __name__ == "__main__":
    sys.exit(main())
