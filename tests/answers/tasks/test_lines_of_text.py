"""Networks that read a line of writing are told from others, and how to read them is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.onnxgraphs import Nodes, imported

from ftdist.answers.tasks.of_network import steps_of_text
from ftdist.cli.main import main

CHARACTERS = 37


def reader(path: Path, height: int, width: int, characters: int = CHARACTERS) -> Path:
    """Scores of characters for every fourth column, steps first."""
    nodes = Nodes()
    made = nodes.input(1, 1, height, width)
    weights = nodes.random(characters, 1, height, 4)
    made = nodes.add("Conv", made, weights, strides=[1, 4])
    nodes.output(nodes.add("Transpose", nodes.add("Squeeze", made, axes=[2]), perm=[2, 0, 1]))
    nodes.opset = 11
    return nodes.save(path)


@pytest.mark.parametrize(
    ("size", "characters", "found"),
    [
        ((32, 128), CHARACTERS, (32, CHARACTERS)),
        ((32, 128), 5, None),
        ((96, 256), CHARACTERS, None),
        ((48, 64), CHARACTERS, None),
    ],
    ids=["a line", "few scores", "a high picture", "a narrow picture"],
)
def test_lines_are_low_and_wide(size, characters, found, tmp_path: Path) -> None:
    height, width = size
    path = reader(tmp_path / "reader.onnx", height, width, characters)
    assert steps_of_text(imported(path).network) == found


def test_what_to_do_with_the_scores_is_said(tmp_path: Path, capsys) -> None:
    path = reader(tmp_path / "reader.onnx", 32, 128)
    picture = tmp_path / "line.pgm"
    picture.write_bytes(b"P5 128 32 255 " + bytes(128 * 32))
    assert main(["run", str(path), str(picture), "-o", str(tmp_path / "out.jpg")]) == 2
    said = capsys.readouterr().err
    assert f"seems to read text: 32 steps with scores of {CHARACTERS} characters" in said
