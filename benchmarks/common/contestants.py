"""One inference engine in one process: it loads, runs once to warm up, then is timed.

The process of a contestant in ``limits.py`` and ``peers.py``, which start it anew each time.
Engines compute in float32, on one thread unless told otherwise, as they come otherwise. Prints one
line of JSON: `ms`, each run's, and `peak_bytes` of the whole process (VmHWM). Nothing of ftdist is
loaded. ::

    python contestants.py onnxruntime model.onnx input.npy --runs 5 [-o output.npy]
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
Outputs = dict[str, Array]
Run = Callable[[], Outputs]
"""Runs the network once; its outputs by name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path, help=".npy float32 (channels, height, width)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--input", default="input", help="the input's name")
    parser.add_argument("--outputs", nargs="+", default=[], help="names of outputs, for MNN")
    parser.add_argument("-o", dest="output", type=Path, help="write the outputs as .npz")
    arguments = parser.parse_args()
    run = ENGINES[arguments.engine](arguments, np.load(arguments.image))
    outputs = run()
    if arguments.output is not None:
        np.savez(arguments.output, allow_pickle=False, **outputs)
    milliseconds = []
    for _ in range(arguments.runs):
        started = time.perf_counter()
        run()
        milliseconds.append((time.perf_counter() - started) * 1e3)
    print(json.dumps({"ms": milliseconds, "peak_bytes": _peak_bytes()}))


def _onnxruntime(arguments: argparse.Namespace, image: Array) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    session = onnxruntime.InferenceSession(arguments.model, options, ["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]

    def run() -> Outputs:
        found = session.run(None, {arguments.input: image[None]})
        return dict(zip(names, found, strict=True))

    return run


def _openvino(arguments: argparse.Namespace, image: Array) -> Run:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": arguments.threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(arguments.model, "CPU", settings)
    request = compiled.create_infer_request()

    def run() -> Outputs:
        found = request.infer({arguments.input: image[None]})
        return {each.any_name: found[each] for each in compiled.outputs}

    return run


def _mnn(arguments: argparse.Namespace, image: Array) -> Run:
    from MNN import expr, nn  # type: ignore[import-not-found]

    settings = {"backend": 0, "numThread": arguments.threads, "precision": "high"}
    runtime = nn.create_runtime_manager((settings,))
    names = arguments.outputs
    net = nn.load_module_from_file(
        str(arguments.model), [arguments.input], names, runtime_manager=runtime
    )

    def run() -> Outputs:
        given = expr.const(image[None], list(image[None].shape), expr.NCHW)
        made = net.forward([expr.convert(given, expr.NC4HW4)])
        found = [np.array(expr.convert(each, expr.NCHW).read()) for each in made]
        return dict(zip(names, found, strict=True))

    return run


def _ncnn(arguments: argparse.Namespace, image: Array, *, plain: bool = False) -> Run:
    """`model` without suffix. `plain`: neither Winograd nor sgemm, which want far more memory."""
    import ncnn

    net, model = ncnn.Net(), arguments.model
    net.opt.num_threads = arguments.threads
    for reduced in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{reduced}", False)
    if plain:
        net.opt.use_winograd_convolution = net.opt.use_sgemm_convolution = False
    for failed in (net.load_param(f"{model}.param"), net.load_model(f"{model}.bin")):
        if failed:
            raise SystemExit(f"ncnn cannot load {model}")

    def run() -> Outputs:
        extractor = net.create_extractor()
        extractor.input(arguments.input, ncnn.Mat(image))
        outputs = {}
        for name in net.output_names():
            found: Any
            failed, found = extractor.extract(name)
            if failed:
                raise SystemExit("ncnn could not run the network")
            outputs[name] = np.array(found)
        return outputs

    return run


def _ncnn_plain(arguments: argparse.Namespace, image: Array) -> Run:
    return _ncnn(arguments, image, plain=True)


ENGINES: dict[str, Callable[[argparse.Namespace, Array], Run]] = {
    "mnn": _mnn,
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
