"""One inference engine in one process: it loads, runs once to warm up, then is timed.

The process of a contestant in ``limits.py``, which starts it anew each time. Engines compute in
float32 on one thread, as they come otherwise. Prints one line of JSON: `ms`, each run's, and
`peak_bytes` of the whole process (VmHWM). Nothing of ftdist is loaded. ::

    python benchmarks/contestants.py onnxruntime model.onnx input.npy --runs 5 [-o output.npy]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Run = Callable[[], Array]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path, help=".npy float32 (channels, height, width)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("-o", dest="output", type=Path, help="write the output as .npy")
    arguments = parser.parse_args()
    run = ENGINES[arguments.engine](arguments.model, np.load(arguments.image))
    output = run()
    if arguments.output is not None:
        np.save(arguments.output, output)
    milliseconds = []
    for _ in range(arguments.runs):
        started = time.perf_counter()
        run()
        milliseconds.append((time.perf_counter() - started) * 1e3)
    print(json.dumps({"ms": milliseconds, "peak_bytes": _peak_bytes()}))


def _onnxruntime(model: Path, image: Array) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    return lambda: session.run(None, {"input": image[None]})[0][0]


def _openvino(model: Path, image: Array) -> Run:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda: next(iter(request.infer({"input": image[None]}).values()))[0]


def _ncnn(model: Path, image: Array, *, plain: bool = False) -> Run:
    """`model` without suffix. `plain`: neither Winograd nor sgemm, which want far more memory."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    for reduced in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{reduced}", False)
    if plain:
        net.opt.use_winograd_convolution = net.opt.use_sgemm_convolution = False
    for failed in (net.load_param(f"{model}.param"), net.load_model(f"{model}.bin")):
        if failed:
            raise SystemExit(f"ncnn cannot load {model}")
    (output,) = net.output_names()

    def run() -> Array:
        extractor = net.create_extractor()
        extractor.input("input", ncnn.Mat(image))
        found: Any
        failed, found = extractor.extract(output)
        if failed:
            raise SystemExit("ncnn could not run the network")
        return np.array(found)

    return run


def _ncnn_plain(model: Path, image: Array) -> Run:
    return _ncnn(model, image, plain=True)


ENGINES: dict[str, Callable[[Path, Array], Run]] = {
    "ncnn": _ncnn,
    "ncnn-plain": _ncnn_plain,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
}


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise OSError("/proc/self/status lacks VmHWM")


if __name__ == "__main__":
    main()
