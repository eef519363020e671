"""`ftdist run --bands` of a detector: the objects are those of the run as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import ftdist_command

import ftdist

DEMO = Path(ftdist.__file__).parent / "demo"


def test_objects_are_the_same_in_bands_and_as_a_whole(tmp_path: Path) -> None:
    """The network's sides are the picture's, rounded up: nothing is resized, nor in the middle."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    with images.open(DEMO / "scene.jpg") as scene:
        large = images.new("RGB", (1081, 1043), (90, 120, 60))
        large.paste(scene, (31, 7))
    large.save(tmp_path / "scene.png")
    brought = ("--weights", DEMO / "detector.weights", "--size", "1056x1088", "-o", "m.ftd")
    assert ftdist_command("import", DEMO / "detector.cfg", *brought, folder=tmp_path).status == 0
    found = {}
    for bands in ("never", "always"):
        words = ("--bands", bands, "-o", f"{bands}.json", "--format", "json", "--threads", "1")
        outcome = ftdist_command("run", "m.ftd", "scene.png", *words, folder=tmp_path)
        assert outcome.status == 0, outcome
        (found[bands],) = json.loads((tmp_path / f"{bands}.json").read_text())
    assert len(found["always"]["detections"]) > 10
    assert found["always"]["detections"] == found["never"]["detections"]
