"""What a detector found, as data: in files, on standard output, in the report."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import Outcome, assert_refused, ftdist_command
from support.smallmodels import DETECTOR, write_small_model

Refused = Callable[..., Outcome]


def ran(folder: Path, *arguments: object) -> Outcome:
    outcome = ftdist_command("run", *arguments, "--tiling", "1x1", folder=folder)
    assert (outcome.status, outcome.err) == (0, ""), outcome
    return outcome


def found(outcome: Outcome) -> list[str]:
    return [line for line in outcome.out.splitlines() if line.startswith("found")]


def test_every_format_holds_what_the_terminal_shows(things: Path, tmp_path: Path) -> None:
    given = things / "detector.ftd", things / "photo.png"
    outcome = ran(tmp_path, *given, "--all", "--json", "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    (picture,) = report["results"]
    assert set(report) == {"plan", "predicted", "measured", "machine", "results"}
    assert picture["file"] == str(things / "photo.png")
    assert (picture["width"], picture["height"]) == (90, 50)
    lines = []
    for each in picture["detections"]:
        x, y, width, height = (each["box"][key] for key in ("x", "y", "width", "height"))
        assert 0 <= x < x + width <= 90.001 and 0 <= y < y + height <= 50.001
        where = f"{x:.0f},{y:.0f} to {x + width:.0f},{y + height:.0f}"
        lines.append(f"found      {each['label']} {each['score']:.2f} at {where}")
        assert each["label"] == ("left", "right")[each["class"]]
    assert lines == found(outcome) and len(lines) > 12
    ran(tmp_path, *given, "-o", "d.json")
    assert json.loads((tmp_path / "d.json").read_text()) == [picture]
    ran(tmp_path, *given, "-o", "d.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "d.csv").read_text())))
    boxes = [each["box"] for each in picture["detections"]]
    assert [{k: float(row[k]) for k in box} for row, box in zip(rows, boxes, strict=True)] == boxes
    ran(tmp_path, *given, "-o", "d.coco", "--format", "coco")
    coco = json.loads((tmp_path / "d.coco").read_text())
    assert [each["bbox"] for each in coco["annotations"]] == [list(box.values()) for box in boxes]
    ran(tmp_path, *given, "-o", "d.txt", "--scores")
    yolo = [line.split(" ") for line in (tmp_path / "d.txt").read_text().splitlines()]
    assert len(yolo) == len(boxes) and {len(words) for words in yolo} == {6}


@pytest.mark.parametrize("arguments", [("-o", "-"), ("--format", "json"), ("-o", "-", "--all")])
def test_standard_output_holds_the_data_alone(
    things: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    outcome = ran(tmp_path, things / "detector.ftd", things / "photo.png", *arguments)
    (picture,) = json.loads(outcome.out)
    assert picture["detections"] and list(tmp_path.iterdir()) == []


def test_thresholds_and_how_many_are_listed(things: Path, tmp_path: Path) -> None:
    given = things / "detector.ftd", things / "photo.png"
    usual = ran(tmp_path, *given)
    assert len(found(usual)) == 12 and "; --all shows them" in usual.out
    everything = found(ran(tmp_path, *given, "--all"))
    assert everything[:12] == found(usual)
    strict = found(ran(tmp_path, *given, "--all", "--thresh", 0.5))
    assert strict == [line for line in everything if float(line.split()[2]) >= 0.5]
    assert "nothing scores high enough; --thresh P" in ran(tmp_path, *given, "--thresh", 1).out
    assert len(found(ran(tmp_path, *given, "--all", "--nms", 1))) > len(everything)
    assert len(found(ran(tmp_path, *given, "--all", "--nms", 0))) < len(everything)


def test_arrays_are_pictures_of_the_networks_size(things: Path, tmp_path: Path) -> None:
    outcome = ran(tmp_path, things / "detector.ftd", things / "image.npy", "-o", "-")
    (picture,) = json.loads(outcome.out)
    assert (picture["width"], picture["height"]) == (64, 64) and picture["detections"]


def test_names_of_ones_own(things: Path, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "my.names").write_text("gauche\ndroite\n")
    (tmp_path / "one.names").write_text("gauche\n")
    given = things / "detector.ftd", things / "photo.png"
    lines = found(ran(tmp_path, *given, "--names", "my.names"))
    assert {line.split()[1] for line in lines} <= {"gauche", "droite"}
    refused("run", *given, "--names", "one.names", words=("1 name ", "2 classes"))
    refused("run", *given, "--names", "absent.names", words=("absent.names",))


def test_names_that_nobody_gave_are_called_guessed(things: Path, tmp_path: Path) -> None:
    text = DETECTOR.replace("filters=14", "filters=50").replace("classes=2", "classes=20")
    model = write_small_model(tmp_path / "m.ftd", text, seed=3)
    lines = ran(tmp_path, model, things / "photo.png").out.splitlines()
    (said,) = [line for line in lines if line.startswith("names")]
    assert said.startswith("names      are guessed to be Pascal VOC's")
    (tmp_path / "my.names").write_text("\n".join(f"thing{n}" for n in range(20)))
    named = ran(tmp_path, model, things / "photo.png", "--names", "my.names")
    assert "guessed" not in named.out and "found      thing" in named.out
    quiet = ran(tmp_path, things / "detector.ftd", things / "photo.png")
    assert "guessed" not in quiet.out


def test_a_classifier_says_the_five_likeliest_classes(
    things: Path, tmp_path: Path, refused: Refused
) -> None:
    layers = "[convolutional]\nfilters=10\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
    net = "[net]\nwidth=64\nheight=64\nchannels=3\n"
    text = f"{net}{layers}[avgpool]\n[softmax]\ngroups=1\n"
    names = tuple(f"kind {number}" for number in range(10))
    model = write_small_model(tmp_path / "m.ftd", text, labels=names)
    ran(tmp_path, model, things / "photo.png", "-o", "raw.npy")
    raw = np.load(tmp_path / "raw.npy").reshape(-1)
    best = np.argsort(-raw)[:5]
    outcome = ran(tmp_path, model, things / "photo.png", "--json", "r.json")
    (result,) = json.loads((tmp_path / "r.json").read_text())["results"]
    assert [each["class"] for each in result["classes"]] == best.tolist()
    for each, number in zip(result["classes"], best, strict=True):
        assert each["label"] == f"kind {number}"
        assert each["probability"] == pytest.approx(raw[number], abs=1e-6)
    lines = [line for line in outcome.out.splitlines() if line.startswith("class ")]
    assert lines == [f"class      kind {number} {raw[number]:.3f}" for number in best]
    out = ran(tmp_path, model, things / "photo.png", "--format", "csv").out.splitlines()
    assert len(out) == 6 and out[0] == "file,label,class,probability"
    (tmp_path / "r.json").unlink()
    refused("run", model, things / "photo.png", "--format", "coco", words=("is a classifier",))
    ran(tmp_path, model, things / "photo.png", "-o", "drawn.png")
    with Image.open(tmp_path / "drawn.png") as drawn, Image.open(things / "photo.png") as photo:
        changed = np.asarray(drawn) != np.asarray(photo.convert("RGB"))
    rows, columns = np.nonzero(changed.any(axis=2))
    assert rows.size and columns.min() == 0, "labels stand at the left edge, below each other"
    assert rows.min() == 0 and not changed[-1].any(), "no box is drawn around the whole"


@pytest.mark.parametrize("option", ["--json", "--plot", "-o"])
def test_no_command_replaces_what_it_reads(things: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "net.cfg").write_text(DETECTOR)
    os.link(tmp_path / "net.cfg", tmp_path / "net.png")
    command: tuple[str, ...] = ("plan", "net.cfg")
    if option == "-o":
        command = ("import", "net.cfg", "--random-weights", "1")
    else:
        (tmp_path / "net.cfg").write_bytes((things / "detector.ftd").read_bytes())
    before = (tmp_path / "net.cfg").read_bytes()
    outcome = ftdist_command(*command, option, "net.png", folder=tmp_path)
    assert_refused(outcome, 2, "net.png", "it is net.cfg, which is an input")
    assert (tmp_path / "net.cfg").read_bytes() == before


@pytest.mark.parametrize(
    ("model", "given", "arguments", "words"),
    [
        ("chain", "photo.png", ("-o", "-"), ("neither detector nor classifier",)),
        ("chain", "photo.png", ("-o", "d.json"), ("d.json", "neither")),
        ("chain", "photo.png", ("--thresh", 0.5), ("--thresh", "not a detector")),
        ("chain", "photo.png", ("--nms", 0.5), ("--nms", "not a detector")),
        ("detector", "photo.png", ("--thresh", 1.5), ("--thresh", "'1.5'")),
        ("detector", "photo.png", ("--nms", "nan"), ("--nms", "'nan'")),
        ("detector", "photo.png", ("--format", "xml"), ("'xml'",)),
        ("detector", "photo.png", ("--format", "coco", "-o", "d.npy"), ("d.npy", "coco")),
        ("detector", "photo.png", ("--format", "csv", "-o", "absent/d.csv"), ("is not a folder",)),
        (
            "detector",
            "photo.png",
            ("--format", "csv", "-o", "."),
            ("one file for all inputs", "all.csv"),
        ),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    things: Path,
    refused: Refused,
    model: str,
    given: str,
    arguments: tuple[object, ...],
    words: tuple[str, ...],
) -> None:
    refused("run", things / f"{model}.ftd", things / given, *arguments, "--mem", "33M", words=words)


def test_files_that_are_no_utf8_keep_their_bytes(things: Path, tmp_path: Path) -> None:
    model = write_small_model(tmp_path / "m.ftd", DETECTOR, seed=3, labels=("a,b", "c"))
    name = b"\xff.png".decode(errors="surrogateescape")
    (tmp_path / name).write_bytes((things / "photo.png").read_bytes())
    ran(tmp_path, model, name, "-o", "d.csv")
    text = (tmp_path / "d.csv").read_bytes().decode(errors="surrogateescape")
    rows = list(csv.reader(io.StringIO(text)))
    assert {row[0] for row in rows[1:]} == {name}
    assert {row[1] for row in rows[1:]} <= {"a,b", "c"}
    ran(tmp_path, model, name, "-o", "d.json")
    assert json.loads((tmp_path / "d.json").read_text())[0]["file"] == name
    assert np.isfinite(json.loads((tmp_path / "d.json").read_text())[0]["width"])
