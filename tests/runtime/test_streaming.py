"""Weights from the file instead of from memory: the same bits, a bound that holds, and an error
when the file is cut short under a run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from support.command import Outcome, measured, measured_ftdist
from support.networks import cut_networks, model_of, random_input
from support.smallmodels import CHAIN, random_image, write_small_model

from ftdist.errors import FtdistError
from ftdist.network.graph import Network
from ftdist.network.modelfile import load
from ftdist.planning.plan import Plan, parse_notation
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.local import Session

HEAVY = """[net]
width=16
height=16
channels=3
[convolutional]
filters=512
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=1024
size=3
stride=1
pad=1
activation=leaky
[convolutional]
filters=512
size=3
stride=1
pad=1
activation=leaky
[convolutional]
filters=16
size=1
stride=1
activation=linear
"""
"""36 MiB of weights, small maps."""


@settings(max_examples=60)
@given(cut_networks())
def test_streamed_plans_give_the_bits_of_resident_ones(case: tuple[Network, Plan]) -> None:
    network, plan = case
    model, image = model_of(network), random_input(network)

    def outputs(threads: int, streamed: bool) -> dict[str, np.ndarray]:
        groups = tuple(replace(group, streamed=streamed) for group in plan.groups)
        with Session(model, Plan(groups, threads)) as session:
            return session.run(image)

    resident = outputs(1, streamed=False)
    for threads in (1, 2, 3):
        for name, array in outputs(threads, streamed=True).items():
            np.testing.assert_array_equal(array.view(np.uint32), resident[name].view(np.uint32))


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with heavy.ftd and its input."""
    folder = tmp_path_factory.mktemp("heavy")
    model = load(write_small_model(folder / "heavy.ftd", HEAVY))
    assert model.weight_bytes > 36 * MIB
    np.save(folder / "image.npy", random_image(16))
    return folder


@pytest.mark.parametrize(
    ("tiling", "threads", "least"),
    [("1x1", 1, 36), ("1x1w", 1, 0), ("2x1w", 2, 0), ("1x1s2w", 1, 0), ("1x1w/2/1x1", 1, 18)],
)
def test_the_peak_of_streamed_plans_is_predicted(
    heavy: Path, tmp_path: Path, tiling: str, threads: int, least: int
) -> None:
    """`least`: MiB of weights that stay; the whole process holds them and little else."""
    run = ("run", heavy / "heavy.ftd", heavy / "image.npy", "--tiling", tiling)
    options = ("--threads", threads, "--repeat", 2, "--json", "report.json")
    outcome = measured_ftdist(*run, *options, folder=tmp_path)
    assert outcome.status == 0, outcome
    report = json.loads((tmp_path / "report.json").read_text())
    predicted, peak = report["predicted"]["peak_bytes"], report["measured"]["peak_bytes"]
    assert peak <= predicted <= 1.03 * peak + MIB
    assert least * MIB <= report["predicted"]["parts"]["weights"] <= (least + 1) * MIB
    assert ("weights    streamed from the page cache" in outcome.out) == (least < 36)


@pytest.mark.parametrize("size", [0, 5000, -1])
@pytest.mark.parametrize("tiling", ["1x1", "1x1w"])
def test_a_model_file_cut_short_between_runs_is_an_error(
    tmp_path: Path, tiling: str, size: int
) -> None:
    model = load(write_small_model(tmp_path / "chain.ftd", CHAIN))
    with Session(model, parse_notation(tiling, model.network)) as session:
        expected = session.run(random_image(64))
        os.truncate(model.path, size % len(model.weights))
        with pytest.raises(FtdistError, match=r"chain.ftd: was cut short; import the model again"):
            session.run(random_image(64))
        assert expected


def test_a_model_file_that_is_deleted_or_replaced_serves_on(tmp_path: Path) -> None:
    """The open file is another one than whatever has its name."""
    model = load(write_small_model(tmp_path / "chain.ftd", CHAIN))
    with Session(model, parse_notation("1x1w/2/1x1", model.network)) as session:
        expected = session.run(random_image(64))
        model.path.unlink()
        again = session.run(random_image(64))
        write_small_model(tmp_path / "chain.ftd", CHAIN, seed=2)
        once_more = session.run(random_image(64))
    for name, array in expected.items():
        np.testing.assert_array_equal(again[name], array)
        np.testing.assert_array_equal(once_more[name], array)


_CUT_SHORT = """
import os, sys
from ftdist.cli.main import main
from ftdist.kernels import native
(owner, _, name), path = sys.argv[1].rpartition("."), sys.argv[2]
where = getattr(native, owner) if owner else native
real = getattr(where, name)
def cut(*arguments):
    os.truncate(path, 4096)
    return real(*arguments)
setattr(where, name, cut)
sys.exit(main(["run", *sys.argv[3:]]))
"""
"""The command line, in which a file shrinks just before native kernels read it."""


def cut_short(folder: Path, function: str, name: str, *more: object) -> Outcome:
    """`ftdist run heavy.ftd image.npy`, with one of them cut short under its hands."""
    command = (sys.executable, "-c", _CUT_SHORT, function, name, "heavy.ftd", "image.npy", *more)
    return measured(*command, folder=folder)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("function", "tiling"),
    [("NativeSteps.begin", "2x1"), ("NativeSteps.begin", "2x1w"), ("touch", "2x1")],
)
def test_a_model_file_cut_short_during_a_run_is_one_line_and_no_signal(
    heavy: Path, tmp_path: Path, function: str, tiling: str, threads: int
) -> None:
    """Mapped weights would end the process with a bus error, streamed ones are a short read."""
    for name in ("heavy.ftd", "image.npy"):
        (tmp_path / name).write_bytes((heavy / name).read_bytes())
    options = ("--tiling", tiling, "--threads", threads)
    outcome = cut_short(tmp_path, function, "heavy.ftd", *options)
    assert (outcome.status, outcome.out) == (1, ""), outcome
    assert outcome.err.startswith("ftdist: the model file was cut short while it was in use")
    assert outcome.err.count("\n") == 1


def test_an_input_cut_short_during_a_run_is_one_line_too(tmp_path: Path) -> None:
    write_small_model(tmp_path / "heavy.ftd", CHAIN)
    np.save(tmp_path / "image.npy", random_image(64))
    outcome = cut_short(tmp_path, "NativeSteps.begin", "image.npy")
    assert (outcome.status, outcome.out) == (1, ""), outcome
    assert outcome.err == "ftdist: the input file was cut short, or its disk fails\n"


_FOREIGN = """
import mmap, os, sys
import numpy as np
from ftdist.kernels import native
with open("file", "wb+") as file:
    file.truncate(1 << 16)
    mapped = mmap.mmap(file.fileno(), 0)
    native.touch(np.frombuffer(mapped, np.uint8), 0, 1 << 16)
    file.truncate(0)
    try:
        native.touch(np.frombuffer(mapped, np.uint8), 0, 1 << 16)
    except native.FtdistError:
        print("caught", flush=True)
    {}
"""


@pytest.mark.parametrize("act", ["mapped[5000]", "os.kill(os.getpid(), 7)"])
@pytest.mark.parametrize("flags", [("-B",), ("-X", "faulthandler")])
def test_bus_errors_of_others_are_left_to_them(
    tmp_path: Path, act: str, flags: tuple[str, ...]
) -> None:
    outcome = measured(sys.executable, *flags, "-c", _FOREIGN.format(act), folder=tmp_path)
    assert outcome.out == "caught\n"
    assert outcome.status == -signal.SIGBUS % 256
    assert ("Fatal Python error: Bus error" in outcome.err) == ("faulthandler" in flags)
