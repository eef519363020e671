"""Networks that tell several things of a picture at once: each output with its own classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from support.onnxgraphs import Nodes

from ftdist.answers.export import as_text, as_value, from_value
from ftdist.answers.seen import Classified, Likely, OfOutput, of_parts
from ftdist.answers.tasks.recognise import recognise
from ftdist.cli.main import main
from ftdist.network.task import ARRAYS, Task

PHOTO = (3, 32, 32)


def network(path: Path) -> Path:
    """Whose outputs say the same of every picture: gender, two classes, an age, and three hues."""
    nodes = Nodes()
    mean = nodes.add("GlobalAveragePool", nodes.input(1, 3, 32, 32))
    for name, biases in (("gender", [0, 2]), ("age", [0.3]), ("hue", [1, 3, 2])):
        zeros = np.zeros((len(biases), 3, 1, 1), np.float32)
        made = nodes.add(
            "Conv", mean, nodes.constant(zeros), nodes.constant(np.array(biases, np.float32))
        )
        if len(biases) > 1:
            made = nodes.add("Softmax", made, axis=1)
        nodes.nodes.append(helper.make_node("Flatten", [made], [name], name))
        nodes.output(name)
    return nodes.save(path)


def ran(path: Path, *more: str, status: int = 0) -> None:
    picture = path.parent / "photo.ppm"
    picture.write_bytes(b"P6 32 32 255 " + bytes(32 * 32 * 3))
    assert main(["run", str(path), str(picture), "--mem", "4G", *more]) == status


@pytest.mark.parametrize(
    ("outputs", "shares", "found"),
    [
        ({"prob": (1, 2, 1, 1), "age_conv3": (1, 1, 1, 1)}, {"prob"}, 2),
        ({f"digit_{n}": (1, 10) for n in range(5)}, set(), 50),
        ({"a": (1, 7), "b": (1, 2)}, {"a", "b"}, 9),
        ({"prob": (1, 2), "boxes": (1, 4)}, {"prob"}, None),
        ({"logits": (1, 7), "embedding": (1, 512)}, set(), None),
        ({"prob": (1, 2), "map": (1, 3, 4)}, {"prob"}, None),
    ],
)
def test_several_lists_of_scores_are_classes_of_several_things(outputs, shares, found) -> None:
    task = recognise(PHOTO, outputs, shares=frozenset(shares))
    if found is None:
        assert task == ARRAYS
    else:
        assert task == Task("classify", classes=found, outputs=tuple(outputs))


def test_each_output_says_its_best(tmp_path: Path, capsys) -> None:
    ran(network(tmp_path / "faces.onnx"), "--json", str(tmp_path / "report.json"))
    said = capsys.readouterr().out
    assert "class      gender: class 1 0.881, class 0 0.119" in said
    assert "class      age: 0.300" in said
    assert "class      hue: class 1 0.665, class 2 0.245, class 0 0.090" in said
    (result,) = json.loads((tmp_path / "report.json").read_text())["results"]
    assert [each["output"] for each in result["outputs"]] == ["gender", "age", "hue"]
    assert result["outputs"][1]["value"] == pytest.approx(0.3)


def test_each_output_has_names_of_its_own(tmp_path: Path, capsys) -> None:
    (tmp_path / "g").write_text("female\nmale\n")
    (tmp_path / "h").write_text("red\ngreen\nblue\n")
    path = network(tmp_path / "faces.onnx")
    both = f"gender={tmp_path / 'g'},hue={tmp_path / 'h'}"
    ran(path, "--labels", both, "-o", str(tmp_path / "out.png"))
    said = capsys.readouterr().out
    assert "gender: male 0.881, female 0.119" in said
    assert "hue: green 0.665, blue 0.245, red 0.090" in said
    model = tmp_path / "faces.ftd"
    assert main(["import", str(path), "-o", str(model), "--labels", both]) == 0
    ran(model)
    assert "gender: male 0.881" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("sex={0}", "--labels sex=...: no such output; there are gender, hue"),
        ("{0}", "2 names, but output hue has 3 classes; --labels OUTPUT=FILE,OUTPUT=FILE"),
        ("hue={0}", "2 names, but output hue has 3 classes"),
    ],
)
def test_names_that_do_not_suit_are_refused(labels, reason, tmp_path: Path, capsys) -> None:
    (tmp_path / "two").write_text("a\nb\n")
    path = network(tmp_path / "faces.onnx")
    ran(path, "--labels", labels.format(tmp_path / "two"), status=2)
    assert reason in capsys.readouterr().err


def test_parts_are_written_and_read() -> None:
    result = of_parts("a.jpg", (OfOutput("sex", (Likely("x", 0, 0.75),)), OfOutput("age", (), 0.5)))
    assert result == Classified("a.jpg", (Likely("x", 0, 0.75),), result.parts)
    assert from_value(as_value(result)) == result
    assert as_text([result], "csv", (), kind="classify").splitlines()[1] == "a.jpg,sex: x,0,0.75"
