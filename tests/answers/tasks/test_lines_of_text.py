"""Networks that read a line of writing are told from others, and what they read is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.onnxgraphs import Nodes, imported

from ftdist.answers.alphabets import laid_out, read_characters
from ftdist.answers.tasks.lines import line_of_text
from ftdist.answers.tasks.text import read_line, text_of
from ftdist.cli.main import main
from ftdist.errors import InputError
from ftdist.network.task import Task
from ftdist.runtime.model_import import import_model

CHARACTERS = 37
DIGITS = tuple("0123456789")
WRITTEN = "20077"


def reader(path: Path, height: int, width: int | str, characters: int = CHARACTERS) -> Path:
    """Scores of characters for every fourth column, steps first."""
    nodes = Nodes()
    made = nodes.input(1, 1, height, width)
    weights = nodes.random(characters, 1, height, 4)
    made = nodes.add("Conv", made, weights, strides=[1, 4])
    nodes.output(nodes.add("Transpose", nodes.add("Squeeze", made, axes=[2]), perm=[2, 0, 1]))
    nodes.opset = 11
    return nodes.save(path)


def printed(text: str, width: int = 128) -> bytes:
    """A picture on which every digit has a row of its own, white in four columns; a blank none."""
    pixels = np.zeros((32, width), np.uint8)
    at = 0
    for number, each in enumerate(text):
        at += 1 + (number > 0 and each == text[number - 1])
        pixels[int(each), 4 * at : 4 * at + 4] = 255
    return f"P5 {width} 32 255 ".encode() + pixels.tobytes()


def reader_of_digits(path: Path, width: int | str = 128, *, ending: str = "", **metadata) -> Path:
    """Reads what ``printed`` prints: a digit's score is how bright its row is, the blank's is 1."""
    nodes = Nodes()
    x = nodes.input(1, 1, 32, width)
    weights = np.zeros((11, 1, 32, 4), np.float32)
    for digit in range(10):
        weights[digit + 1, 0, digit] = 5
    bias = np.eye(11, dtype=np.float32)[0]
    made = nodes.add("Conv", x, nodes.constant(weights), nodes.constant(bias), strides=[1, 4])
    steps = nodes.add("Transpose", nodes.add("Squeeze", made, axes=[2]), perm=[0, 2, 1])
    if ending:
        steps = nodes.add(ending, steps, axis=2, **({"keepdims": 0} if ending == "ArgMax" else {}))
    nodes.output(steps)
    nodes.opset = 11
    saved = nodes.save(path)
    if metadata:
        model = onnx.load(saved)
        onnx.helper.set_model_props(model, metadata)
        onnx.save(model, saved)
    return saved


def ran(arguments: list[str], folder: Path, capsys, status: int = 0) -> str:
    """What a run of a line that reads WRITTEN said."""
    picture = folder / "line.pgm"
    picture.write_bytes(printed(WRITTEN))
    assert main(["run", arguments[0], str(picture), "--mem", "4G", *arguments[1:]]) == status
    said = capsys.readouterr()
    return said.out if status == 0 else said.err


@pytest.mark.parametrize(
    ("size", "characters", "found"),
    [
        ((32, 128), CHARACTERS, CHARACTERS),
        ((32, 128), 5, None),
        ((96, 256), CHARACTERS, None),
        ((48, 64), CHARACTERS, None),
    ],
    ids=["a line", "few scores", "a high picture", "a narrow picture"],
)
def test_lines_are_low_and_wide(size, characters, found, tmp_path: Path) -> None:
    height, width = size
    path = reader(tmp_path / "reader.onnx", height, width, characters)
    task = line_of_text(imported(path).network, "")
    assert (None if task is None else task.classes) == found


def test_a_picture_of_a_line_is_no_text(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("Relu", nodes.input(1, 1, 32, 128)))
    assert line_of_text(imported(nodes.save(tmp_path / "same.onnx")).network, "") is None


def test_characters_may_come_before_the_steps(tmp_path: Path) -> None:
    """As in LPRNet's: 68 characters, 18 steps of 94 columns."""
    nodes = Nodes()
    made = nodes.add("Conv", nodes.input(1, 3, 24, 94), nodes.random(68, 3, 24, 5), strides=[1, 5])
    nodes.output(nodes.add("Squeeze", made, axes=[2]))
    nodes.opset = 11
    task = line_of_text(imported(nodes.save(tmp_path / "plates.onnx")).network, "LPRNet")
    assert task is not None
    assert (task.classes, task.layout) == (68, "blank_last")


def test_alike_characters_stand_apart_by_a_blank() -> None:
    best = [0, 3, 3, 0, 3, 1, 1, 2, 0]
    scores = np.full((1, 9, 4), 0.1, np.float32)
    scores[0, range(9), best] = 0.7
    line = read_line(Task("text", "blank_first", 4, ("out",)), {"out": scores})
    assert line.numbers == (3, 3, 1, 2)
    assert line.score == pytest.approx(0.7)
    assert text_of(line, ("", "a", "b", "c")) == "ccab"
    last = read_line(Task("text", "blank_last", 4, ("out",)), {"out": scores})
    assert last.numbers == (0, 0, 1, 2, 0)


def test_scores_of_any_range_become_probabilities() -> None:
    scores = np.log(np.array([[[0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.1, 0.5, 0.4]]], np.float32))
    task = Task("text", "blank_first", 3, ("out",))
    for added in (0, 7):
        line = read_line(task, {"out": scores + np.float32(added)})
        assert line.numbers == (1, 1)
        assert line.score == pytest.approx(0.55)


def test_what_is_no_number_is_never_a_character() -> None:
    scores = np.full((1, 3, 3), np.nan, np.float32)
    scores[0, 1] = 0.1, 0.8, 0.1
    with np.errstate(all="raise"):
        line = read_line(Task("text", "blank_first", 3, ("out",)), {"out": scores})
    assert line.numbers == (1,)


def test_without_a_blank_each_step_is_a_character_up_to_the_end() -> None:
    best = [1, 1, 2, 0, 2]
    scores = np.eye(3, dtype=np.float32)[best]
    task = Task("text", "no_blank", 3, ("out",))
    line = read_line(task, {"out": scores}, ("", "a", "b"))
    assert text_of(line, ("", "a", "b")) == "aab"
    assert read_line(task, {"out": scores}, ("x", "a", "b")).numbers == (1, 1, 2, 0, 2)


@pytest.mark.parametrize(
    ("characters", "layout", "found"),
    [
        ("ab", "blank_first", ("", "a", "b")),
        ("ab", "blank_last", ("a", "b", "")),
        ("a", "blank_first", ("", "a", " ")),
        ("ab-", "blank_first", ("a", "b", "")),
        ("abc", "blank_first", ("", "b", "c")),
        ("abc", "no_blank", ("a", "b", "c")),
        ("abcd", "blank_first", None),
        ("", "blank_first", None),
    ],
)
def test_characters_are_laid_out_as_classes(characters, layout, found) -> None:
    assert laid_out(tuple(characters), Task("text", layout, 3, ("out",))) == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a\nb\n \n", ("a", "b", " ")),
        ("a\r\nb\r\n", ("a", "b")),
        ("\na\nb", ("", "a", "b")),
        ("0123\n", ("0", "1", "2", "3")),
        ('["", "a"]', ("", "a")),
        ('{"charset": ["", "a"]}', ("", "a")),
        ("[\n]\n{", ("[", "]", "{")),
        ("\u2028\nx\n", ("\u2028", "x")),
    ],
)
def test_characters_are_read_as_dictionaries_have_them(content, found, tmp_path: Path) -> None:
    path = tmp_path / "characters.txt"
    path.write_bytes(content.encode())
    assert read_characters(path) == found


def test_a_line_is_read(tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx")
    labels = tmp_path / "digits"
    labels.write_text("\n".join(DIGITS))
    said = ran([str(path), "--labels", str(labels)], tmp_path, capsys)
    assert f"\ntext       {WRITTEN} 1.000" in said
    assert "reads      10 characters, blank first (--blank changes it)" in said


@pytest.mark.parametrize("ending", ["Softmax", "LogSoftmax", "ArgMax"])
def test_a_line_is_read_however_the_network_ends(ending, tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "r.onnx", ending=ending, character="\n".join(DIGITS))
    report = tmp_path / "report.json"
    said = ran([str(path), "--json", str(report)], tmp_path, capsys)
    assert "reads      10 characters of the file's own" in said
    (result,) = json.loads(report.read_text())["results"]
    assert result == {"file": result["file"], "text": WRITTEN, "score": pytest.approx(1, abs=1e-3)}


def test_without_characters_numbers_are_told_and_what_to_give(tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx")
    said = ran([str(path)], tmp_path, capsys)
    assert "characters 3 1 1 8 8 1.000" in said
    assert "--labels FILE gives the characters, one a line: 10, or 9 and a space" in said
    assert '"characters": [\n      3,' in ran([str(path), "-o", "-"], tmp_path, capsys)


def test_text_is_kept_in_a_model_file(tmp_path: Path) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx", character="\n".join(DIGITS[:9]))
    model = import_model(path, tmp_path / "reader.ftd")
    assert model.labels == ("", *DIGITS[:9], " ")
    assert model.about.task is not None
    assert model.about.task.to_json() | {"outputs": ()} == Task("text", "blank_first", 11).to_json()
    assert model.about.names == "inside"


def test_characters_of_another_number_are_refused(tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx")
    labels = tmp_path / "letters"
    labels.write_text("abc")
    said = ran([str(path), "--labels", str(labels)], tmp_path, capsys, status=2)
    assert "3 characters for 11 classes; there must be one less" in said
    with pytest.raises(InputError, match="3 characters for 11 classes"):
        import_model(path, tmp_path / "reader.ftd", names=labels)


def test_the_blank_may_be_said_to_be_last(tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx", character="\n".join(DIGITS))
    model = tmp_path / "reader.ftd"
    assert main(["import", str(path), "-o", str(model), "--blank", "last"]) == 0
    assert "blank last" in ran([str(model)], tmp_path, capsys)
    said = ran([str(model), "--blank", "first"], tmp_path, capsys)
    assert f"text       {WRITTEN} 1.000" in said


def test_a_blank_is_for_readers_of_text(tmp_path: Path, capsys) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("GlobalAveragePool", nodes.input(1, 1, 32, 128)))
    path = nodes.save(tmp_path / "mean.onnx")
    said = ran([str(path), "--blank", "last"], tmp_path, capsys, status=2)
    assert "--blank: the network does not read text" in said


def test_an_open_width_keeps_the_proportions_of_the_widest(tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "r.onnx", "columns", character="\n".join(DIGITS))
    for name, text, width in (("short", "12", 64), ("long", "9876543210", 200)):
        (tmp_path / f"{name}.pgm").write_bytes(printed(text, width))
    out = tmp_path / "read.txt"
    given = [str(tmp_path / f"{name}.pgm") for name in ("short", "long")]
    assert main(["run", str(path), *given, "--mem", "4G", "-o", str(out)]) == 0
    assert "input 32x200x1" in capsys.readouterr().out
    assert out.read_text() == "12\n9876543210\n"


def test_a_fixed_height_stays_whatever_sizes_are_tried(tmp_path: Path) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx", "columns")
    assert import_model(path, tmp_path / "reader.ftd").network.input == (32, 320, 1)


def test_text_is_not_drawn(tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx")
    said = ran([str(path), "-o", str(tmp_path / "out.jpg")], tmp_path, capsys, status=2)
    assert "reads text, which is not drawn; write a .txt, .json or .csv file" in said


def test_a_table_has_the_text(tmp_path: Path, capsys) -> None:
    path = reader_of_digits(tmp_path / "reader.onnx", character="\n".join(DIGITS))
    out = tmp_path / "read.csv"
    ran([str(path), "-o", str(out)], tmp_path, capsys)
    header, row = out.read_text().splitlines()
    assert header == "file,text,score"
    assert row.split(",")[1] == WRITTEN
