"""Several inputs, folders, patterns and pipes: one plan, one file a result, nothing replaced."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.command import COUNT_ERROR_BYTES, Outcome, ftdist_command, in_shell, measured_ftdist
from support.smallmodels import write_small_model

from ftdist.cli.files.outputs import targets
from ftdist.cli.files.sources import Source

Refused = Callable[..., Outcome]


@pytest.fixture
def photos(things: Path, tmp_path: Path) -> Path:
    """A folder with two pictures of one name, one of another, and what is no picture."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(5)
    for name, size in (("a.png", (60, 80)), ("a.ppm", (40, 30)), ("b.PNG", (64, 64))):
        pixels = generator.integers(0, 256, (*size, 3), np.uint8)
        images.fromarray(pixels).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.png").write_text("not a picture")
    return folder


def ran(folder: Path, *arguments: object, status: int = 0) -> Outcome:
    outcome = ftdist_command("run", *arguments, "--tiling", "1x1", folder=folder)
    assert outcome.status == status, outcome
    return outcome


def results(folder: Path) -> dict[str, list[dict[str, object]]]:
    value = json.loads((folder / "r.json").read_text())["results"]
    return {each["file"]: each["detections"] for each in value}


def test_a_folder_is_its_pictures_each_as_if_it_were_alone(
    things: Path, photos: Path, tmp_path: Path
) -> None:
    outcome = ran(tmp_path, things / "detector.ftd", "photos", "-o", "out", "--json", "r.json")
    assert outcome.err == ""
    together = results(tmp_path)
    assert list(together) == ["photos/a.png", "photos/a.ppm", "photos/b.PNG"]
    written = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert written == ["a-2-found.jpg", "a-found.jpg", "b-found.jpg"]
    lines = outcome.out.splitlines()
    heads = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert [h for h in heads if h in ("input", "wrote")] == ["input", "wrote"] * 3
    assert lines[-1] == "inputs     3 of 3"
    for name, detections in together.items():
        ran(tmp_path, things / "detector.ftd", name, "-o", "one.jpg", "--json", "r.json")
        assert results(tmp_path)[name] == detections
        stem = {"photos/a.ppm": "a-2", "photos/a.png": "a", "photos/b.PNG": "b"}[name]
        drawn = (tmp_path / f"out/{stem}-found.jpg").read_bytes()
        assert drawn == (tmp_path / "one.jpg").read_bytes()


def test_patterns_in_and_out(things: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    ran(tmp_path, things / "detector.ftd", "photos/a.*", "-o", "out/{}.npy")
    assert sorted(e.name for e in (tmp_path / "out").iterdir()) == ["a-2.npy", "a.npy"]
    ran(tmp_path, things / "detector.ftd", "photos/a.png", "-o", "one.npy")
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "out/a.npy").read_bytes()
    ran(tmp_path, things / "detector.ftd", "photos", "-o", "labels", "--format", "yolo")
    assert len(list((tmp_path / "labels").glob("*.txt"))) == 3
    ran(tmp_path, things / "chain.ftd", "photos", "-o", "maps")
    assert np.load(tmp_path / "maps/b.npy").shape == (7, 32, 32)


def test_a_broken_picture_is_named_and_the_others_are_done(
    things: Path, photos: Path, tmp_path: Path
) -> None:
    (photos / "aa.png").write_bytes(b"no picture")
    (photos / "ab.png").write_bytes((photos / "a.png").read_bytes()[:2000])
    model = things / "detector.ftd"
    outcome = ran(tmp_path, model, "photos", "-o", "out", "--json", "r.json", status=1)
    first, second = outcome.err.splitlines()
    assert first.startswith("ftdist: photos/aa.png: not a picture")
    assert second.startswith("ftdist: photos/ab.png: ")
    assert len(results(tmp_path)) == len(list((tmp_path / "out").iterdir())) == 3
    left_out = json.loads((tmp_path / "r.json").read_text())["left_out"]
    assert [each["file"] for each in left_out] == ["photos/aa.png", "photos/ab.png"]
    assert outcome.out.splitlines()[-1] == "inputs     3 of 5; 2 inputs left out"


def test_only_broken_inputs(things: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("no picture")
    outcome = ran(tmp_path, things / "chain.ftd", "a.png", "b.png", "absent.png", status=1)
    assert outcome.out == "" and len(outcome.err.splitlines()) == 4
    assert outcome.err.endswith("ftdist: none of the inputs can be used\n")


def test_arrays_and_pictures_are_not_mixed(things: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copy(things / "image.npy", tmp_path)
    outcome = ran(tmp_path, things / "chain.ftd", "photos/a.png", "image.npy", status=1)
    assert outcome.err == (
        "ftdist: image.npy: is an array of numbers, the first input is not; run them apart\n"
    )


def needed(folder: Path, *arguments: object) -> int:
    """What a run of one input is said to need, in MiB."""
    outcome = ftdist_command("run", *arguments, "--mem", "29M", folder=folder)
    assert outcome.status == 3
    return int(outcome.err.partition(" needs ")[2].partition("M")[0])


_HEAVY = (
    "[net]\nwidth=64\nheight=64\nchannels=3\n"
    + "".join(
        f"[convolutional]\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\n"
        f"activation={activation}\n"
        for filters, size, stride, activation in (
            *((16, 3, 2, "leaky"), (512, 3, 2, "leaky"), (512, 3, 1, "leaky")),
            (14, 1, 1, "linear"),
        )
    )
    + "[yolo]\nmask=0,1\nanchors=10,14, 23,27\nclasses=2\nnum=2\n"
)
"""A detector with 9 MiB of weights."""


@pytest.mark.parametrize("more", [8, 60])
def test_the_budget_holds_for_the_largest_and_what_does_not_fit_is_left_out(
    things: Path, photos: Path, tmp_path: Path, more: int
) -> None:
    """With little room the session gives its memory back between pictures, else it keeps it."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    images.new("RGB", (2000, 1500)).save(photos / "c.png")
    images.new("RGB", (3000, 2000)).save(photos / "d.jpg", progressive=True)  # decoded whole
    for number in range(9):  # what each leaves behind must not add up
        shutil.copy(photos / "c.png", photos / f"c{number}.png")
    model = write_small_model(tmp_path / "heavy.ftd", _HEAVY, seed=3, labels=("left", "right"))
    c, d = (needed(tmp_path, model, f"photos/{n}", "-o", "one.jpg") for n in ("c.png", "d.jpg"))
    assert c + 8 < d <= c + 60
    mem, left_out = c + more, [] if d <= c + more else ["photos/d.jpg"]
    arguments = ("run", model, "photos", "-o", "out", "--mem", f"{mem}M", "--json", "r.json")
    outcome = measured_ftdist(*arguments, folder=tmp_path)
    assert outcome.status == bool(left_out), outcome
    assert [line.split(": ")[1] for line in outcome.err.splitlines()] == left_out
    report = json.loads((tmp_path / "r.json").read_text())
    assert len(report["results"]) == 14 - len(left_out)
    predicted = report["predicted"]["peak_bytes"]
    assert outcome.peak_bytes <= predicted + COUNT_ERROR_BYTES
    assert max(outcome.peak_bytes, predicted) <= mem << 20


def test_only_inputs_that_do_not_fit(things: Path, tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    for name in ("a.png", "b.png"):
        images.new("RGB", (700, 500)).save(tmp_path / name)
    arguments = (things / "detector.ftd", "a.png", "b.png", "-o", "out", "--mem", "29M")
    outcome = ftdist_command("run", *arguments, folder=tmp_path)
    assert outcome.status == 3 and len(outcome.err.splitlines()) == 3


@pytest.mark.parametrize(
    "line",
    [
        'cat "$PHOTO" | "$@" -',
        '"$@" - <"$PHOTO"',
        '"$@" /dev/stdin <"$PHOTO"',
        'cat "$PHOTO" | "$@" /dev/stdin',
        'mkfifo f; { cat "$PHOTO" >f & } ; "$@" f',
    ],
)
def test_pipes_are_inputs(things: Path, tmp_path: Path, line: str) -> None:
    model, photo = things / "detector.ftd", things / "photo.png"
    alone = ftdist_command("run", "-o", "-", "--format", "csv", model, photo, folder=tmp_path)
    outcome = in_shell(
        f'PHOTO="{photo}"; {line}', "run", "-o", "-", "--format", "csv", model, folder=tmp_path
    )
    assert (outcome.status, outcome.err) == (0, "")
    rest = [row.partition(",")[2] for row in outcome.out.splitlines()]
    assert rest == [row.partition(",")[2] for row in alone.out.splitlines()] and len(rest) > 1


def test_arrays_come_by_pipes_and_pictures_from_there_are_drawn_on(
    things: Path, tmp_path: Path
) -> None:
    model = things / "chain.ftd"
    line = f'cat "{things / "image.npy"}" | "$@"'
    words = ("run", model, "-", "-o", "piped.npy", "--exact-direct")  # as a named tiling does
    outcome = in_shell(line, *words, folder=tmp_path)
    assert (outcome.status, outcome.err) == (0, "")
    ran(tmp_path, model, things / "image.npy", "-o", "out.npy")
    assert (tmp_path / "piped.npy").read_bytes() == (tmp_path / "out.npy").read_bytes()
    line = f'cat "{things / "photo.png"}" | "$@"'
    in_shell(line, "run", things / "detector.ftd", "-", "-o", "piped.jpg", folder=tmp_path)
    ran(tmp_path, things / "detector.ftd", things / "photo.png", "-o", "out.jpg")
    assert (tmp_path / "piped.jpg").read_bytes() == (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('printf hello | "$@" -', ("ftdist: -: not a picture",)),
        ('"$@" - </dev/null', ("-: nothing came",)),
        ('printf hello | "$@" - -', ("can be read once",)),
        ('"$@" - <&-', ("ftdist: -: ",)),
        ('"$@" . <&-', ("no picture",)),
        ('"$@" "*.png"', ("*.png: no file matches",)),
    ],
)
def test_what_is_no_input(things: Path, tmp_path: Path, line: str, words: tuple[str, ...]) -> None:
    outcome = in_shell(line, "run", things / "chain.ftd", folder=tmp_path)
    assert outcome.status == 2 and outcome.err.count("\n") == 1, outcome
    assert all(word in outcome.err for word in words), outcome.err


@pytest.mark.parametrize("output", ["same.png", "soft.png", "hard.png", "./same.png"])
def test_an_input_is_never_replaced(
    things: Path, tmp_path: Path, refused: Refused, output: str
) -> None:
    shutil.copy(things / "photo.png", tmp_path / "same.png")
    (tmp_path / "soft.png").symlink_to("same.png")
    os.link(tmp_path / "same.png", tmp_path / "hard.png")
    run = ("run", things / "detector.ftd", "same.png")
    refused(*run, "-o", output, words=(f"cannot write {output[-8:]}", "an input"))
    refused(*run, "--json", output, words=("an input",))
    refused(*run, "-o", "new.json", "--json", "new.json", words=("two outputs",))
    refused(*run, "other.png", "-o", "{}.png", words=("same.png", "an input"))
    refused(*run, "other.png", "-o", "new.png", words=("new.png", "several inputs", "{}.png"))


@pytest.mark.parametrize("model", [(), ("other.ftd",)])
def test_a_file_of_settings_may_name_the_model_of_several_inputs(
    things: Path, photos: Path, tmp_path: Path, model: tuple[str, ...]
) -> None:
    shutil.copy(things / "detector.ftd", tmp_path / "net.ftd")
    shutil.copy(things / "chain.ftd", tmp_path / "other.ftd")
    (tmp_path / "c.toml").write_text('[model]\nfile = "net.ftd"\n')
    outcome = ran(tmp_path, "--config", "c.toml", *model, "photos/a.png", "photos/b.PNG")
    assert outcome.out.splitlines()[-1] == "inputs     2 of 2"
    assert ("found" in outcome.out) == (not model)


@settings(max_examples=100, derandomize=True)
@given(some.lists(some.sampled_from(["a", "a-2", "a-3", "b", "b-2"]), max_size=9))
def test_every_input_gets_a_file_of_its_own(stems: list[str]) -> None:
    given = [Source(f"{stem}.jpg", Path(f"{stem}.jpg"), False) for stem in stems]
    found = targets(given, "out/{}.txt")
    assert len(set(found)) == len(stems)
    firsts = {stem: stems.index(stem) for stem in stems}
    if not any("-" in stem for stem in stems):
        assert all(found[at] == Path(f"out/{stem}.txt") for stem, at in firsts.items())
