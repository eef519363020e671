"""`run --trace`: a time line of the run's tiles, and files that it refuses before any work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import Outcome, ftdist_command
from support.timelines import assert_no_span_crosses_another

Refused = Callable[..., Outcome]


def test_a_time_line_has_every_tile_of_every_run(things: Path, tmp_path: Path) -> None:
    trace = tmp_path / "t.json"
    for repeat in (3, 2):  # the second takes the place of the first
        outcome = ftdist_command(
            *("run", things / "chain.ftd", things / "image.npy", "--trace", trace),
            *("--tiling", "3x2s4/2/1x1", "--threads", 2, "--repeat", repeat),
            folder=tmp_path,
        )
        assert outcome.status == 0, outcome
        found = json.loads(trace.read_text())
        tasks = [each["name"] for each in found if each.get("cat") == "task"]
        where = f"{things / 'image.npy'}: layers"
        wanted = [f"{where} 0..1 3x2s4 tile {tile}" for tile in range(6)]
        others = [each["name"] for each in found if each.get("cat") in ("read", "plan")]
        assert others == ["read the first input", "plan for chain"]
        assert sorted(tasks) == sorted(repeat * [*wanted, f"{where} 2..3 1x1 tile 0"])
        named = {
            what: {each["args"]["name"] for each in found if each["name"] == f"{what}_name"}
            for what in ("process", "thread")
        }
        # On a busy machine one of the two threads may have computed all of them.
        assert "ftdist" in named["process"]
        assert set() < named["process"] - {"ftdist"} <= {"thread 0", "thread 1"}
        assert "computing" in named["thread"]
        assert named["thread"] <= {"computing", "waiting", "reading", "planning"}
        assert_no_span_crosses_another(trace)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("absent/t.json", "absent is not a folder"),
        (".", "not a regular file"),
        ("/dev/full", "not a regular file"),
        ("model.ftd", "it is there and is not a timeline"),
    ],
)
def test_what_cannot_be_written_is_said_before_any_work(
    things: Path, tmp_path: Path, refused: Refused, path: str, words: str
) -> None:
    model = tmp_path / "model.ftd"
    model.write_bytes((things / "chain.ftd").read_bytes())
    # Work would begin with the input: that it is absent is not what is said.
    outcome = refused("run", model, "absent.npy", "--trace", path, words=("cannot write", words))
    assert path in outcome.err
    assert model.read_bytes() == (things / "chain.ftd").read_bytes()
