"""The budget is a promise: no process exceeds it, and the prediction is close to what is measured.

Every figure here is of a fresh process, and the one that counts is the system's own account of it,
taken when the process has ended.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import (
    COUNT_ERROR_BYTES,
    Outcome,
    assert_refused,
    ftdist_command,
    measured_ftdist,
)
from support.smallmodels import random_image

from ftdist.runtime.budget.memory import MIB, parse_size

LEAST = "28673K"
"""The smallest budget that is looked at: less holds not even the interpreter and numpy."""


@pytest.fixture(scope="module")
def image608(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "image.npy"
    np.save(path, random_image(608))
    return path


def run_within(folder: Path, mem: str, *arguments: object) -> dict[str, Any]:
    """Runs under a budget, holds the process to it, and returns the report."""
    command = ("run", *arguments, "--mem", mem, "--json", "report.json")
    outcome = measured_ftdist(*command, folder=folder)
    assert outcome.status == 0, outcome
    assert outcome.peak_bytes <= parse_size(mem)
    report = json.loads((folder / "report.json").read_text())
    assert report["predicted"]["peak_bytes"] <= parse_size(mem)
    assert outcome.peak_bytes <= report["predicted"]["peak_bytes"] + COUNT_ERROR_BYTES
    # what the program says of itself is what the system says: all but its own end is behind it
    less = abs(outcome.peak_bytes - report["measured"]["peak_bytes"])
    assert less <= MIB // 2 + COUNT_ERROR_BYTES
    return report


@pytest.mark.parametrize("threads", [1, 2])
def test_the_prediction_for_yolov2_is_within_a_twentieth(
    first16_file: Path, image608: Path, tmp_path: Path, threads: int
) -> None:
    arguments = (first16_file, image608, "-o", "out.npy", "--threads", threads)
    report = run_within(tmp_path, "64M", *arguments)
    predicted, peak = report["predicted"]["peak_bytes"], report["measured"]["peak_bytes"]
    assert 0.99 * peak <= predicted <= 1.05 * peak + MIB
    assert report["plan"]["threads"] == threads


def named(outcome: Outcome) -> str:
    """The budget that an error names, as it is printed."""
    assert_refused(outcome, 3, " needs ")
    return outcome.err.split(" needs ")[1].split(",", maxsplit=1)[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_smallest_budget_that_an_error_names_is_enough_for_yolov2(
    first16_file: Path, image608: Path, tmp_path: Path, threads: int
) -> None:
    arguments = (first16_file, image608, "-o", "out.npy", "--threads", threads)
    smallest = named(ftdist_command("run", *arguments, "--mem", "29M", folder=tmp_path))
    assert list(tmp_path.iterdir()) == []
    report = run_within(tmp_path, smallest, *arguments)
    assert parse_size(smallest) <= report["measured"]["peak_bytes"] + 3 * MIB


def test_an_input_that_must_be_copied_is_counted_once_it_is(
    first16_file: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "image.npy", np.asfortranarray(random_image(608)))
    arguments = (first16_file, "image.npy", "--threads", 1)
    outcome = ftdist_command("run", *arguments, "--mem", "29M", folder=tmp_path)
    run_within(tmp_path, named(outcome), *arguments)


@pytest.mark.parametrize(
    ("model", "given", "output"),
    [
        ("chain", "image.npy", "out.npy"),
        ("two", "image.npy", "out.npz"),
        ("chain", "picture.png", "out.npy"),
        ("detector", "image.npy", "out.npy"),
        ("detector", "photo.png", "out.npz"),
        ("detector", "photo.png", "out.png"),
        ("detector", "photo.png", "out.jpg"),
    ],
)
def test_the_smallest_budget_that_an_error_names_is_enough(
    things: Path, tmp_path: Path, model: str, given: str, output: str
) -> None:
    """Reading, detecting and drawing count too: the first budget named is the last one needed."""
    arguments = (things / f"{model}.ftd", things / given, "-o", output)
    outcome = ftdist_command("run", *arguments, "--mem", LEAST, folder=tmp_path)
    smallest = named(outcome) if outcome.status else LEAST
    assert outcome.status == 0 or list(tmp_path.iterdir()) == []
    run_within(tmp_path, smallest, *arguments)
    assert (tmp_path / output).exists()


MUCH, NOTHING = ("--thresh", "0", "--nms", "1"), ("--thresh", "0.9999")
"""Options with which 500 objects are found in noise, and none."""


@pytest.mark.parametrize("more", [(), MUCH, NOTHING])
@pytest.mark.parametrize(
    ("output", "size"), [("jpg", (2000, 1500)), ("png", (2000, 1500)), ("jpg", (12000, 900))]
)
def test_a_drawn_picture_is_predicted_closely(
    things: Path, tmp_path: Path, output: str, size: tuple[int, int], more: tuple[str, ...]
) -> None:
    """Session, input and candidates are gone when drawing begins, however much is found: laying
    many labels out takes code, painting them data, never both."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    images.effect_noise(size, 60).convert("RGB").save(tmp_path / "photo.jpg")
    arguments = (things / "detector.ftd", "photo.jpg", "-o", f"found.{output}", *more)
    report = run_within(tmp_path, "64M", *arguments)
    peak = report["measured"]["peak_bytes"]
    assert report["predicted"]["peak_bytes"] <= 1.05 * peak + MIB


@pytest.mark.parametrize(("size", "more"), [("96M", ()), ("46M", ()), ("96M", MUCH)])
def test_a_photo_decoded_whole_is_drawn_as_was_predicted(
    things: Path, tmp_path: Path, size: str, more: tuple[str, ...]
) -> None:
    """Coefficients are gone when bands are drawn; where there is less room the photo is smaller."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    photo = images.effect_noise((1800, 1400), 60).convert("RGB")
    photo.save(tmp_path / "photo.jpg", progressive=True)
    arguments = (things / "detector.ftd", "photo.jpg", "-o", "found.jpg", *more)
    report = run_within(tmp_path, size, *arguments)
    peak, predicted = (report[each]["peak_bytes"] for each in ("measured", "predicted"))
    assert predicted - MIB <= 1.05 * peak <= 1.05 * predicted
    assert peak + COUNT_ERROR_BYTES <= predicted or not more
    with images.open(tmp_path / "found.jpg") as found:
        assert (found.size == photo.size) == (size == "96M")


def test_several_drawn_pictures_are_predicted_closely(things: Path, tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    (tmp_path / "photos").mkdir()
    for name, size in (("a.png", (300, 200)), ("b.jpg", (2000, 1500)), ("c.jpg", (640, 480))):
        images.effect_noise(size, 60).convert("RGB").save(tmp_path / "photos" / name)
    report = run_within(tmp_path, "64M", things / "detector.ftd", "photos", "-o", "found")
    peak = report["measured"]["peak_bytes"]
    assert report["predicted"]["peak_bytes"] <= 1.05 * peak + MIB


def test_a_named_plan_that_does_not_fit_names_what_it_needs(
    first16_file: Path, image608: Path, tmp_path: Path
) -> None:
    arguments = (first16_file, image608, "--tiling", "3x3/8/2x2", "--threads", 1)
    outcome = ftdist_command("run", *arguments, "--mem", "40M", folder=tmp_path)
    assert_refused(outcome, 3, "3x3/8/2x2", "40.0 MiB (--mem)")
    report = run_within(tmp_path, named(outcome), *arguments)
    assert report["plan"]["notation"] == "3x3/8/2x2"


def test_a_photo_too_large_to_read_is_refused_before_it_is(things: Path, tmp_path: Path) -> None:
    """Its decoder would need what the process may not have."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    images.new("RGB", (6000, 4000)).save(tmp_path / "large.jpg", progressive=True)
    arguments = ("run", things / "detector.ftd", "large.jpg", "--mem", "64M")
    outcome = measured_ftdist(*arguments, folder=tmp_path)
    assert_refused(outcome, 3, "the picture does not fit 64.0 MiB (--mem)", "the plan ", " alone ")
    assert outcome.peak_bytes < 48 * MIB
