"""Direct kernels on YOLOv2's first 16 layers, against OpenVINO and against sgemm's rate.

Everything runs in turn within one process, round by round, so that a machine whose speed drifts
drifts for all. Printed are medians, and medians of the ratios round by round. ::

    pip install '.[bench]'
    python benchmarks/direct_kernels.py [--rounds 30]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import openvino
from common.onnx_export import export

import ftdist
from ftdist.network import architectures
from ftdist.network.modelfile import Model, write_model
from ftdist.network.parameters import random_parameters

SGEMM_SIZE = 1536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        network = architectures.load("yolov2-first16").network
        write_model(Path(folder, "model.ftd"), network, random_parameters(network, 0))
        export(network, random_parameters(network, 0), Path(folder, "model.onnx"))
        model = ftdist.load(Path(folder, "model.ftd"))
        contestants = _contestants(model, Path(folder, "model.onnx"))
        times = _measure(contestants, rounds)
    macs = sum(
        network.macs(n) * x.shape.height * x.shape.width for n, x in enumerate(network.layers)
    )
    _report(times, 2 * macs / 1e9)


def _contestants(model: Model, onnx_path: Path) -> dict[str, Callable[[], object]]:
    shape = model.network.input
    rng = np.random.default_rng(0)
    image = rng.random((shape.channels, shape.height, shape.width), np.float32)
    sessions = {
        threads: ftdist.Session(model, ftdist.plan(model, threads=threads)) for threads in (1, 2)
    }
    for threads, session in sessions.items():
        print(f"ftdist, {threads} thread(s): plan {session.plan.notation}")
    requests = {
        threads: openvino.Core()
        .compile_model(
            onnx_path,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )
        .create_infer_request()
        for threads in (1, 2)
    }
    left, right = rng.random((2, SGEMM_SIZE, SGEMM_SIZE), np.float32)
    ours = next(iter(sessions[1].run(image).values()))
    theirs = next(iter(requests[1].infer({"input": image[None]}).values()))[0]
    print(f"largest difference {np.abs(ours - theirs).max() / np.abs(theirs).max():.1e} of largest")
    return {
        "ftdist, 1 thread": lambda: sessions[1].run(image),
        "OpenVINO, 1 thread": lambda: requests[1].infer({"input": image[None]}),
        "sgemm, 1 thread": lambda: left @ right,
        "ftdist, 2 threads": lambda: sessions[2].run(image),
        "OpenVINO, 2 threads": lambda: requests[2].infer({"input": image[None]}),
    }


def _measure(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 2):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            if number >= 2:  # the first two rounds warm up
                times[name].append(time.perf_counter() - started)
    return times


def _report(times: dict[str, list[float]], gflop: float) -> None:
    for name, each in times.items():
        work = 2 * SGEMM_SIZE**3 / 1e9 if name.startswith("sgemm") else gflop
        milliseconds = median(each) * 1e3
        print(f"{name:20} {milliseconds:7.1f} ms  {work / median(each):6.1f} GFLOP/s")

    def ratio(first: str, second: str) -> float:
        return median(a / b for a, b in zip(times[first], times[second], strict=True))

    sgemm_s = 2 * SGEMM_SIZE**3 / 1e9 / gflop  # sgemm's time scaled to this network's work
    rate = 1 / (ratio("ftdist, 1 thread", "sgemm, 1 thread") * sgemm_s)
    print(
        f"time against OpenVINO, 1 thread   {ratio('ftdist, 1 thread', 'OpenVINO, 1 thread'):.2f}"
    )
    print(
        f"time against OpenVINO, 2 threads  {ratio('ftdist, 2 threads', 'OpenVINO, 2 threads'):.2f}"
    )
    print(f"rate against sgemm, 1 thread      {rate:.2f}")
    print(f"2 threads faster than 1 by        {ratio('ftdist, 1 thread', 'ftdist, 2 threads'):.2f}")


if __name__ == "__main__":
    main()
