"""The text of .cfg files: what counts as a section, a key and a number, and what errors say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.network.darknet.cfg import (
    LARGEST_FILE_BYTES,
    Option,
    Section,
    closest,
    parse_sections,
    read_text,
    shown,
)

WORD = st.text("abcdefghijklmnopqrstuvwxyz_0123456789.,-", min_size=1, max_size=8)
GAP = st.sampled_from(["", " ", "\t", "  "])
NOISE = st.sampled_from(["", "   ", "# a comment", "; another = one", "  #[net]"])
SECTIONS = st.lists(
    st.tuples(WORD, st.lists(st.tuples(WORD, WORD, GAP), max_size=4)), min_size=1, max_size=4
)


@given(SECTIONS, NOISE, GAP, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "\ufeff"]))
def test_layout_does_not_matter(written, noise, gap, newline, mark) -> None:
    lines = [noise]
    expected = []
    for kind, options in written:
        lines.append(f"{gap}[{gap}{kind}{gap}]{gap}{noise}")
        header = len(lines)
        parsed = []
        for key, value, around in options:
            lines += [noise, f"{gap}{key}{around}={around}{value}{gap}{noise}"]
            parsed.append(Option(key, value, len(lines)))
        expected.append(Section(kind, header, tuple(parsed), "net.cfg"))
    assert parse_sections(mark + newline.join(lines), "net.cfg") == tuple(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width=3\n[net]", "n.cfg:1: 'width=3' stands before the first [section]"),
        ("# x\n\n\0\0", r"n.cfg:3: '\x00\x00' stands before the first [section]"),
        ("[net", "n.cfg:1: '[net' is not a section header like [net]"),
        ("[]", "n.cfg:1: '[]' is not a section header like [net]"),
        ("[net] width=3", "n.cfg:1: '[net]width=3' is not a section header like [net]"),
    ],
)
def test_lines_that_mean_nothing_are_named(text, message) -> None:
    with pytest.raises(InputError) as caught:
        parse_sections(text, "n.cfg")
    assert str(caught.value) == message


def test_form_feeds_do_not_shift_line_numbers() -> None:
    with pytest.raises(InputError, match=r"^n\.cfg:2:"):
        parse_sections("# page\f\v\u2028 two\nwidth", "n.cfg")


@pytest.mark.parametrize("line", ["Testing", "stride=", "= 3", "=", "stride ="])
def test_lines_without_a_value_are_set_apart(line) -> None:
    (parsed,) = parse_sections(f"[net]\n{line}\nstride=2", "n.cfg")
    assert parsed.integer("stride") == 2
    assert [each.line for each in parsed.stray] == [2]
    assert parsed.stray[0].key == line.replace(" =", "").rstrip("=") or "=" in line


def test_what_follows_the_last_wanted_section_may_be_anything() -> None:
    parsed = parse_sections("[net]\n[conv]\nsize=3\n[not\n\0\n=", "n.cfg", most=2)
    assert [each.kind for each in parsed] == ["net", "conv"]


def section(*options: str) -> Section:
    (parsed,) = parse_sections("[yolo]\n" + "\n".join(options), "n.cfg")
    return parsed


def test_values_are_numbers_where_asked() -> None:
    parsed = section("classes = 80", "mask = 0, -1,+2", "anchors=1, 2.5,.5 , 1e-1", "name = x y")
    assert parsed.integer("classes") == 80
    assert parsed.integers("mask") == (0, -1, 2)
    assert parsed.floats("anchors") == (1.0, 2.5, 0.5, 0.1)
    assert parsed.string("name") == "xy"
    assert parsed.number("classes") == 80.0
    assert parsed.flag("classes")
    assert not parsed.flag("absent")
    assert (parsed.integer("absent", 7), parsed.number("absent", 0.5)) == (7, 0.5)
    assert parsed.string("absent", "z") == "z"


@pytest.mark.parametrize(
    ("value", "accessor"),
    [
        ("two", "integer"),
        ("-", "integer"),
        ("٣", "integer"),
        ("9" * 10, "integer"),
        ("1,,2", "integers"),
        (",1", "integers"),
        ("nan", "floats"),
        ("1, inf", "floats"),
        ("1e999", "number"),
        ("two", "number"),
        (".", "number"),
        ("0x1p9999", "number"),
    ],
)
def test_values_that_are_no_numbers_are_named(value, accessor) -> None:
    parsed = section("# first", f"key = {value}")
    with pytest.raises(InputError, match=r"^n\.cfg:3: \[yolo\] key: '.*' is not a "):
        getattr(parsed, accessor)("key")


def test_minimum_and_missing_key() -> None:
    parsed = section("stride = 0")
    with pytest.raises(InputError, match=r"^n\.cfg:2: \[yolo\] stride: 0 is less than 1$"):
        parsed.integer("stride", 1, minimum=1)
    with pytest.raises(InputError, match=r"^n\.cfg:1: \[yolo\]: the key anchors is missing$"):
        parsed.floats("anchors")


@pytest.mark.parametrize(
    ("value", "accessor", "expected"),
    [
        ("0.1.", "number", 0.1),
        ("1e-3x", "number", 1e-3),
        ("0x1.8p1", "number", 3.0),
        ("1_0", "number", 1.0),
        ("5.", "number", 5.0),
        (".5e", "number", 0.5),
        ("2.0", "integer", 2),
        ("1e3", "integer", 1),
        ("0x10", "integer", 0),
        ("+7px", "integer", 7),
        ("1,2", "integer", 1),
        ("007", "integer", 7),
        ("-1.9", "integer", -1),
        ("0 1, 2", "integers", (1, 2)),
        ("1,2,", "integers", (1, 2)),
        ("10,13, 16,30,", "floats", (10.0, 13.0, 16.0, 30.0)),
    ],
)
def test_numbers_end_where_c_ends_them(value, accessor, expected) -> None:
    assert getattr(section(f"key = {value}"), accessor)("key") == expected


@pytest.mark.parametrize("value", ["0.1.", "1e-3x", "1_0", "2px"])
def test_what_is_left_of_a_number_is_remarked_on_once(value) -> None:
    parsed = section(f"key = {value}")
    parsed.number("key")
    parsed.number("key")
    (remark,) = parsed.remarks
    assert remark.startswith(f"n.cfg:2: [yolo] key: '{value}' is read as ")


@pytest.mark.parametrize("value", ["2", "2.", "2.0", "2.000", "+2"])
def test_plain_numbers_are_not_remarked_on(value) -> None:
    parsed = section(f"key = {value}")
    assert parsed.integer("key") == parsed.number("key") == 2
    assert not [each for each in parsed.remarks if "integer" in each]


def test_of_contradictions_the_first_counts_and_is_remarked_on_where_it_is_read() -> None:
    parsed = section("steps = 1", "num = 5", "steps = 2", "num=5")
    assert parsed.integer("num") == 5
    assert not parsed.remarks
    assert parsed.integer("steps") == 1
    assert parsed.remarks == (
        "n.cfg:2: [yolo] steps: '1' counts; line 4 says '2', which Darknet ignores",
    )


def test_quotes_are_escaped_and_cut() -> None:
    assert shown("a\x1b[1mb") == r"'a\x1b[1mb'"
    assert len(shown("x" * 1000)) < 60


def test_closest_names_one_or_all() -> None:
    assert closest("mxpool", ["route", "maxpool"]) == "did you mean maxpool?"
    assert closest("zzz", ["route", "maxpool"]) == "known are maxpool, route"


def test_files_that_are_no_cfg(tmp_path: Path) -> None:
    path = tmp_path / "n.cfg"
    with pytest.raises(InputError, match=r"n\.cfg: cannot be read: No such file"):
        read_text(path)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_text(tmp_path)
    path.write_bytes(b"[net]\nwidth=3\n\0\xfe")
    with pytest.raises(InputError, match=r"n\.cfg: is not a \.cfg file: not text"):
        read_text(path)
    path.write_text("<!DOCTYPE html>\n<html>\n[net]\n")
    with pytest.raises(InputError, match=r"n\.cfg: is a web page; download the file itself"):
        read_text(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n")
    with pytest.raises(InputError, match=r"n\.cfg: is a Git LFS pointer"):
        read_text(path)
    path.write_bytes(bytes(LARGEST_FILE_BYTES + 1))
    with pytest.raises(InputError, match="larger than"):
        read_text(path)
    path.write_bytes("# größer\n[net]".encode())
    assert read_text(path) == "# größer\n[net]"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030", "latin-1", "cp1251"])
def test_the_encoding_of_a_comment_does_not_matter(tmp_path: Path, encoding: str) -> None:
    comment = {"gb18030": "训练参数", "latin-1": "Größe: très élevé", "cp1251": "размер"}
    text = f"# {comment.get(encoding, 'größer 训练')}\n[net]\nwidth=3\n"
    path = tmp_path / "n.cfg"
    path.write_bytes(text.encode(encoding))
    assert read_text(path).removeprefix("\ufeff") == text
    (parsed,) = parse_sections(read_text(path), "n.cfg")
    assert parsed.integer("width") == 3
