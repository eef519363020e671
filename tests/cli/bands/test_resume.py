"""A run that was killed goes on: the file is that of an unbroken run, and nothing else is left."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from cli.bands.test_bands_option import write_network, write_ppm
from PIL import Image
from support.command import Outcome, ftdist_command, measured

KILLED = 9
_KILLER = """
import os, sys
from ftdist.cli.main import main
from ftdist.large import journal
from ftdist.pictures.rows import partial
from ftdist.pictures.rows.plain import PlainSink
journal._EVERY_S, partial.DURABLE_BYTES = 0.0, 1
left, write = int(sys.argv[1]), PlainSink.write
def counted(self, rows):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    write(self, rows[: max(1, len(rows) // 2)])
    write(self, rows[max(1, len(rows) // 2) :])
PlainSink.write = counted
sys.exit(main(sys.argv[2:]))
"""
"""The command, which ends without a word at one of its writes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    write_network(folder / "grey.onnx", 1, side=7)
    write_ppm(folder / "photo.ppm", 1300, 600)
    bring = "import", "grey.onnx", "--size", "1300x600", "-o", "grey.ftd"
    assert ftdist_command(*bring, folder=folder).status == 0
    outcome = command(folder, "whole.ppm")
    assert outcome.status == 0, outcome
    return folder


def words(target: str, *more: str, photo: str = "photo.ppm") -> list[str]:
    return ["run", "grey.ftd", photo, "-o", target, "--bands", "always",
            "--mem", "44M", *more]  # fmt: skip


def command(folder: Path, target: str, *more: str) -> Outcome:
    return ftdist_command(*words(target, *more), folder=folder)


def hidden(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.startswith(".")]


def test_what_was_killed_at_any_write_goes_on(folder: Path) -> None:
    moments = np.random.default_rng(5).integers(0, 14, 3).tolist()
    for number, writes in enumerate(moments):
        more = ["--resume"] if number else []
        killer = [sys.executable, "-c", _KILLER, writes, *words("made.ppm", *more)]
        assert measured(*killer, folder=folder).status == KILLED
        assert hidden(folder) and not (folder / "made.ppm").exists()
    outcome = command(folder, "made.ppm", "--resume")
    assert outcome.status == 0, outcome
    assert (folder / "made.ppm").read_bytes() == (folder / "whole.ppm").read_bytes()
    assert not hidden(folder)


def test_a_photo_that_is_read_in_order_only_gives_its_colours(folder: Path) -> None:
    """A PNG: what colours want lies below what the first band reads."""
    with Image.open(folder / "photo.ppm") as photo:
        photo.save(folder / "photo.png")
    killer = [sys.executable, "-c", _KILLER, 45, *words("read.ppm", photo="photo.png")]
    assert measured(*killer, folder=folder).status == KILLED
    outcome = ftdist_command(*words("read.ppm", "--resume", photo="photo.png"), folder=folder)
    assert outcome.status == 0, outcome
    assert (folder / "read.ppm").read_bytes() == (folder / "whole.ppm").read_bytes()


def test_another_picture_is_not_gone_on_with(folder: Path) -> None:
    killer = [sys.executable, "-c", _KILLER, 3, *words("other.ppm")]
    assert measured(*killer, folder=folder).status == KILLED
    photo = folder / "photo.ppm"
    photo.write_bytes(photo.read_bytes()[:-3] + bytes(3))
    outcome = command(folder, "other.ppm", "--resume")
    assert outcome.status == 2
    assert "other.ppm: was begun with another" in outcome.err and outcome.err.count("\n") <= 2
    assert command(folder, "other.ppm").status == 0
    assert not hidden(folder)


def test_what_other_kernels_began_is_not_gone_on_with(folder: Path) -> None:
    """Their last digits may differ, and a picture is the work of one version."""
    killer = [sys.executable, "-c", _KILLER, 3, *words("older.ppm")]
    assert measured(*killer, folder=folder).status == KILLED
    (journal,) = folder.glob(".older.ppm.ftdist-run")
    content = json.loads(journal.read_text())
    for older in (content["begun"]["kernels"] - 1, None):
        content["begun"]["kernels"] = older
        if older is None:
            del content["begun"]["kernels"]  # as journals were before
        journal.write_text(json.dumps(content))
        outcome = command(folder, "older.ppm", "--resume")
        assert outcome.status == 2
        assert "older.ppm: was begun with another version of ftdist" in outcome.err
    assert command(folder, "older.ppm").status == 0
    assert not hidden(folder)
