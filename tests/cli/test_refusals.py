"""Bad input to `ftdist run`: a status, one line, and nothing else anywhere."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.command import Outcome, assert_refused, ftdist_command, in_shell
from support.smallmodels import CHAIN, DETECTOR, random_image, write_small_model

from ftdist.errors import InputError
from ftdist.many.inputs import read_input
from ftdist.network.darknet.importer import parse_cfg

Refused = Callable[..., Outcome]


def npy(header: str, body: bytes = b"") -> bytes:
    """A .npy file with any text for a header."""
    text = header.encode("latin1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def sound_header(descr: str = "'<f4'", shape: str = "(3, 64, 64)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: None, ("m.ftd", "No such file")),
        (lambda content: b"", ("m.ftd", "not a model file")),
        (lambda content: b"PK\x03\x04" + content[4:], ("m.ftd", "not a model file")),
        (lambda content: content[:40], ("m.ftd", "cut short")),
        (lambda content: content[:-1], ("m.ftd", "bytes instead of")),
        (lambda content: content + b"\0", ("m.ftd", "bytes instead of")),
        (lambda content: content[:8] + b"\x09" + content[9:], ("m.ftd", "format version 9")),
        (lambda content: content[:99] + b"\0" + content[100:], ("m.ftd", "header is damaged")),
        (lambda content: content[:-99] + b"\xff" + content[-98:], ("m.ftd", "are damaged")),
    ],
)
def test_models(
    things: Path,
    tmp_path: Path,
    refused: Refused,
    damage: Callable[[bytes], bytes | None],
    words: tuple[str, ...],
) -> None:
    content = damage((things / "chain.ftd").read_bytes())
    if content is not None:
        (tmp_path / "m.ftd").write_bytes(content)
    refused("run", "m.ftd", things / "image.npy", "-o", "out.npy", words=words)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.npy", None, ("absent.npy", "No such file")),
        ("absent.jpg", None, ("absent.jpg", "no such file")),
        ("text.jpg", b"hello", ("text.jpg", "not a picture")),
        ("empty.png", b"", ("empty.png", "not a picture")),
        ("text", b"hello", ("text", "not a picture")),
        ("empty.npy", b"", ("empty.npy",)),
        ("short.npy", npy(sound_header(), bytes(99)), ("short.npy",)),
        ("headless.npy", b"\x93NUMPY\x01\x00\xff\x00{'descr", ("headless.npy",)),
        ("open.npy", npy("{'descr': '<f4', 'shape': ("), ("open.npy",)),
        ("nested.npy", npy("(" * 9000), ("nested.npy",)),
        ("minus.npy", npy("-" * 9000), ("minus.npy",)),
        ("pickle.npy", npy(sound_header("'|O'"), b"cos\nsystem\n"), ("pickle.npy",)),
        ("zip.npy", b"PK\x05\x06" + bytes(18), ("zip.npy",)),
        ("huge.npy", npy(sound_header(shape="(3, 99999999999, 99999999999)")), ("huge.npy",)),
        ("negative.npy", npy(sound_header(shape="(3, -64, 64)"), bytes(9999)), ("negative.npy",)),
        ("none.npy", npy(sound_header(shape="(3, 0, 64)")), ("none.npy",)),
        ("arrays.npz", b"PK\x05\x06" + bytes(18), ("arrays.npz", ".npy")),
    ],
)
def test_inputs(
    things: Path,
    tmp_path: Path,
    refused: Refused,
    name: str,
    content: bytes | None,
    words: tuple[str, ...],
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused("run", things / "chain.ftd", name, "-o", "out.npy", words=words)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (random_image(64).astype(np.complex64), ("in.npy", "complex64", "float32")),
        (random_image(64).astype("U4"), ("in.npy", "<U4")),
        (random_image(64)[:, :-1], ("in.npy", "(3, 63, 64)", "(3, 64, 64)")),
        (random_image(64).transpose(1, 2, 0), ("in.npy", "(64, 64, 3)")),
        (np.array(7, np.float32), ("in.npy", "()")),
    ],
)
def test_arrays(
    things: Path, tmp_path: Path, refused: Refused, array: np.ndarray, words: tuple[str, ...]
) -> None:
    """Whatever the budget: what is wrong with the input is said first."""
    np.save(tmp_path / "in.npy", array)
    arguments = ("run", things / "chain.ftd", "in.npy", "-o", "out.npy", "--mem", "33M")
    refused(*arguments, words=words)


def test_what_not_even_numpy_fits_is_refused_before_it_is_imported(
    things: Path, tmp_path: Path
) -> None:
    """In a group of so little memory the process would be ended without a word."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('numpy was imported')")
    (tmp_path / "in.npy").touch()
    commands = (
        ("run", things / "chain.ftd", "in.npy"),
        ("plan", things / "chain.ftd"),
        ("worker", "tcp://127.0.0.1:1"),
        ("coordinator", things / "chain.ftd"),
    )
    for command in commands:
        outcome = ftdist_command(*command, "--mem", "28M", folder=tmp_path)
        assert_refused(outcome, 3, "nothing fits 28.0 MiB (--mem)")


def test_arrays_of_objects_are_never_unpickled(
    things: Path, tmp_path: Path, refused: Refused
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.save(tmp_path / "in.npy", np.array([Trap()], object), allow_pickle=True)
    refused("run", things / "chain.ftd", "in.npy", "-o", "out.npy", words=("in.npy",))


@pytest.mark.parametrize(
    ("model", "given", "output", "words"),
    [
        ("chain", "image.npy", "absent/out.npy", ("absent is not a folder",)),
        ("chain", "image.npy", "folder.npy", ("folder.npy", "not a regular file")),
        ("chain", "image.npy", "out.jpg", ("out.jpg", "not a detector")),
        ("chain", "image.npy", "out.txt", ("out.txt",)),
        ("chain", "image.npy", "out", ("out",)),
        ("two", "image.npy", "out.npy", ("out.npy", "several outputs", ".npz")),
        ("detector", "image.npy", "out.jpg", ("out.jpg", "image.npy")),
        ("detector", "photo.png", "out.xyz", ("out.xyz",)),
        ("detector", "photo.png", "absent/out.png", ("absent is not a folder",)),
    ],
)
def test_outputs(
    things: Path,
    tmp_path: Path,
    refused: Refused,
    model: str,
    given: str,
    output: str,
    words: tuple[str, ...],
) -> None:
    """Before any work: not even the budget has been looked at."""
    (tmp_path / "folder.npy").mkdir()
    arguments = ("run", things / f"{model}.ftd", things / given, "-o", output, "--mem", "33M")
    refused(*arguments, words=words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mem", "lots"), ("'lots' is not a size",)),
        (("--mem", "0"), ("'0' is not a size",)),
        (("--mem", "64"), ("--mem 64 is 64 bytes", "was 64M meant?")),
        (("--mem", "-5"), ()),
        (("--mem", ""), ("after '--mem' is empty",)),
        (("--mem=",), ("after '--mem=' is empty",)),
        (("",), ("after 'out.npy' is empty", "variable of the shell")),
        (("--mem", "9" * 400), ("is not a size",)),
        (("--mem",), ("--mem",)),
        (("--threads", "0"), ("--threads", "'0'")),
        (("--threads", "1025"), ("--threads", "'1025'", "from 1 to 1024")),
        (("--threads", "two"), ("--threads", "'two'")),
        (("--threads", "-1"), ("--threads",)),
        (("--repeat", "0"), ("--repeat", "'0'")),
        (("--tiling", "3x"), ("'3x'",)),
        (("--tiling", ""), ("after '--tiling' is empty",)),
        (("--tiling", "0x1"), ("'0x1'",)),
        (("--tiling", "1x1s0"), ("strip",)),
        (("--tiling", "1x1/2"), ("tiling",)),
        (("--tiling", "1x1/0/1x1"), ("layer 0",)),
        (("--tiling", "1x1/4/1x1"), ("layer 4", "1 and 3")),
        (("--tiling", "1x1/2/1x1/2/1x1"), ("layer 2",)),
        (("--tiling", "33x1"), ("33x1", "32x32x7")),
        (("--tiling", "999999x999999"), ("does not fit",)),
        (("--tiling", "1x1", "--plan", "p.json"), ("not allowed with",)),
        (("--plan", "absent.json"), ("absent.json", "No such file")),
        (("--plan", "."), ("cannot be read",)),
        (("--json", "absent/r.json", "--mem", "33M"), ("absent is not a folder",)),
        (("--kernels", "cuda"), ("'cuda'",)),
        (("--kernels", "two\nlines"), ("two\\nlines",)),
        (("--kernels", "reference", "--mem", "1G"), ("reference",)),
        (("--fast",), ("--fast",)),
    ],
)
def test_options(
    things: Path, refused: Refused, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    arguments = ("run", things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    refused(*arguments, *options, words=words)


def test_an_instruction_set_that_is_not_there(things: Path, refused: Refused) -> None:
    arguments = ("run", things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    refused(*arguments, FTDIST_ISA="nonsense", words=("FTDIST_ISA=nonsense", "scalar"))


@pytest.mark.parametrize("line", ["help jump", "run", "run m.ftd", "jump", "--nonsense"])
def test_incomplete_commands(refused: Refused, line: str) -> None:
    refused(*line.split(), words=("--help",))


def test_help_in_all_its_spellings(tmp_path: Path) -> None:
    bare = ftdist_command(folder=tmp_path)
    asked = ftdist_command("--help", folder=tmp_path)
    assert bare == replace(asked, status=2) and "COMMAND" in asked.out and asked.err == ""
    assert ftdist_command("help", folder=tmp_path) == asked
    assert "help" in asked.out
    for command in ("run", "worker", "keygen"):
        shown = ftdist_command("help", command, folder=tmp_path)
        assert shown == ftdist_command(command, "--help", folder=tmp_path)
        assert shown.status == 0 and f"ftdist {command}" in shown.out


def test_names_with_line_ends_stay_one_line(things: Path, refused: Refused) -> None:
    refused("run", things / "chain.ftd", "a\nb\x1b[2J.npy", words=("a\\nb\\x1b[2J.npy",))
    refused("run", b"\xff.ftd".decode(errors="surrogateescape"), "x.npy", words=("\\udcff",))


def test_labels_of_another_count_are_refused_before_the_run(
    things: Path, tmp_path: Path, refused: Refused
) -> None:
    model = write_small_model(tmp_path / "m.ftd", DETECTOR, labels=("only one",))
    words = ("1 name ", "2 classes")
    refused("run", model, things / "image.npy", "-o", "out.npy", words=words)


def test_a_smaller_model_file_while_it_runs_is_no_concern_of_the_report(
    things: Path, tmp_path: Path
) -> None:
    """The model may be replaced (not rewritten) at any time: the old one stays mapped."""
    (tmp_path / "m.ftd").write_bytes((things / "chain.ftd").read_bytes())
    arguments = ("run", "m.ftd", things / "image.npy", "--repeat", "3")
    assert ftdist_command(*arguments, folder=tmp_path).status == 0


@pytest.mark.parametrize("arguments", [("import", "--list"), ("--help",), ("run", "--help")])
def test_a_reader_that_left_is_no_error_to_talk_about(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """The reader is gone before the first line, for it is waited for."""
    line = '{ sleep 0.2; "$@"; echo $? >status; } | true'
    outcome = in_shell(line, *arguments, folder=tmp_path)
    assert outcome == Outcome(0, "", "")
    assert (tmp_path / "status").read_text() in ("0\n", "1\n")


def test_closed_and_full_outputs(things: Path, tmp_path: Path) -> None:
    run = ("run", things / "chain.ftd", things / "image.npy", "-o", "out.npy")

    def with_streams(redirection: str, *arguments: object) -> Outcome:
        return in_shell(f'exec "$@" {redirection}', *arguments, folder=tmp_path)

    assert with_streams(">&-", *run) == Outcome(0, "", "")
    assert np.load(tmp_path / "out.npy").shape == (7, 32, 32)
    assert with_streams("2>&-", *run).status == 0
    assert with_streams("2>&-", "run", "absent.ftd", "x.npy") == Outcome(2, "", "")
    assert with_streams("<&- >&- 2>&-", "import", "--list") == Outcome(0, "", "")
    full = with_streams(">/dev/full", *run)
    assert full.status == 1
    assert full.err.count("\n") == 1 and "No space left" in full.err


@pytest.mark.parametrize("output", ["out.npy", "out.npz"])
def test_a_full_disk_leaves_nothing(things: Path, tmp_path: Path, output: str) -> None:
    """A limit on the size of files stands for a disk without space."""
    limited = 'ulimit -f 8; trap "" XFSZ; exec "$@"'
    arguments = ("run", things / "chain.ftd", things / "image.npy", "-o", output)
    outcome = in_shell(limited, *arguments, folder=tmp_path)
    assert_refused(outcome, 2, f"cannot write {output}: File too large")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_full_for_the_report_keeps_no_result_from_being_printed(
    things: Path, tmp_path: Path
) -> None:
    limited = 'ulimit -f 1; trap "" XFSZ; exec "$@"'
    run = ("run", things / "chain.ftd", things / "image.npy", "--json", "report.json")
    outcome = in_shell(limited, *run, folder=tmp_path)
    assert outcome.status == 2
    assert outcome.err == "ftdist: cannot write report.json: File too large\n"
    assert "latency    predicted " in outcome.out
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=300)
@given(some.data())
def test_any_damage_to_a_header_is_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: some.DataObject
) -> None:
    network = parse_cfg(CHAIN, "chain").network
    header = bytearray(npy(sound_header()))
    for _ in range(data.draw(some.integers(1, 3))):
        at = data.draw(some.integers(0, len(header) - 1))
        header[at] = data.draw(some.integers(0, 255) | some.sampled_from(b"()[]{}',:-0\n"))
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    path.write_bytes(bytes(header) + bytes(3 * 64 * 64 * 4))
    try:
        array = read_input(path, network).array
    except InputError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert not isinstance(array, dict)
        assert array.shape == (3, 64, 64) or array.dtype == np.uint8
