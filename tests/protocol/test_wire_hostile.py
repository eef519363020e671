"""Whatever comes in is a valid message or refused: in one line, at once, without much memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.command import COUNT_ERROR_BYTES
from support.protocol.anymessage import (
    MESSAGES,
    arrays,
    flaws,
    framed,
    frames_of,
    hints,
    refusal,
    tree,
    values,
)
from support.protocol.messagelimits import sampled

from ftdist.protocol.limits import HEADER_BYTES, TENSORS
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Bye
from ftdist.protocol.wire import decode, encode
from ftdist.protocol.worker_messages import Result

every_kind = pytest.mark.parametrize("of", MESSAGES, ids=lambda of: of.kind)
with_arrays = pytest.mark.parametrize(
    "of", [of for of in MESSAGES if list(arrays(sampled(of)))], ids=lambda of: of.kind
)


def outcome(frames: list[Any]) -> Any:
    """The message, which is valid, or the line that refuses it."""
    try:
        message = decode(frames)
    except WireError as error:
        words = str(error)
        assert words and len(words) <= 200 and words.isprintable()
        return words
    assert not flaws(message)
    assert decode(encode(message)) is not None
    return message


# ---- damaged on the way


@every_kind
@settings(max_examples=10)
@given(data=st.data())
def test_what_ends_early_or_late_is_refused(of: Any, data: st.DataObject) -> None:
    frames = frames_of(data.draw(values(of)))
    for number, frame in enumerate(frames):
        for cut in range(len(frame)):
            refusal([*frames[:number], frame[:cut], *frames[number + 1 :]])
        refusal([*frames[:number], frame + b"\0", *frames[number + 1 :]])
        refusal([*frames[:number], b"\0" + frame, *frames[number + 1 :]])


@every_kind
@settings(max_examples=4)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_means_something_else(of: Any, data: st.DataObject) -> None:
    header, *tensors = frames_of(data.draw(values(of)))
    for place in range(len(header)):
        for change in (*(1 << bit for bit in range(8)), 0xFF, data.draw(st.integers(1, 255))):
            changed = bytearray(header)
            changed[place] ^= change
            outcome([bytes(changed), *tensors])


@with_arrays
@settings(max_examples=20)
@given(data=st.data())
def test_frames_are_neither_missing_nor_left_over(of: Any, data: st.DataObject) -> None:
    message = data.draw(values(of).filter(lambda each: bool(list(arrays(each)))))
    header, *tensors = frames_of(message)
    assert "frame is missing" in refusal([header, *tensors[:-1]])
    assert "frame is missing" in refusal([header])
    assert "more frames than its header names" in refusal([header, *tensors, b""])
    assert "more frames than its header names" in refusal([header, *tensors, tensors[0]])


@every_kind
def test_what_has_no_arrays_has_no_further_frames(of: Any) -> None:
    frames = frames_of(sampled(of))
    assert "more frames than its header names" in refusal([*frames, b""])


def test_frames_of_other_sizes_than_the_header_names_are_refused() -> None:
    header, tensor = frames_of(sampled(Result))
    for frame in (b"", tensor[:-4], tensor + tensor, tensor[:6]):
        words = refusal([header, frame])
        assert f"a frame of {len(frame)} bytes for 24 bytes of values" in words


def test_more_frames_than_any_message_has_are_refused_unread() -> None:
    assert refusal([]) == "a message of 0 frames"
    assert refusal([b"?"] * (TENSORS + 2)) == f"a message of {TENSORS + 2} frames"
    assert "msgpack" in refusal([b"?" + b"?"] * (TENSORS + 1))


# ---- made up


numbers = st.integers(-(1 << 63), (1 << 64) - 1) | st.integers(-2, 300) | st.floats()
texts = st.text(max_size=8) | st.sampled_from(["f4", "u1", "memory", "0f" * 16, "\ud7ff", "\x9f"])
others: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, b"", b"name", {}, {"a": 1}, {b"a": []}]
)
extensions = st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=17))
scalars = numbers | texts | others | extensions
structures = st.recursive(scalars, lambda inner: st.lists(inner, max_size=6), max_leaves=8)


@settings(max_examples=1000)
@given(st.binary(max_size=200), st.lists(st.binary(max_size=8), max_size=3))
def test_any_bytes(header: bytes, rest: list[bytes]) -> None:
    outcome([header, *rest])


@settings(max_examples=1000)
@given(structures)
def test_any_structure(structure: Any) -> None:
    refusal([msgpack.packb(structure)])


@settings(max_examples=500)
@given(
    st.sampled_from(MESSAGES), st.lists(structures, max_size=12), st.lists(st.binary(), max_size=2)
)
def test_any_fields(of: Any, fields: list[Any], rest: list[bytes]) -> None:
    outcome(framed(of.kind, fields) + rest)


@pytest.mark.parametrize("of", [of for of in MESSAGES if hints(of)], ids=lambda of: of.kind)
@settings(max_examples=100)
@given(data=st.data())
def test_anything_in_the_place_of_a_field(of: Any, data: st.DataObject) -> None:
    """What is otherwise right, with one field that may be anything."""
    header = tree(sampled(of))
    inner = header
    while True:
        step = data.draw(st.integers(0, len(inner) - 1))
        if not isinstance(inner[step], list) or data.draw(st.booleans()):
            break
        inner = inner[step]
    inner[step] = data.draw(structures)
    outcome(framed(of.kind, header, arrays(sampled(of))))


NESTED = b"\x91" * 900 + b"\x90"


@every_kind
def test_deep_nesting_is_refused_in_every_place(of: Any) -> None:
    """A thousand levels pass msgpack; they are neither printed, compared nor hashed."""
    for place in range(len(tree(sampled(of)))):
        fields = [msgpack.packb(each) for each in tree(sampled(of))]
        fields[place] = NESTED
        head = bytes([0x91 + len(fields)]) + msgpack.packb(of.kind)
        refusal([head + b"".join(fields), *(each.tobytes() for each in arrays(sampled(of)))])
    refusal([b"\x92" + NESTED + b"\x01"])
    refusal([NESTED])
    for level in (1023, 1024, 1025, 50_000):
        refusal([b"\x91" * level + b"\xc0"])


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xb3\xbf", b"\xf4\x90\x80\x80", b"\xe2\x82"],
)
def test_texts_that_are_not_unicode_are_refused(text: bytes) -> None:
    head = b"\x92\xa3bye" + bytes([0xA0 + len(text)])
    assert "UnicodeDecodeError" in refusal([head + text])
    assert outcome([head + b"a" * len(text)]) == Bye("a" * len(text))


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1},
        b"bytes",
        msgpack.ExtType(1, b""),
        msgpack.ExtType(1, b"abcd"),
        msgpack.Timestamp(1),
        "a" * 501,
        [0] * 4097,
    ],
    ids=str,
)
def test_what_no_message_has_is_not_even_unpacked(value: Any) -> None:
    for field in (value, [value], [[value]]):
        assert refusal(framed("prepare", ["0f" * 16, 1, field])).startswith(
            "not a msgpack header: "
        )


def test_a_header_of_more_than_its_limit_is_not_read() -> None:
    plain = msgpack.packb(["bye", "words"])
    assert "extra" in refusal([plain + bytes(HEADER_BYTES - len(plain))]).lower()
    assert refusal([plain + bytes(HEADER_BYTES + 1 - len(plain))]) == (
        f"a header of {HEADER_BYTES + 1} bytes, more than {HEADER_BYTES}"
    )


def test_kinds_that_are_none_are_refused() -> None:
    kinds: list[Any] = ["", "Hello", "hell", "hello ", "a" * 300, "a\n\x1b"]
    for kind in (*kinds, 3, None, 1.5, True, [], {}):
        words = refusal([msgpack.packb([kind, 1])])
        assert "unknown kind" in words or kind == {}
    headers: list[Any] = [None, 3, "hello", [], b"hello"]
    for header in headers:
        refusal([msgpack.packb(header)])


# ---- memory

MEASURED = r"""
import sys
from ftdist.protocol.limits import HEADER_BYTES
from ftdist.protocol.shared_messages import Bye
from ftdist.protocol.scalars import WireError
from ftdist.protocol.wire import decode, encode

def peak_bytes():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

def filled(head, unit):
    return head + unit * ((HEADER_BYTES - len(head)) // len(unit))

def listed(unit, items):
    '''A "forget" whose frames are a list of whole units.'''
    fits = (HEADER_BYTES - 64) // len(unit)
    rows = [b"\xdc" + items.to_bytes(2, "big") + unit * items] * (fits // items)
    return b"\x94\xa6forget\x90\x90\xdc" + len(rows).to_bytes(2, "big") + b"".join(rows)

def hostile():
    for announced in (b"\xdc\x10\x00", b"\xdc\xff\xff", b"\xdd\x00\x00\x10\x00",
                      b"\xdd\xff\xff\xff\xff", b"\xde\xff\xff", b"\xdf\xff\xff\xff\xff",
                      b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
                      b"\xc9\xff\xff\xff\xff\x01", b"\x91", b"\x81"):
        for count in (1, 100, 900, 1020, 20_000):
            yield [(announced * count)[:HEADER_BYTES]]
            yield [(b"\x93\xa7prepare" + announced * count)[:HEADER_BYTES]]
            yield [(b"\x92\xa4beat" + announced * count)[:HEADER_BYTES - 9] + b"\xc0" * 9]
    for unit in (b"\x80", b"\x90", b"\x91\xc0", b"\xa2ab", b"\xa0", b"\xca\0\0\0\1",
                 b"\xcd\x7f\x7f", b"\xc7\0\5", b"\xd4\5\0", b"\xc4\0", b"\x91\x91\xc0",
                 b"\xc3", b"\xa4\xf0\x9f\x98\x80"):
        yield [listed(unit, 4096 if len(unit) < 16 else 1024)]
        yield [listed(unit, 1024)]
        yield [filled(b"\xdc\xff\xff", unit)]
    yield [b"\x93\xa5probe\x01\x92\xa2u1\xce\x01\0\0\0", b""]
    yield [b"\x93\xa5probe\x01\x92\xa2u1\xce\xff\xff\xff\xff", b""]
    yield [b"\x93\xa5probe\x01\x92\xa2u1\x01"] + [b""] * 1000

decode(encode(Bye("warm")))
before = peak_bytes()
count = 0
for frames in hostile():
    for _ in range(3):
        try:
            decode(frames)
        except WireError:
            count += 1
        else:
            raise SystemExit(f"accepted: {frames[0][:40]}")
print(count, peak_bytes() - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peaks are read from Linux's VmHWM"
)
def test_no_header_takes_more_than_few_mebibytes() -> None:
    """Announced sizes are not believed: a thousand nested arrays could take 32 MiB and more."""
    command = [sys.executable, "-c", MEASURED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr
    count, growth = map(int, done.stdout.split())
    assert count > 500
    assert growth < (4 << 20) + COUNT_ERROR_BYTES
