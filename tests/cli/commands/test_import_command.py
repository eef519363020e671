"""`ftdist import`: from each kind of source to a model file, and every way to be refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.command import Outcome, ftdist_command
from support.smallmodels import CHAIN, DETECTOR

from ftdist.network import architectures
from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.graph import weighted_layers
from ftdist.network.modelfile import Model, load
from ftdist.network.modelheader import ArrayName

Refused = Callable[..., Outcome]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """chain.cfg with its weights, and detector.cfg."""
    (tmp_path / "chain.cfg").write_text(CHAIN)
    (tmp_path / "detector.cfg").write_text(DETECTOR)
    (tmp_path / "chain.weights").write_bytes(weights_file())
    return tmp_path


def weights_file() -> bytes:
    """A .weights file of CHAIN: each value is its place in the file, in thousandths."""
    network = parse_cfg(CHAIN, "chain").network
    sizes = [
        getattr(operation, "filters", 0) + int(np.prod(operation.weights(source)["weights"]))
        for _, operation, source in weighted_layers(network)
    ]
    return struct.pack("<3iQ", 0, 2, 5, 0) + (np.arange(sum(sizes), dtype="<f4") / 1000).tobytes()


def imported(folder: Path, *arguments: object, remarks: bool = False) -> Outcome:
    outcome = ftdist_command("import", *arguments, folder=folder)
    assert (outcome.status, bool(outcome.err)) == (0, remarks), outcome
    assert not list(folder.glob(".ftdist-*"))
    return outcome


def bytes_of_weights(model: Model, number: int) -> bytes:
    blob = model.blobs[number]
    return model.weights[blob.start : blob.start + blob.bytes].tobytes()


def test_a_cfg_with_its_weights(sources: Path) -> None:
    outcome = imported(sources, "chain.cfg", "--weights", "chain.weights", "-o", "chain.ftd")
    assert outcome.out == "chain.ftd: chain, 4 layers, input 64x64x3, 0.0 MiB of weights\n"
    model = load(sources / "chain.ftd")
    assert model.network == parse_cfg(CHAIN, "chain").network
    first_biases = model.weights.view(np.float32)[model.offsets[ArrayName(0, "blocks", "bias")] :][
        :18
    ]
    np.testing.assert_array_equal(first_biases, np.arange(18, dtype=np.float32) / 1000)


def test_a_built_in_architecture_cut_short(tmp_path: Path) -> None:
    """The same seed means the same weights for the layers that are kept."""
    arguments = ("yolov2-first16", "--random-weights", 7)
    imported(tmp_path, *arguments, "--until", 7, "-o", "short.ftd")
    imported(tmp_path, *arguments, "--until", 9, "-o", "long.ftd")
    imported(tmp_path, "yolov2-first16", "--random-weights", 8, "--until", 7, "-o", "other.ftd")
    short, long, other = (load(tmp_path / f"{name}.ftd") for name in ("short", "long", "other"))
    built_in = architectures.load("yolov2-first16").network
    assert short.network == built_in.until(7) and long.network == built_in.until(9)
    assert list(short.blobs) == [0, 2, 4, 5, 6]
    for number in short.blobs:
        assert bytes_of_weights(short, number) == bytes_of_weights(long, number)
        assert bytes_of_weights(short, number) != bytes_of_weights(other, number)


def test_weights_cut_short_are_those_of_the_whole(sources: Path) -> None:
    arguments = ("chain.cfg", "--weights", "chain.weights")
    imported(sources, *arguments, "-o", "whole.ftd")
    imported(sources, *arguments, "--until", 2, "-o", "cut.ftd")
    whole, cut = load(sources / "whole.ftd"), load(sources / "cut.ftd")
    assert list(cut.blobs) == [0, 2]
    assert all(bytes_of_weights(cut, n) == bytes_of_weights(whole, n) for n in cut.blobs)


def test_names_beside_a_detector_become_its_labels(sources: Path) -> None:
    (sources / "detector.names").write_text("dög\ncat\n", encoding="utf-8")
    imported(sources, "detector.cfg", "--random-weights", 0, "-o", "detector.ftd")
    assert load(sources / "detector.ftd").labels == ("dög", "cat")


def test_an_existing_model_is_replaced(sources: Path) -> None:
    (sources / "m.ftd").write_text("old")
    imported(sources, "chain.cfg", "--random-weights", 0, "-o", "m.ftd")
    assert load(sources / "m.ftd").network.name == "chain"


def test_the_list_has_a_line_for_each_architecture(tmp_path: Path) -> None:
    lines = imported(tmp_path, "--list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(architectures.names())
    assert "yolov2-first16    16 layers, input 608x608x3" in lines


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("chain.cfg", "--random-weights", 1), ("import needs SOURCE and -o",)),
        (("-o", "m.ftd", "--random-weights", 1), ("import needs SOURCE and -o",)),
        (("chain.cfg", "-o", "m.ftd"), ("--weights FILE, or --random-weights SEED",)),
        (
            ("chain.cfg", "--weights", "chain.weights", "--random-weights", 1, "-o", "m.ftd"),
            ("not allowed with",),
        ),
        (("absent.cfg", "--random-weights", 1, "-o", "m.ftd"), ("absent.cfg", "No such file")),
        (
            ("yolov2-frist16", "--random-weights", 1, "-o", "m.ftd"),
            ("did you mean yolov2-first16",),
        ),
        (("", "--random-weights", 1, "-o", "m.ftd"), ("after 'import' is empty",)),
        ((".", "--random-weights", 1, "-o", "m.ftd"), ("no built-in architecture",)),
        (
            ("chain.weights", "--random-weights", 1, "-o", "m.ftd"),
            ("chain.weights", "not a .cfg file"),
        ),
        (("model.onnx", "--random-weights", 1, "-o", "m.ftd"), ("model.onnx",)),
        (("chain.cfg", "--weights", "absent", "-o", "m.ftd"), ("absent", "No such file")),
        (("detector.cfg", "--weights", "chain.weights", "-o", "m.ftd"), ("chain.weights", "needs")),
        (("chain.cfg", "--weights", "cut.weights", "-o", "m.ftd"), ("cut.weights", "ends within")),
        (("chain.cfg", "--weights", "nan.weights", "-o", "m.ftd"), ("nan.weights", "layer 3")),
        (("chain.cfg", "--random-weights", 1, "--until", 4, "-o", "m.ftd"), ("layers 0..3",)),
        (("chain.cfg", "--random-weights", 1, "--until", -1, "-o", "m.ftd"), ("--until",)),
        (("chain.cfg", "--random-weights", "x", "-o", "m.ftd"), ("--random-weights", "'x'")),
        (("chain.cfg", "--random-weights", "9" * 5000, "-o", "m.ftd"), ("--random-weights",)),
        (("chain.cfg", "--random-weights", 1, "-o", "absent/m.ftd"), ("absent is not a folder",)),
        (("chain.cfg", "--random-weights", 1, "-o", "folder"), ("not a regular file",)),
        (("idle.cfg", "--random-weights", 1, "-o", "m.ftd"), ("layer 0", "hands on")),
        (("huge.cfg", "--random-weights", 1, "-o", "m.ftd"), ("an input of 8x131072x3", "65536")),
        (
            ("named.cfg", "--random-weights", 1, "-o", "m.ftd"),
            ("named.names", "3 names", "2 classes"),
        ),
        (("two\nlines.cfg", "--random-weights", 1, "-o", "m.ftd"), ("lines' is not a name",)),
    ],
)
def test_what_cannot_be_imported_is_refused_and_leaves_no_file(
    sources: Path, refused: Refused, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    content = weights_file()
    (sources / "cut.weights").write_bytes(content[:-5])
    (sources / "nan.weights").write_bytes(content[:-4] + struct.pack("<f", float("nan")))
    (sources / "folder").mkdir()
    net = "[net]\nwidth={0}\nheight=8\nchannels=3\n"
    (sources / "idle.cfg").write_text(net.format(8) + "[dropout]\n")
    (sources / "huge.cfg").write_text(net.format(1 << 17) + "[maxpool]\nsize=4\nstride=4\n")
    (sources / "named.cfg").write_text(DETECTOR)
    (sources / "named.names").write_text("one\ntwo\nthree\n")
    (sources / "model.onnx").write_bytes(b"\x08\x07not really")
    (sources / "two\nlines.cfg").write_text(CHAIN)
    refused("import", *arguments, words=words)


def test_a_failed_import_leaves_the_old_model(sources: Path, refused: Refused) -> None:
    (sources / "m.ftd").write_text("old")
    (sources / "chain.weights").write_bytes(weights_file()[:-4])
    refused("import", "chain.cfg", "--weights", "chain.weights", "-o", "m.ftd")
    assert (sources / "m.ftd").read_text() == "old"


def test_what_darknet_reads_otherwise_than_written_is_said(sources: Path) -> None:
    text = CHAIN.replace("[net]\n", "# \xb2\xce\xca\xfd\n[net]\nTesting\nbatsh=1\n", 1)
    (sources / "chain.cfg").write_bytes(text.encode("latin-1"))
    arguments = ("chain.cfg", "--random-weights", 0, "-o", "chain.ftd")
    outcome = imported(sources, *arguments, remarks=True)
    assert outcome.err.splitlines() == [
        "ftdist: chain.cfg: keys that Darknet does not know are ignored: 'batsh' in [net] "
        "(line 4; did you mean batch?)",
        "ftdist: chain.cfg: lines without a value are ignored, as by Darknet: 'Testing' (line 3)",
    ]
    assert load(sources / "chain.ftd").network == parse_cfg(CHAIN, "chain").network


def test_until_looks_neither_at_text_nor_at_weights_beyond(sources: Path) -> None:
    (sources / "chain.cfg").write_text(CHAIN + "[lstm]\n[nonsense]\n= 3\n[not even")
    (sources / "chain.weights").write_bytes(weights_file() + b"whatever follows")
    arguments = ("chain.cfg", "--weights", "chain.weights", "--until", 3)
    imported(sources, *arguments, "-o", "cut.ftd")
    assert load(sources / "cut.ftd").network == parse_cfg(CHAIN, "chain").network


def test_given_names_and_guessed_ones_are_marked(sources: Path) -> None:
    (sources / "mine.names").write_bytes("дым\nщит\n".encode("cp1251"))
    arguments = ("detector.cfg", "--random-weights", 0, "-o", "detector.ftd")
    imported(sources, *arguments, "--names", "mine.names")
    model = load(sources / "detector.ftd")
    assert (model.labels, model.about.names) == (("дым", "щит"), "given")
    outcome = imported(sources, *arguments, remarks=True)
    model = load(sources / "detector.ftd")
    assert (model.labels, model.about.names) == (("дым", "щит"), "beside")
    assert outcome.err == "ftdist: the class names are taken from mine.names\n"


def test_names_where_there_are_no_classes_are_refused(sources: Path, refused: Refused) -> None:
    (sources / "mine.names").write_text("a\nb\n")
    arguments = ("import", "chain.cfg", "--random-weights", 0, "-o", "m.ftd")
    words = ("mine.names", "does not distinguish classes")
    refused(*arguments, "--names", "mine.names", words=words)


def test_weights_that_are_none_are_told_by_what_they_are(sources: Path, refused: Refused) -> None:
    (sources / "chain.weights").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 245\n"
    )
    refused(
        *("import", "chain.cfg", "--weights", "chain.weights", "-o", "m.ftd"),
        words=("chain.weights", "Git LFS pointer", "git lfs pull"),
    )


def test_a_network_cut_at_a_list_of_numbers_has_no_classes(sources: Path) -> None:
    (sources / "net.cfg").write_text(CHAIN + "[avgpool]\n[conv]\nfilters=7\n")
    (sources / "net.names").write_text("a\nb\n")
    arguments = ("net.cfg", "--random-weights", 0, "--until", 4, "-o", "net.ftd")
    imported(sources, *arguments)
    assert load(sources / "net.ftd").labels == ()
