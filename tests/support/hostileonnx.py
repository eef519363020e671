"""Damaged and hostile ONNX files, and what becomes of whoever imports them.

Each file is imported in a forked child, as `ftdist run` does it, under a budget; the child tells
every file that was opened. Many cases share one process that has brought in the packages: ::

    python -m support.hostileonnx FILE... <<< '{"budget": BYTES}'    # a line of JSON a file
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
HANGS_S = 120
"""Only ends a case that hangs; how long each took is told, and decides nothing in tests."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one file: `said` is the error, "" where it was imported."""

    file: str
    status: int | None
    said: str
    seconds: float
    peak_bytes: int
    opened: tuple[str, ...]

    @property
    def fault(self) -> str:
        """What is wrong with how it ended; "" for nothing."""
        if self.status is None:
            return f"was ended by a signal or hung after {self.seconds:.0f} s"
        if self.status not in (0, 2, 3):
            return f"exit status {self.status}: {self.said}"
        if self.status and (not self.said or "\n" in self.said or not self.said.isprintable()):
            return f"not one line: {self.said!r}"
        if len(self.said) > 20_000:
            return f"a line of {len(self.said)} letters"
        if self.opened:
            return f"opened {', '.join(self.opened)}"
        return ""


def damaged(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Copies with bytes that are flipped, and cut ones."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        data = bytearray(content)
        if number % 5 == 4:
            yield bytes(data[: int(generator.integers(len(data)))])
            continue
        for _ in range(int(generator.integers(1, 9))):
            near = len(data) if number % 2 else min(len(data), 4096)
            place = int(generator.integers(near))
            data[place if number % 4 else len(data) - 1 - place] ^= 1 << int(generator.integers(8))
        yield bytes(data)


def tried(files: Sequence[Path], budget_bytes: int) -> list[Trial]:
    """Imports each file in a child of one process of its own."""
    command = [sys.executable, "-m", "support.hostileonnx", *map(str, files)]
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    outcome = subprocess.run(
        command,
        input=json.dumps({"budget": budget_bytes}),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    trials = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert len(trials) == len(files), outcome.stderr[-2000:]
    return [Trial(**{**each, "opened": tuple(each["opened"])}) for each in trials]


def main() -> None:
    budget_bytes = json.loads(sys.stdin.read())["budget"]
    import ftdist.runtime.model_import
    from ftdist.network.onnx import importer

    assert importer and ftdist
    for file in sys.argv[1:]:
        print(json.dumps(_trial(Path(file), budget_bytes)), flush=True)


def _trial(file: Path, budget_bytes: int) -> dict[str, Any]:
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            _import(file, budget_bytes, writing)
        finally:
            os._exit(70)
    os.close(writing)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(HANGS_S)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    signal.alarm(0)
    told = json.loads(text) if text else {"status": None, "said": "", "peak_bytes": 0, "opened": []}
    return {"file": file.name, "seconds": time.monotonic() - started, **told}


def _import(file: Path, budget_bytes: int, writing: int) -> None:
    """In the child: imports the file as `run` does, and says what happened."""
    from ftdist.errors import FtdistError
    from ftdist.runtime.budget.limits import Budget
    from ftdist.runtime.budget.memory import peak_resident_bytes, resident_bytes
    from ftdist.runtime.imported import _imported

    target = file.with_name(f"{file.name}.ftd")
    outside: list[str] = []
    sys.addaudithook(lambda event, given: _note(event, given, file, outside))
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_bytes()
    status, said = 0, ""
    try:
        _imported(file, target, None, None, Budget(budget_bytes, "--mem", ""), 0)
    except FtdistError as error:
        status, said = error.exit_status, str(error)
    except BaseException as error:
        status, said = 1, repr(error)
    told = {
        "status": status,
        "said": said,
        "peak_bytes": peak_resident_bytes() - before,
        "opened": outside[:9],
    }
    with os.fdopen(writing, "w") as pipe:
        pipe.write(json.dumps(told))
    os._exit(0)


_OWN = (sys.prefix, sys.base_prefix, str(ROOT / "ftdist"), str(ROOT / "tests"), "/proc/", "/sys/")


def _note(event: str, given: tuple[Any, ...], file: Path, outside: list[str]) -> None:
    if event != "open" or not isinstance(given[0], str | bytes):
        return
    path = os.path.realpath(os.fsdecode(given[0]))
    if not path.startswith((str(file.resolve().parent), *_OWN)) and "site-packages" not in path:
        outside.append(path)


def crafted(folder: Path) -> list[Path]:
    """Files that claim what is not so, in a folder of their own; a secret lies beside it."""
    folder.mkdir()
    secret = folder.parent / "secret.bin"
    secret.write_bytes(b"secret" * 1000)
    (folder / "link.bin").symlink_to(secret)
    (folder / "loop.bin").symlink_to("loop.bin")
    (folder / "short.bin").write_bytes(b"1234")
    files = []
    for name, model in _models(secret):
        path = folder / f"{name}.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        files.append(path)
    return files


def _models(secret: Path) -> Iterator[tuple[str, Any]]:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])

    def model(nodes: list[Any], constants: Sequence[Any] = (), given: Any = x) -> Any:
        end = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(nodes, "g", [given], [end], list(constants))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])

    def whole(name: str, values: Any) -> Any:
        return numpy_helper.from_array(np.asarray(values, np.int64), name)

    conv = helper.make_node("Conv", ["x", "w"], ["y"])
    for name, dims in (
        ("huge_shape", [1 << 40, 3, 3, 3]),
        ("overflowing_shape", [1 << 62, 1 << 62, 4, 4]),
        ("negative_shape", [-1, 3, 3, 3]),
        ("many_dims", [1] * 5000),
    ):
        weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"1234")
        yield name, model([conv], [weights])
    for name, location, told in (
        ("outside", "../secret.bin", {}),
        ("absolute", str(secret), {}),
        ("linked", "link.bin", {}),
        ("looped", "loop.bin", {}),
        ("proc", "/proc/self/environ", {}),
        ("negative_offset", "short.bin", {"offset": "-4"}),
        ("huge_offset", "short.bin", {"offset": str(1 << 70)}),
        ("no_number", "short.bin", {"offset": "four"}),
        ("short", "short.bin", {}),
        ("missing", "nowhere.bin", {}),
        ("other_length", "short.bin", {"length": "4"}),
        ("folder", ".", {}),
        ("no_name", "", {}),
        ("nul", "a\\0b", {}),
    ):
        weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3, 3, 3])
        weights.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location.replace("\\0", "\0"), **told}.items():
            weights.external_data.add(key=key, value=value)
        yield f"external_{name}", model([conv], [weights])
    for name, size in (("wide_input", 1 << 40), ("large_input", 1 << 15)):
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])
        yield name, model([helper.make_node("Relu", ["x"], ["y"])], (), given)
    yield "cycle", model(
        [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"]),
         helper.make_node("Relu", ["b"], ["y"])]
    )  # fmt: skip
    yield "itself", model([helper.make_node("Add", ["x", "y"], ["y"])])
    chain = [
        helper.make_node("Relu", [f"v{n}" if n else "x"], [f"v{n + 1}"]) for n in range(99_998)
    ]
    ends = helper.make_node("Relu", ["v99998"], ["y"])
    yield "hundred_thousand_nodes", model([*chain, ends])
    yield "more_nodes_than_that", model([*chain, ends, ends, ends])
    sigmoids = [
        helper.make_node("Sigmoid", [f"v{n}" if n else "x"], [f"v{n + 1}"]) for n in range(20_000)
    ]
    yield "twenty_thousand_layers", model([*sigmoids, helper.make_node("Neg", ["v20000"], ["y"])])
    yield "many_ranges", model(
        [helper.make_node("Range", ["zero", "many", "one"], [f"r{n}"]) for n in range(400)]
        + [helper.make_node("Concat", [f"r{n}" for n in range(400)], ["all"], axis=0),
           helper.make_node("Add", ["x", "all"], ["y"])],
        [whole("zero", 0), whole("many", 1 << 26), whole("one", 1)],
    )  # fmt: skip
    yield "doubling", model(
        [helper.make_node("Concat", [f"d{n}"] * 2, [f"d{n + 1}"], axis=0) for n in range(60)]
        + [helper.make_node("Add", ["x", "d60"], ["y"])],
        [whole("d0", [1])],
    )  # fmt: skip
    yield (
        "tiled",
        model(
            [
                helper.make_node("Tile", ["w", "n"], ["t"]),
                helper.make_node("Add", ["x", "t"], ["y"]),
            ],
            [whole("w", [[1]]), whole("n", [1 << 40, 1 << 40])],
        ),
    )
    yield (
        "resized",
        model(
            [helper.make_node("Resize", ["x", "", "s"], ["y"])],
            [numpy_helper.from_array(np.array([1, 1, 1e9, 1e9], np.float32), "s")],
        ),
    )
    yield (
        "padded",
        model([helper.make_node("Pad", ["x", "p"], ["y"])], [whole("p", [0, 0, 1 << 40, 0] * 2)]),
    )
    yield "claimed_weights", model(
        [helper.make_node("ConstantOfShape", ["s"], ["w"]),
         helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "w"], ["y"])],
        [whole("s", [192, 60_000])],
    )  # fmt: skip
    yield "nested", _nested(50)
    yield "nested_deeply", _nested(5000)
    yield "nothing", b""
    yield "empty_nodes", _field(7, b"\x0a\x00" * 3_000_000)
    yield "endless_length", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
    yield "text", b"onnx" * 1000


def _field(number: int, content: bytes) -> bytes:
    """A field of the wire format that has a length."""
    size, told = len(content), bytearray()
    while True:
        told.append(size & 127 | (128 if size > 127 else 0))
        size >>= 7
        if not size:
            return bytes([number << 3 | 2, *told]) + content


def _nested(depth: int) -> bytes:
    """Ifs within Ifs: model.graph.node.attribute.g.node.attribute.g ..."""
    graph = _field(12, _field(1, b"y"))
    for _ in range(depth):
        branch = _field(1, b"then_branch") + _field(6, graph) + b"\xa0\x01\x05"
        node = _field(1, b"x") + _field(2, b"y") + _field(4, b"If") + _field(5, branch)
        graph = _field(1, node) + _field(12, _field(1, b"y"))
    return b"\x08\x08" + _field(7, graph) + _field(8, b"\x10\x11")


if __name__ == "__main__":
    main()
