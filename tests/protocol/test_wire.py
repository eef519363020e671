"""What goes out comes in the same; what breaks a limit neither goes out nor comes in."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.protocol.anymessage import (
    MESSAGES,
    arrays,
    equal,
    framed,
    frames_of,
    refusal,
    tree,
    values,
)
from support.protocol.messagelimits import sampled

from ftdist.geometry import Region
from ftdist.protocol import client_messages, shared_messages, worker_messages
from ftdist.protocol.client_messages import JobFailed
from ftdist.protocol.limits import PROTOCOL, versions_differ
from ftdist.protocol.messages import FROM_CLIENT, FROM_COORDINATOR, FROM_EITHER, FROM_WORKER
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import Beat, Bye
from ftdist.protocol.wire import decode, encode
from ftdist.protocol.worker_messages import Failed, Hello, Probe, ProbeReply, Result

every_kind = pytest.mark.parametrize("of", MESSAGES, ids=lambda of: of.kind)


@every_kind
@settings(max_examples=40)
@given(data=st.data())
def test_what_goes_out_comes_in_the_same(of: Any, data: st.DataObject) -> None:
    message = data.draw(values(of))
    frames = encode(message)
    assert [bytes(each) for each in frames] == frames_of(message)
    assert equal(decode(frames), message)


# ---- words for people


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        ("a\nb\tc\x1b[31m", "a b c [31m"),
        ("turned \u202ereverof", "turned  reverof"),
        ("lost \udcff byte", "lost   byte"),
        ("a" * 501, "a" * 497 + "..."),
        ("\u20ac" * 167, "\u20ac" * 165 + "..."),
        ("a" * 500, "a" * 500),
        ("", ""),
        ("\U0001f600 \xa0 Gr\xfc\xdfe", "\U0001f600 \xa0 Gr\xfc\xdfe"),
    ],
)
def test_lines_are_made_safe_before_they_are_sent(given_: str, sent: str) -> None:
    assert decode(encode(Bye(given_))) == Bye(sent)
    assert decode(encode(JobFailed("job", (given_,)))) == JobFailed("job", (sent,))


def test_names_are_never_changed() -> None:
    for name in ("a\nb", "\ud800", "a" * 65):
        with pytest.raises(ValueError, match=r"JobFailed\.job"):
            encode(JobFailed(name, ()))


# ---- numbers


def test_whole_numbers_may_be_given_for_reals_and_travel_as_reals() -> None:
    message = decode(encode(ProbeReply(1, 5)))
    assert isinstance(message, ProbeReply) and type(message.clock_s) is float
    assert decode(encode(ProbeReply(1, np.float64(0.5)))) == ProbeReply(1, 0.5)
    with pytest.raises(ValueError, match="clock_s"):
        encode(ProbeReply(1, 10**400))


# ---- arrays


def message_with(data: Any) -> Result:
    rows, columns = data.shape[:2]
    piece = Piece(3, Region(5, 5 + rows, 7, 7 + columns), data)
    return dataclasses.replace(sampled(Result), pieces=(piece, piece))


def test_arrays_are_views_both_ways_and_read_only() -> None:
    whole = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
    frames = encode(message_with(whole[1:3]))
    assert all(np.shares_memory(np.frombuffer(each, np.uint8), whole) for each in frames[1:])
    decoded = decode(frames)
    assert isinstance(decoded, Result)
    for piece in decoded.pieces:
        assert np.shares_memory(piece.data, whole)
        assert not piece.data.flags.writeable
        assert piece.data.flags.c_contiguous and piece.data.flags.aligned
    whole[1, 0, 0] = -1
    assert decoded.pieces[1].data[0, 0, 0] == -1


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_arrays_that_do_not_lie_together_are_copied(dtype: Any) -> None:
    whole = np.arange(5 * 4 * 6).astype(dtype).reshape(5, 4, 6)
    for part in (whole[:, 1:3], whole[::2], whole[:, :, ::2], whole[::-1], whole[1:2, ::4]):
        message = message_with(part)
        frames = encode(message)
        assert [bytes(each) for each in frames] == frames_of(message)
        assert equal(decode(frames), message_with(part.copy()))


def test_values_that_lie_askew_are_copied_and_only_those() -> None:
    data = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    header, frame, _ = frames_of(message_with(data))
    for offset in range(9):
        store = np.zeros(64, np.uint8)
        assert store.ctypes.data % 4 == 0
        store[offset : offset + 24] = np.frombuffer(frame, np.uint8)
        message = decode([header, store[offset : offset + 24].data, frame])
        assert isinstance(message, Result)
        taken = message.pieces[0].data
        assert np.array_equal(taken, data)
        assert taken.flags.aligned and not taken.flags.writeable
        assert np.shares_memory(taken, store) == (offset % 4 == 0)


def bytes_array(frame: bytes) -> Any:
    return np.frombuffer(frame, np.uint8)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes_array])
def test_frames_may_be_any_buffers(kind: Any) -> None:
    for message in (message_with(np.ones((2, 2, 2), np.uint8)), Probe(1, np.arange(8, dtype="u1"))):
        decoded = decode([kind(each) for each in frames_of(message)])
        assert equal(decoded, message)
        assert not any(each.flags.writeable for each in arrays(decoded))


# ---- who may say what


def test_every_message_has_a_sender_and_a_kind_of_its_own() -> None:
    assert set(MESSAGES) == FROM_EITHER | FROM_WORKER | FROM_CLIENT | FROM_COORDINATOR
    assert len({of.kind for of in MESSAGES}) == len(MESSAGES)
    assert FROM_COORDINATOR.isdisjoint(FROM_WORKER | FROM_CLIENT)
    assert FROM_EITHER.isdisjoint(FROM_WORKER | FROM_CLIENT | FROM_COORDINATOR)


@pytest.mark.parametrize(
    ("ways", "role"),
    [
        (("from the worker", "to the coordinator"), FROM_WORKER),
        (("from the client", "to the coordinator"), FROM_CLIENT),
        (("to the worker", "to the client", "from the coordinator"), FROM_COORDINATOR),
        (("either way",), FROM_EITHER),
    ],
)
def test_roles_are_as_described(ways: tuple[str, ...], role: Any) -> None:
    """The tables in the docstrings of the modules of messages say who sends what."""
    modules = worker_messages, client_messages, shared_messages
    said = "\n".join(each.__doc__ or "" for each in modules)
    lines = [line for way in ways for line in re.findall(rf"^    {way} +([\w, ]+)", said, re.M)]
    assert len(lines) == len(ways)
    named = {name for line in lines for name in re.findall(r"\w+", line)}
    assert named == {of.__name__ for of in role}


@every_kind
@pytest.mark.parametrize("role", [FROM_WORKER, FROM_CLIENT, FROM_COORDINATOR])
def test_only_what_is_expected_is_taken(of: Any, role: Any) -> None:
    frames = frames_of(sampled(of))
    if of in role:
        assert type(decode(frames, role)) is of
    else:
        assert refusal(frames, role) == f"a {of.kind} is not expected here"


def test_only_messages_are_sent() -> None:
    for other in (None, "beat", Beat, sampled(Result).task, Region(0, 1, 0, 1), 3):
        with pytest.raises(ValueError, match="is not a message"):
            encode(other)  # type: ignore[arg-type]


# ---- other protocols

OTHER = PROTOCOL + 1


@pytest.mark.parametrize("kind", ["hello", "submit", "status-request", "welcome"])
@pytest.mark.parametrize("rest", [["unheard-of", ["a", "b"]], [None], [0] * 40])
def test_another_protocol_is_named_whatever_follows(kind: str, rest: Any) -> None:
    assert refusal(framed(kind, [OTHER, *rest])) == versions_differ(OTHER)
    assert refusal([*framed(kind, [OTHER, *rest]), b"frame"]) == versions_differ(OTHER)
    assert "speak" not in refusal(framed("job-failed", [OTHER, *rest]))
    assert "I speak" not in refusal(framed(kind, [PROTOCOL, *rest, 0, 0, 0]))
    assert "I speak" not in refusal(framed(kind, [str(OTHER), *rest, 0, 0, 0]))
    assert "I speak" not in refusal(framed(kind, [True, *rest, 0, 0, 0]))


def test_another_protocol_that_can_be_read_is_read() -> None:
    hello = dataclasses.replace(sampled(Hello), protocol=OTHER)
    assert decode(encode(hello), FROM_WORKER) == hello
    assert versions_differ(OTHER) in refusal(
        frames_of(dataclasses.replace(hello, name="a\nb")), FROM_WORKER
    )


def test_complaints_name_the_field_and_its_limits() -> None:
    assert refusal(framed("probe-reply", [-1, 0.0])) == (
        "ProbeReply.number: -1 is not a whole number from 0 to 16777216"
    )
    assert refusal(framed("bye", ["a" * 400 + "\n"])).startswith(f"Bye.reason: '{'a' * 40}...' is")
    assert refusal(framed("bye", [])) == "Bye: 0 fields instead of 1"
    assert refusal(framed("hello", [])) == "Hello: 0 fields instead of 11"
    assert refusal(framed("beat", [2])) == "Beat: 1 fields instead of 0"
    failed = tree(dataclasses.replace(sampled(Failed), reason="other"))
    assert refusal(framed("failed", failed)).endswith("is not one of memory, weights, kept, error")
