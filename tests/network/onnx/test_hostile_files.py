"""Damaged and hostile files: no crash, no hang, nothing read outside, memory bounded, one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.hostileonnx import MIB, Trial, crafted, damaged, tried
from support.onnxgraphs import Nodes

from ftdist.errors import InputError
from ftdist.network.onnx.importer import read_onnx

BUDGET_BYTES = 512 * MIB


def all_sound(trials: list[Trial]) -> None:
    assert not {each.file: each.fault for each in trials if each.fault}
    assert not [each for each in trials if each.peak_bytes > BUDGET_BYTES]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    folder = tmp_path_factory.mktemp("hostile")
    found = tried(crafted(folder / "files"), BUDGET_BYTES)
    all_sound(found)
    return {each.file.removesuffix(".onnx"): each for each in found}


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("huge_shape", 2, "claims a shape of (1099511627776, 3, 3, 3)"),
        ("external_outside", 2, "data of w are not in its folder"),
        ("external_absolute", 2, "data of w are not in its folder"),
        ("external_linked", 2, "data of w are not in its folder"),
        ("external_proc", 2, "data of w are not in its folder"),
        ("external_missing", 2, "data of w are in nowhere.bin, which is missing"),
        ("external_other_length", 2, "says another length of w than its shape takes"),
        ("external_negative_offset", 2, "short.bin is too short for w"),
        ("cycle", 2, "needs what it makes itself"),
        ("hundred_thousand_nodes", 2, "makes more than 20000 layers"),
        ("more_nodes_than_that", 2, "100000 are supported"),
        ("many_ranges", 3, "--mem"),
        ("doubling", 3, "ftdist import"),
        ("nested_deeply", 2, "is no ONNX file, or is damaged"),
        ("empty_nodes", 2, "has 3000000 nodes"),
        ("large_input", 0, ""),
    ],
)
def test_what_a_file_claims_is_not_believed(
    trials: dict[str, Trial], name: str, status: int, words: str
) -> None:
    assert trials[name].status == status and words in trials[name].said, trials[name]


def test_flipped_bytes_and_cuts_end_in_a_model_or_in_one_line(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 16, 16)
    made = nodes.add("Conv", x, nodes.random(8, 3, 3, 3), pads=[1, 1, 1, 1])
    made = nodes.add("MaxPool", nodes.add("Relu", made), kernel_shape=[2, 2], strides=[2, 2])
    made = nodes.add("Reshape", made, nodes.constant([1, -1]))
    nodes.output(nodes.add("Softmax", nodes.add("MatMul", made, nodes.random(512, 10))))
    content = nodes.save(tmp_path / "sound.onnx").read_bytes()
    files = []
    for number, data in enumerate(damaged(content, 60, seed=1)):
        files.append(tmp_path / f"damaged-{number}.onnx")
        files[-1].write_bytes(data)
    found = tried(files, BUDGET_BYTES)
    all_sound(found)
    assert {each.status for each in found} == {0, 2}, "some harm shows, some does not"


def test_what_an_operator_may_not_take_is_told_as_the_budgets_fault(tmp_path: Path) -> None:
    (file,) = (e for e in crafted(tmp_path / "files") if e.name == "claimed_weights.onnx")
    (found,) = tried([file], 100 * MIB)
    assert found.status == 3 and "takes more than 100.0 MiB (--mem)" in found.said
    (found,) = tried([file], BUDGET_BYTES)
    assert found.status == 0, found


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"picture_in", b"\xe2icture_in", "the name of an input or an output is no text"),
        (b"made_of_it", b"\xe2ade_of_it", None),
    ],
    ids=["a name", "a note"],
)
def test_what_is_no_text_is_no_fault_of_ours(old, new, reason, tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("Relu", nodes.input(1, 3, 8, 8, name="picture_in")))
    model = nodes.model()
    model.graph.doc_string = "made_of_it"
    path = tmp_path / "graph.onnx"
    path.write_bytes(model.SerializeToString().replace(old, new))
    if reason is None:
        assert "\ufffd" in read_onnx(path).hints.words
    else:
        with pytest.raises(InputError, match=reason):
            read_onnx(path)


def test_a_bias_of_another_length_than_its_scale_is_refused(tmp_path: Path) -> None:
    """Also where a factor behind the norm goes into both."""
    nodes = Nodes()
    norm = nodes.add(
        "InstanceNormalization", nodes.input(1, 8, 8, 8), nodes.random(8), nodes.random(4)
    )
    nodes.output(nodes.add("Mul", norm, nodes.random(8, 1, 1)))
    with pytest.raises(InputError, match=r"a scale of \(8,\) and a bias of \(4,\)"):
        read_onnx(nodes.save(tmp_path / "graph.onnx"))


def test_a_pattern_that_makes_no_sense_is_left_to_its_nodes(tmp_path: Path) -> None:
    """A convolution between bytes whose weights are a single number."""
    nodes = Nodes()
    scale, zero = nodes.constant(np.float32(0.1)), nodes.constant(np.uint8(0))
    x = nodes.add("QuantizeLinear", nodes.input(1, 3, 8, 8), scale, zero)
    given = [nodes.add("DequantizeLinear", each, scale, zero) for each in (x, zero)]
    nodes.output(nodes.add("QuantizeLinear", nodes.add("Conv", *given), scale, zero))
    with pytest.raises(InputError, match=r"\(Conv\): convolutions over"):
        read_onnx(nodes.save(tmp_path / "graph.onnx"))
