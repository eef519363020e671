"""What the session of a run of several inputs holds between them, and what is left at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from ftdist.cli.files.frames import Frames

AS_IT_DRAWS = """
import sys
from ftdist.cli.reports import run_results
from ftdist.cli.main import main

write_picture = run_results.write_picture

def noted(*arguments):
    with open("/proc/self/maps") as maps:
        print("mapped" if "detector.ftd" in maps.read() else "gone", file=sys.stderr)
    return write_picture(*arguments)

run_results.write_picture = noted
main(sys.argv[1:])
"""


class Told:
    """A session, or a queue, that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def rest(self) -> None:
        self.calls.append("rest")

    def close(self) -> None:
        self.calls.append("close")


@pytest.mark.parametrize(("keeps", "between"), [(True, []), (False, ["rest"])])
def test_memory_is_given_back_between_inputs_where_the_budget_needs_it(
    keeps: bool, between: list[str]
) -> None:
    session = Told()

    def at_end(latencies: list[float]) -> None:
        session.calls.append("report")

    with Frames(cast(Any, None), cast(Any, session), 1, at_end, keeps=keeps) as frames:
        frames.rest(over=False)
        assert session.calls == between
        frames.rest(over=True)
        assert session.calls == [*between, "close", "report"]
        frames.rest(over=True)
    assert session.calls == [*between, "close", "report"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="maps are read from Linux's /proc")
def test_a_models_weights_are_gone_when_its_result_is_drawn(things: Path, tmp_path: Path) -> None:
    """They may be the larger part of what the run held, and are not counted after it."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    images.new("RGB", (64, 48)).save(tmp_path / "photo.jpg")
    model = str(things / "detector.ftd")
    command = [sys.executable, "-c", AS_IT_DRAWS, "run", model, "photo.jpg"]
    command += ["-o", "found.jpg"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "gone" in done.stderr.splitlines()
    assert (tmp_path / "found.jpg").exists()
