"""The smallest budget that a refusal names works when it is given back: whoever is asked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from support.command import assert_refused, environment, ftdist_command, measured_ftdist
from support.smallmodels import random_image, write_small_model

from ftdist.network.modelfile import load
from ftdist.runtime.budget.memory import parse_size

LEAST = "28673K"


def named(error: str) -> str:
    """The budget that a refusal names."""
    match = re.search(r"(?:needs|give it|try) ([0-9]+[KM])\b", error)
    assert match, error
    return match[1]


@some.composite
def texts(draw: some.DrawFn) -> str:
    """A network that needs some MiB: convolutions, pools, sums and joins of maps, large enough."""
    size = draw(some.sampled_from([192, 256, 384]))
    parts = [f"[net]\nwidth={size}\nheight={size}\nchannels=3\n"]
    for _ in range(draw(some.integers(3, 40))):
        filters = draw(some.sampled_from([8, 32, 96]))
        kernel = draw(some.sampled_from([1, 3, 5]))
        parts.append(
            f"[convolutional]\nfilters={filters}\nsize={kernel}\npad=1\nactivation=leaky\n"
        )
        more = draw(some.sampled_from(["", "", "", "shortcut", "pool"]))
        if more == "shortcut":
            parts.append(f"[convolutional]\nfilters={filters}\nsize=3\npad=1\nactivation=linear\n")
            parts.append("[shortcut]\nfrom=-2\nactivation=linear\n")
        elif more == "pool" and size >= 64:
            parts.append("[maxpool]\nsize=2\nstride=2\n")
            size //= 2
    return "\n".join(parts)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(text=texts(), plan=some.sampled_from([None, None, "1x1", "1x1s1", "1x1s3w"]))
def test_of_run_and_plan(
    tmp_path_factory: pytest.TempPathFactory, text: str, plan: str | None
) -> None:
    folder = tmp_path_factory.mktemp("smallest")
    path = write_small_model(folder / "m.ftd", text)
    np.save(folder / "in.npy", random_image(load(path).network.input.height))
    options = ("--tiling", plan) if plan else ()
    for command in (("run", "m.ftd", "in.npy"), ("plan", "m.ftd")):
        words = (*command, *options, "--threads", "1", "--mem")
        refused = ftdist_command(*words, LEAST, folder=folder)
        assert refused.status == 3, refused
        smallest = named(refused.err)
        again = measured_ftdist(*words, smallest, folder=folder)
        assert again.status == 0, again
        assert command[0] == "plan" or again.peak_bytes <= parse_size(smallest)


def test_of_worker_and_coordinator(things: Path, tmp_path: Path) -> None:
    for command in (
        ("worker", "tcp://127.0.0.1:1"),
        ("coordinator", things / "chain.ftd", "--listen", "tcp://127.0.0.1:0"),
        ("coordinator", things / "chain.ftd", "--listen", "tcp://127.0.0.1:0", "--threads", "1"),
    ):
        refused = ftdist_command(*command, "--mem", "29M", folder=tmp_path)
        assert_refused(refused, 3)
        words = [sys.executable, "-m", "ftdist", *map(str, command), "--mem", named(refused.err)]
        process = subprocess.Popen(
            words,
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        with process, process.stdout:
            line = process.stdout.readline()
            process.terminate()
        assert "connecting to" in line or "listens" in line, line
