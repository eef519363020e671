"""ftdist in Python, as its newcomers type it: the README's example, paths as inputs, printing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from support.command import PACKAGE, environment, ftdist_command
from support.smallmodels import DETECTOR, random_image, write_small_model

import ftdist

README = PACKAGE / "README.md"
PLENTY = "16G"
"""More than other tests of the same process may have held before: a budget is for all of it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with net.ftd, a detector, photo.jpg and image.npy."""
    write_small_model(tmp_path / "net.ftd", DETECTOR, seed=3, labels=("left", "right"))
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    pixels = np.random.default_rng(0).integers(0, 256, (50, 90, 3), np.uint8)
    images.fromarray(pixels).save(tmp_path / "photo.jpg")
    np.save(tmp_path / "image.npy", random_image(64))
    return tmp_path


def outputs_of(folder: Path, image: object) -> dict[str, np.ndarray]:
    model = ftdist.load(folder / "net.ftd")
    with ftdist.Session(model, ftdist.plan(model, mem=PLENTY)) as session:
        return session.run(image)  # type: ignore[arg-type]


def test_the_readmes_example_runs_as_it_stands(folder: Path) -> None:
    """In a process of its own, for this one holds more than the example's budget."""
    example = r"\n((?:    .*\n|\n)*    import ftdist\n(?:    .*\n|\n)*)"
    found = re.search(example, README.read_text())
    assert found
    program = textwrap.dedent(found[1]) + "\nprint(*outputs)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        check=False,
        cwd=folder,
        env=environment(),
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "") and done.stdout == "yolo3\n"


@pytest.mark.parametrize("name", ["photo.jpg", "image.npy"])
def test_a_path_is_an_input_with_the_bits_of_the_command_line(folder: Path, name: str) -> None:
    done = ftdist_command("run", "net.ftd", name, "-o", "out.npz", folder=folder)
    assert done.status == 0, done
    with np.load(folder / "out.npz") as expected:
        for given in (folder / name, str(folder / name)):
            found = outputs_of(folder, given)
            assert set(found) == set(expected)
            assert all(np.array_equal(found[each], expected[each]) for each in found)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("absent.jpg", "absent.jpg"),
        ("absent.npy", "absent.npy: No such file"),
        ("net.ftd", "net.ftd"),
        ("broken.npy", "broken.npy: no .npy file of numbers"),
        ([[1.0]], "the input is a list; a session takes a NumPy array, or the path of a picture"),
        (None, "the input is a NoneType"),
        (np.zeros((50, 90, 3), np.uint8), "has shape"),
        (np.zeros((3, 64, 64)), "the input is float64"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_input_says_what_to_give(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: object, words: str
) -> None:
    monkeypatch.chdir(folder)
    Path("broken.npy").write_text("hello")
    with pytest.raises(ftdist.InputError) as caught:
        outputs_of(folder, given)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_models_and_plans_print_in_a_line(folder: Path) -> None:
    model = ftdist.load(folder / "net.ftd")
    network, size = model.network, model.network.input
    assert str(model).startswith(f"<Model {folder / 'net.ftd'}: {network.name}, ")
    assert f"input {size.width}x{size.height}x3, " in str(model) and len(str(model)) < 300
    plan = ftdist.plan(model, mem=PLENTY, threads=1)
    assert str(plan) == plan.notation


@pytest.mark.parametrize("name", ["photo.jpg", "image.npy"])
def test_what_is_on_a_picture_in_one_call(folder: Path, name: str) -> None:
    done = ftdist_command("run", "net.ftd", name, "-o", "found.json", folder=folder)
    assert done.status == 0, done
    (picture,) = json.loads((folder / "found.json").read_text())
    model = ftdist.load(folder / "net.ftd")
    with ftdist.Session(model, ftdist.plan(model, mem=PLENTY)) as session:
        found = ftdist.detect(session, folder / name)
        assert ftdist.detect(model, str(folder / name)) == found
        assert len(ftdist.detect(session, folder / name, threshold=0.5)) < len(found)
    assert [each.label for each in found] == [each["label"] for each in picture["detections"]]
    boxes = [list(each["box"].values()) for each in picture["detections"]]
    mine = [[each.x, each.y, each.width, each.height] for each in found]
    np.testing.assert_allclose(mine, boxes, atol=1e-3)


def test_a_model_says_how_pictures_enter_it(folder: Path) -> None:
    """Stretched, kept whole between grey bars, or as the user wants it."""
    from ftdist.network.about import About
    from ftdist.network.modelfile import write_model
    from ftdist.network.parameters import random_parameters

    network = ftdist.load(folder / "net.ftd").network
    for fit in ("stretch", "letterbox"):
        about = About(fit=fit)
        write_model(folder / f"{fit}.ftd", network, random_parameters(network, 3), (), about)
    written = {}
    for name, options in (
        ("stretch", ()),
        ("letterbox", ("--stretch",)),
        ("letterbox", ()),
        ("stretch", ("--letterbox",)),
    ):
        run = ("run", f"{name}.ftd", "photo.jpg", "-o", "out.npz", *options)
        assert ftdist_command(*run, folder=folder).status == 0
        written[name, *options] = dict(np.load(folder / "out.npz"))["yolo3"]
    stretched, whole = written["stretch",], written["letterbox",]
    assert not np.array_equal(stretched, whole)
    assert np.array_equal(stretched, written["letterbox", "--stretch"])
    assert np.array_equal(whole, written["stretch", "--letterbox"])
    model = ftdist.load(folder / "stretch.ftd")
    with ftdist.Session(model, ftdist.plan(model, mem=PLENTY)) as session:
        assert np.array_equal(session.run(folder / "photo.jpg")["yolo3"], stretched)
