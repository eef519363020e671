"""The first plan on a machine that was never measured: how long it takes, and how right it is.

Ten networks, each by `ftdist run` without a budget, on one and on two threads; the first run of all
finds an empty cache folder and measures the machine in a hurry, the others use what it kept. Bars:
the first plan costs at most 0.5 s more than the second; the predicted latency is wrong by at most
12% in the median and 25% anywhere. The measured latency is the lower quartile of several runs. ::

    pip install '.[bench]'
    python benchmarks/first_plan.py [NAME ...] [--threads N ...] [--calibrate]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import numpy as np
from common import command, peer_networks
from common.models import Prepared, builtin

from ftdist.network.modelfile import load

BUILTIN = ("yolov2-first16", "yolov2", "yolov3-tiny", "vgg16", "yolov2-tiny")
MEDIAN, WORST = 0.12, 0.25


def main() -> int:
    names = [*BUILTIN, *peer_networks.NETWORKS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--calibrate", action="store_true", help="by `ftdist calibrate` instead")
    arguments = parser.parse_args()
    errors = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        if arguments.calibrate:
            subprocess.run([sys.executable, "-m", "ftdist", "calibrate"], check=True)
        else:
            _tell_first_plan(builtin("yolov2-first16", folder), folder)
        for name in arguments.names or names:
            prepared = builtin(name, folder) if name in BUILTIN else _from_onnx(name, folder)
            for threads in arguments.threads:
                errors.append(_error(prepared, folder, threads, arguments.repeat))
            prepared.model.unlink()
    sizes = [abs(each) for each in errors]
    print(f"wrong by {median(sizes):.1%} in the median, by at most {max(sizes):.1%}")
    return 0 if median(sizes) <= MEDIAN and max(sizes) <= WORST else 1


def _tell_first_plan(prepared: Prepared, folder: Path) -> None:
    """How long the first plan takes with measuring, and without."""
    took = []
    for more in ({}, {"FTDIST_MEASURE": "never"}):
        started = time.perf_counter()
        words = [sys.executable, "-m", "ftdist", "plan", str(prepared.model), "--threads", "1"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **more})
        took.append(time.perf_counter() - started)
    print(f"the first plan takes {took[0]:.2f} s, {took[0] - took[1]:.2f} s of them for measuring")


def _from_onnx(name: str, folder: Path) -> Prepared:
    source, model, image = (folder / f"{name}.{ending}" for ending in ("onnx", "ftd", "npy"))
    peer_networks.NETWORKS[name](source)
    words = ["import", str(source), "-o", str(model)]
    subprocess.run([sys.executable, "-m", "ftdist", *words], check=True, stdout=subprocess.DEVNULL)
    network = load(model).network
    given = network.inputs[0]
    generator = np.random.default_rng(1)
    np.save(image, generator.random(given.layout.of(given.shape), np.float32))
    return Prepared(name, network, model, image)


def _error(prepared: Prepared, folder: Path, threads: int, repeat: int) -> float:
    """How wrong the predicted latency is; positive where it is too long."""
    report = command.run(prepared, folder, mem=None, threads=threads, repeat=repeat)
    predicted, times = report["predicted"]["latency_s"], report["measured"]["latency_s"][1:]
    measured = quantiles(times, n=4, method="inclusive")[0]
    error: float = predicted / measured - 1
    notation = report["plan"]["notation"]
    print(
        f"{prepared.name:15} {threads} {1e3 * predicted:8.1f} ms predicted, {1e3 * measured:8.1f} "
        f"measured, {error:+6.1%}  {notation if len(notation) < 60 else notation[:57] + '...'}",
        flush=True,
    )
    return error


if __name__ == "__main__":
    sys.exit(main())
