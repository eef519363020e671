"""The text of .cfg files: what counts as a section, a key and a number, and what errors say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.network.cfg import (
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
def test_layout_does_not_matter(written, noise, gap, newline, mark):
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
        ("[net]\nwidth", "n.cfg:2: 'width' is no line like key = value"),
        ("[net]\n= 3", "n.cfg:2: '= 3' is no line like key = value"),
        ("[net", "n.cfg:1: '[net' is no section header like [net]"),
        ("[]", "n.cfg:1: '[]' is no section header like [net]"),
        ("[net] width=3", "n.cfg:1: '[net] width=3' is no section header like [net]"),
    ],
)
def test_lines_that_mean_nothing_are_named(text, message):
    with pytest.raises(InputError) as caught:
        parse_sections(text, "n.cfg")
    assert str(caught.value) == message


def test_form_feeds_do_not_shift_line_numbers():
    with pytest.raises(InputError, match=r"^n\.cfg:2:"):
        parse_sections("# page\f\v\u2028 two\nwidth", "n.cfg")


def section(*options: str) -> Section:
    (parsed,) = parse_sections("[yolo]\n" + "\n".join(options), "n.cfg")
    return parsed


def test_values_are_numbers_where_asked():
    parsed = section("classes = 80", "mask = 0, -1,+2", "anchors=1, 2.5,.5 , 1e-1", "name = x y")
    assert parsed.integer("classes") == 80
    assert parsed.integers("mask") == (0, -1, 2)
    assert parsed.floats("anchors") == (1.0, 2.5, 0.5, 0.1)
    assert parsed.string("name") == "x y"
    assert parsed.number("classes") == 80.0
    assert parsed.flag("classes")
    assert not parsed.flag("absent")
    assert (parsed.integer("absent", 7), parsed.number("absent", 0.5)) == (7, 0.5)
    assert parsed.string("absent", "z") == "z"


@pytest.mark.parametrize(
    ("value", "accessor"),
    [
        ("", "integer"),
        ("two", "integer"),
        ("1.0", "integer"),
        ("1_0", "integer"),
        ("٣", "integer"),
        ("9" * 10, "integer"),
        ("1,2", "integer"),
        ("1,,2", "integers"),
        ("1,", "integers"),
        ("nan", "floats"),
        ("1, inf", "floats"),
        ("1e999", "number"),
        ("1_0", "number"),
        ("0x10", "number"),
    ],
)
def test_values_that_are_no_numbers_are_named(value, accessor):
    parsed = section("# first", f"key = {value}")
    with pytest.raises(InputError, match=r"^n\.cfg:3: \[yolo\] key: '.*' is not a "):
        getattr(parsed, accessor)("key")


def test_minimum_and_missing_key():
    parsed = section("stride = 0")
    with pytest.raises(InputError, match=r"^n\.cfg:2: \[yolo\] stride: 0 is less than 1$"):
        parsed.integer("stride", 1, minimum=1)
    with pytest.raises(InputError, match=r"^n\.cfg:1: \[yolo\]: the key anchors is missing$"):
        parsed.floats("anchors")


def test_contradictions_matter_only_where_they_are_read():
    parsed = section("steps = 1", "num = 5", "steps = 2", "num=5")
    assert parsed.integer("num") == 5
    with pytest.raises(InputError) as caught:
        parsed.integer("steps")
    assert str(caught.value) == "n.cfg:2: [yolo] steps: '1' here, but line 4 says '2'"


def test_quotes_are_escaped_and_cut():
    assert shown("a\x1b[1mb") == r"'a\x1b[1mb'"
    assert len(shown("x" * 1000)) < 60


def test_closest_names_one_or_all():
    assert closest("mxpool", ["route", "maxpool"]) == "did you mean maxpool?"
    assert closest("zzz", ["route", "maxpool"]) == "known are maxpool, route"


def test_files_that_are_no_cfg(tmp_path: Path):
    path = tmp_path / "n.cfg"
    with pytest.raises(InputError, match=r"n\.cfg: cannot be read: No such file"):
        read_text(path)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_text(tmp_path)
    path.write_bytes(b"[net]\nwidth=3\n\xff\xfe")
    with pytest.raises(InputError, match=r"n\.cfg:3: is no \.cfg file: not UTF-8 text"):
        read_text(path)
    path.write_bytes(bytes(LARGEST_FILE_BYTES + 1))
    with pytest.raises(InputError, match="larger than"):
        read_text(path)
    path.write_bytes("# größer\n[net]".encode())
    assert read_text(path) == "# größer\n[net]"
