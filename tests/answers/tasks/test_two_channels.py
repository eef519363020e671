"""Two channels are how pixels move, or the colours of a grey picture; pictures for each input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.onnxgraphs import Nodes, imported

from ftdist.answers.tasks.two_channels import flow_colours, lab_colours, two_channels
from ftdist.cli.main import main
from ftdist.network.task import Task

SIZE = 16, 24


def compared(path: Path, channels: int = 3) -> Path:
    """The first channel of what two pictures differ by, and of twice that, as a flow."""
    nodes = Nodes()
    first, second = (nodes.input(1, channels, *SIZE, name=name) for name in ("x0", "x1"))
    both = np.zeros((2, channels, 1, 1), np.float32)
    both[0, 0], both[1, 0] = 1, 2
    nodes.output(nodes.add("Conv", nodes.add("Sub", second, first), nodes.constant(both)))
    return nodes.save(path)


def coloured(path: Path) -> Path:
    """A lightness, and a flat map of a and b at half its size: much red."""
    nodes = Nodes()
    small = nodes.add("AveragePool", nodes.input(1, 1, *SIZE), kernel_shape=[2, 2], strides=[2, 2])
    weights, ab = np.zeros((2, 1, 1, 1), np.float32), np.array([60, 30], np.float32)
    nodes.output(nodes.add("Conv", small, nodes.constant(weights), nodes.constant(ab)))
    return nodes.save(path)


def flat(path: Path, *colour: int) -> str:
    Image.new("RGB", SIZE[::-1], colour).save(path)
    return str(path)


def run(path: Path, *words: str, status: int = 0) -> None:
    assert main(["run", str(path), *words, "--mem", "4G"]) == status


def test_two_channels_of_two_pictures_are_a_flow(tmp_path: Path) -> None:
    network = imported(compared(tmp_path / "raft.onnx")).network
    task = two_channels(network, "")
    assert task == Task("image", "flow", outputs=(network.layers[network.outputs[0]].name,))


def test_two_channels_of_a_lightness_are_colours_where_words_say_so(tmp_path: Path) -> None:
    network = imported(coloured(tmp_path / "colours.onnx")).network
    assert two_channels(network, "anything") is None
    task = two_channels(network, "colorization")
    assert task is not None
    assert task.layout == "ab"


@pytest.mark.parametrize(
    ("flow", "colour"),
    [((1, 0), (255, 0, 0)), ((0, 0), (255, 255, 255)), ((-1, 0), (0, 209, 255))],
    ids=["to the right", "nowhere", "to the left"],
)
def test_colours_tell_where_pixels_move(flow, colour) -> None:
    array = np.zeros((1, 2, 1, 2), np.float32)
    array[0, :, 0, 0] = flow
    array[0, :, 0, 1] = 0, 1  # the longest
    assert flow_colours(array, (1, 2))[:, 0, 0] == pytest.approx(colour, abs=1)


def test_what_is_no_number_moves_nowhere() -> None:
    array = np.full((2, 2, 2), np.nan, np.float32)
    with np.errstate(all="raise"):
        assert (flow_colours(array, (2, 2)) == 255).all()


def test_no_colours_leave_a_picture_as_grey_as_it_is() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for_all = lab_colours(grey, np.zeros((2, 4, 4), np.float32), (16, 16))
    assert np.abs(for_all.astype(int) - grey).max() <= 1


def test_colours_may_be_parts_of_the_most() -> None:
    grey = np.full((2, 2), 119, np.uint8)
    whole = lab_colours(grey, np.full((2, 1, 1), 55, np.float32), (2, 2))
    parts = lab_colours(grey, np.full((2, 1, 1), 0.5, np.float32), (2, 2))
    assert (whole == parts).all()


def test_a_flow_is_drawn_from_two_pictures_and_written_as_it_is(tmp_path: Path, capsys) -> None:
    path = compared(tmp_path / "flow.onnx")
    pictures = flat(tmp_path / "a.png", 10, 0, 0), flat(tmp_path / "b.png", 13, 0, 0)
    run(path, *pictures, "-o", str(tmp_path / "flow.npy"))
    assert f"inputs     x0 {pictures[0]}, x1 {pictures[1]}" in capsys.readouterr().out
    flow = np.load(tmp_path / "flow.npy")
    assert (flow == np.array([3, 6], np.float32)[:, None, None]).all()
    run(path, *pictures, "-o", str(tmp_path / "flow.png"))
    drawn = np.asarray(Image.open(tmp_path / "flow.png"))
    assert drawn.shape == (*SIZE, 3)
    assert (drawn == flow_colours(flow, SIZE)[:, 0, 0]).all()


def test_pictures_are_taken_as_many_at_a_time_as_there_are_inputs(tmp_path: Path, capsys) -> None:
    path = compared(tmp_path / "flow.onnx")
    names = [flat(tmp_path / f"{n}.png", 10 * n, 0, 0) for n in range(4)]
    run(path, *names, "-o", f"{tmp_path}/{{}}-flow.npy")
    assert "inputs     2 of 2" in capsys.readouterr().out
    for name in ("0", "2"):
        assert np.load(tmp_path / f"{name}-flow.npy")[..., 0, 0].ravel().tolist() == [10, 20]


def test_too_few_pictures_are_refused(tmp_path: Path, capsys) -> None:
    path = compared(tmp_path / "flow.onnx")
    run(path, flat(tmp_path / "a.png", 0, 0, 0), status=2)
    said = capsys.readouterr().err
    assert "takes 2 pictures at a time, in the order of its inputs (x0, x1), or a .npz" in said


def test_a_second_picture_that_cannot_be_read_is_named(tmp_path: Path, capsys) -> None:
    path = compared(tmp_path / "flow.onnx")
    run(path, flat(tmp_path / "a.png", 0, 0, 0), str(tmp_path / "none.png"), status=2)
    assert "none.png: " in capsys.readouterr().err


def test_a_grey_photo_gets_its_colours(tmp_path: Path, capsys) -> None:
    path = coloured(tmp_path / "colorization.onnx")
    run(path, flat(tmp_path / "a.png", 119, 119, 119), "-o", str(tmp_path / "out.png"))
    assert "grey 0..100" in capsys.readouterr().out
    drawn = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    assert drawn.shape == (*SIZE, 3)
    assert (drawn[..., 0] > 180).all()
    assert (drawn[..., 1:] < 120).all()


def test_the_padding_of_a_photo_is_not_drawn(tmp_path: Path) -> None:
    """A network of a fixed size sees a wide photo between two bands of grey."""
    path = coloured(tmp_path / "colorization.onnx")
    photo = tmp_path / "wide.png"
    Image.new("RGB", (4 * SIZE[1], 2 * SIZE[0]), (119, 119, 119)).save(photo)
    run(path, str(photo), "-o", str(tmp_path / "out.png"), "--letterbox")
    drawn = np.asarray(Image.open(tmp_path / "out.png"))
    assert drawn.shape == (SIZE[0] // 2, SIZE[1], 3)
