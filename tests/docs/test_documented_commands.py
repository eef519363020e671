"""What README and documents say to type is typed, in order, in a folder that holds what they name.

What cannot be typed here is listed with its reason; whatever is neither run nor listed fails.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.command import GUARD_S, environment
from support.documented import ROOT
from support.smallmodels import write_small_model

from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.parameters import random_parameters

DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]

ELSEWHERE = {
    r"launch/": "scripts: tests/launch, and this suite itself",
    r"ftdist demo": "tests/test_demo_detector.py",
    r"ftdist calibrate": "tests/cli/commands/test_calibrate_command.py",
    r"ftdist coordinator net.ftd (--page|--mem)|ftdist .*--page ": "tests/page",
    r".*--announce|ftdist worker --mem 128M --keys pi2": "tests/cluster/test_mdns.py",
    r"ftdist (coordinator|worker|submit) --config": "addresses of an example: only parsed",
    r"ftdist (worker|submit|status) .*FIRST|ftdist coordinator|ftdist keygen|scp ": (
        "test_the_cluster_of_the_readme"
    ),
    r"ftdist watch": "docs/tutorials/camera.md, typed by tests/docs/test_tutorials.py",
    r".*--on dask": "tests/dask",
    r"ftdist plan upscaler.onnx --size 20000": "takes a large plan's time: with 2000x2000 below",
    r".*pip install|python3 -m venv|export PATH|sudo apt|source <": "installs; tests/launch",
    r"pytest|~/ftdist/bin/python benchmarks": "for contributors, as CI does",
}
"""Lines that are not run here, and where something does the same."""

_SHELL = re.compile(r"(ftdist |launch|pip|python3|export|sudo|source|scp|camera|find|pytest)\b|~/")

NET = "[net]\nwidth=64\nheight=64\nchannels=3\n" + (
    "[convolutional]\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=leaky\n" * 9
    + "[maxpool]\nsize=4\nstride=4\n"
    + "[convolutional]\nfilters=14\nsize=1\nstride=1\npad=1\nactivation=linear\n"
    + "[yolo]\nmask=0,1\nanchors=10,14, 23,27\nclasses=2\nnum=2\n"
)


def typed(name: str) -> list[str]:
    """The commands in a document's indented blocks, comments behind them left out."""
    lines = (ROOT / name).read_text().splitlines()
    code = (line[4:].partition("  #")[0].rstrip() for line in lines if line.startswith("    "))
    return [line for line in code if _SHELL.match(line)]


def is_elsewhere(line: str) -> bool:
    return any(re.match(pattern, line) for pattern in ELSEWHERE)


def write_upscaler(path: Path) -> None:
    """An ONNX file that doubles pictures of any size."""
    helper = pytest.importorskip("onnx.helper", reason="ONNX files need onnx")
    weights = np.zeros((12, 3, 3, 3), np.float32)
    for out in range(12):
        weights[out, out // 4, 1, 1] = 1.0  # depth to space takes channels of a colour together
    number = helper.make_tensor("weights", 1, weights.shape, weights.tobytes(), raw=True)
    nodes = [
        helper.make_node("Conv", ["input", "weights"], ["deep"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["deep"], ["output"], blocksize=2, mode="CRD"),
    ]
    sides = (("input", ["n", 3, "h", "w"]), ("output", ["n", 3, "h2", "w2"]))
    given, made = (helper.make_tensor_value_info(name, 1, dims) for name, dims in sides)
    graph = helper.make_graph(nodes, "upscaler", [given], [made], [number])
    opset = [helper.make_opsetid("", 13)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the documents' commands name."""
    image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    made = tmp_path / "documented"
    picture = image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 30).convert("RGB")
    for name in ("photos", "archive/below", "frames", "bin"):
        (made / name).mkdir(parents=True)
    for name in (
        "photo.jpg",
        "photos/1.jpg",
        "photos/2.jpg",
        "archive/below/1.jpg",
        "frames/1.png",
    ):
        picture.save(made / name)
    (made / "last-run").touch()
    os.utime(made / "last-run", (0, 0))
    picture.save(made / "scan.tif")
    np.save(made / "input.npy", np.random.default_rng(1).random((3, 608, 608), np.float32))
    (made / "net.cfg").write_text(NET)
    write_weights(made / "net.weights")
    write_small_model(made / "net.ftd", NET, labels=("left", "right"))
    for name in ("model", "net", "upscaler", "denoiser"):
        write_upscaler(made / f"{name}.onnx")
    program = made / "bin" / "ftdist"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -P -m ftdist "$@"\n')
    program.chmod(0o755)
    return made


def write_weights(path: Path) -> None:
    """Darknet's file of random weights for NET."""
    network = parse_cfg(NET, "net").network
    with path.open("wb") as file:
        file.write(np.array([0, 2, 0, 0, 0], np.int32).tobytes())
        for each in random_parameters(network, 1):
            file.write(each.bias.tobytes() + each.weights.tobytes())


def bash(lines: list[str], folder: Path) -> str:
    """What lines print in a shell that ends at the first that fails, and stops what it began."""
    path = f"{folder / 'bin'}:{environment()['PATH']}"
    trap = "trap 'ended=$?; begun=$(jobs -p); [ -z \"$begun\" ] || kill $begun; exit $ended' EXIT"
    done = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", trap, *lines])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        cwd=folder,
        env=environment(HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache"), PATH=path),
        text=True,
        timeout=GUARD_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_of_a_document(name: str, folder: Path) -> None:
    lines = [line for line in typed(name) if not is_elsewhere(line)]
    lines = [
        re.sub(r"^camera ", "cat photo.jpg ", line).replace("/archive", "archive") for line in lines
    ]
    if lines:
        bash([f"set -x\n{line}" for line in lines], folder)


def test_every_reason_is_of_a_line() -> None:
    lines = [line for name in DOCUMENTS for line in typed(name)]
    assert [
        pattern for pattern in ELSEWHERE if not any(re.match(pattern, line) for line in lines)
    ] == []
    assert sum(not is_elsewhere(line) for line in lines) > 25


def test_a_large_plan(folder: Path) -> None:
    (line,) = [line for line in typed("README.md") if line.startswith("ftdist plan upscaler")]
    bash([line.replace("20000x20000", "2000x2000")], folder)


def test_the_cluster_of_the_readme(folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lines = [
        line.replace("FIRST:5555", f"127.0.0.1:{port}").replace("0.0.0.0:5555", f"127.0.0.1:{port}")
        for line in typed("README.md")
        if re.match(r"scp|ftdist (keygen|coordinator .*--listen|worker|submit|status)", line)
    ]
    kinds = [shlex.split(line)[1] for line in lines]
    assert kinds == ["keygen", "-r", "coordinator", "worker", "submit", "status"]
    lines = [re.sub(r"^scp -r (\S+) (\S+):$", r"cp -r \1 \2", line) for line in lines]
    serving = [
        f"{line} &" if kind in ("coordinator", "worker") else line
        for kind, line in zip(kinds, lines, strict=True)
    ]
    said = bash(serving, folder)
    assert "pi2" in said and len(list((folder / "results").iterdir())) >= 2, said
