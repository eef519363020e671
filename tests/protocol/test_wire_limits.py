"""What breaks a limit neither goes out nor comes in; what keeps them all travels."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import msgpack
import numpy as np
import pytest
from support.protocol.anymessage import (
    MESSAGES,
    arrays,
    equal,
    flaws,
    frames_of,
    hints,
    refusal,
    taken_apart,
    tree,
    unsent,
)
from support.protocol.messagelimits import allowed, places, put, refused, sampled

from ftdist.geometry import Region
from ftdist.network.graph import LARGEST_SIDE, LONGEST_LIST
from ftdist.protocol.client_messages import Accepted, OutputMap, Submit
from ftdist.protocol.codec import record
from ftdist.protocol.limits import (
    CHUNK_BYTES,
    FRAME_BYTES,
    HEADER_BYTES,
    LENGTH,
    PROTOCOL,
    SIDE,
    TENSORS,
    AtMost,
    Hex,
    Prose,
    Values,
)
from ftdist.protocol.records import Group, Piece, Place
from ftdist.protocol.shared_messages import ModelChunk
from ftdist.protocol.wire import decode, encode
from ftdist.protocol.worker_messages import Assign, Prepare, Result

every_kind = pytest.mark.parametrize("of", MESSAGES, ids=lambda of: of.kind)


@every_kind
def test_every_field_is_taken_up_to_its_limits(of: Any) -> None:
    """At the limits a message travels, unless its class has something against the whole."""
    taken = 0
    for path, annotation in places(of):
        for value in allowed(annotation):
            message = put(sampled(of), path, value)
            if flaws(message):
                unsent(message)
                refusal(frames_of(message))
            else:
                taken += 1
                assert equal(decode(encode(message)), message), (path, value)
                assert equal(decode(frames_of(message)), message), (path, value)
    assert taken or not hints(of)


@every_kind
def test_nothing_goes_out_beyond_the_limits(of: Any) -> None:
    for path, annotation in places(of):
        prose = isinstance(taken_apart(annotation)[1], Prose)
        for value in refused(annotation):
            if prose and isinstance(value, str):
                continue
            assert path[0] in unsent(put(sampled(of), path, value)), (path, value)


@every_kind
def test_nothing_comes_in_beyond_the_limits(of: Any) -> None:
    message = sampled(of)
    for path, annotation in places(of):
        for value, tensor in refused_on_the_wire(annotation):
            fields = put(dataclasses_as_tuples(message), path_in_tree(of, path), value)
            tensors = [each.tobytes() for each in arrays(message)]
            header = msgpack.packb([of.kind, *fields])
            if tensor is not None:
                tensors[0] = tensor.tobytes()
            words = refusal([header, *tensors])
            assert "not a msgpack" in words or path[0] in words, (path, value, words)


def refused_on_the_wire(annotation: Any) -> list[tuple[Any, Any]]:
    """What a header must not hold in a field's place, with the frame that would go with it."""
    kind, limit = taken_apart(annotation)
    others: list[Any] = [b"name", {}, {"a": 1}, msgpack.ExtType(1, b""), msgpack.ExtType(1, b"abc")]
    if isinstance(limit, Values):
        arrays_ = [each for each in refused(annotation) if isinstance(each, np.ndarray)]
        native = [each for each in arrays_ if each.dtype.isnative]
        shapes: list[Any] = [(), ("f4",), (1, 2, 3), ("u1", -1), ("u1", 1.0), ("u1", True, 2, 3)]
        shapes += [("u1", None), ("f4", -1, -2, 3), ("<f4", 1, 2, 3), (b"f4", 1, 2, 3), None, 3]
        return [(tree(each), each) for each in native] + [(each, None) for each in others + shapes]
    if kind is float:
        others += [0, 1]
    return [(tree(each), None) for each in refused(annotation)] + [(each, None) for each in others]


def dataclasses_as_tuples(value: Any) -> Any:
    """A message as ``tree`` has it, in tuples."""
    if isinstance(value, list):
        return tuple(dataclasses_as_tuples(each) for each in value)
    return value if not dataclasses.is_dataclass(value) else dataclasses_as_tuples(tree(value))


def path_in_tree(of: Any, path: tuple[Any, ...]) -> tuple[int, ...]:
    """Where a field lies in a header's tuples."""
    found: list[int] = []
    for step in path:
        if isinstance(step, str):
            found.append(list(hints(of)).index(step))
            of = taken_apart(hints(of)[step])[0]
        else:
            found.append(step)
            of = taken_apart(of.__args__[step])[0]
    return tuple(found)


@every_kind
def test_a_message_within_its_limits_fits_into_a_header(of: Any) -> None:
    assert most_bytes(of) + len(msgpack.packb(of.kind)) <= HEADER_BYTES


def most_bytes(annotation: Any) -> int:
    """The most bytes that a field may take in a header."""
    kind, limit = taken_apart(annotation)
    if kind is Region:
        return 1 + 4 * 5
    if kind is float:
        return 9
    if kind is int:
        return max(len(msgpack.packb(int(each))) for each in (limit.least, limit.most))
    if isinstance(limit, Values):
        return 1 + 3 + 5 * limit.dimensions
    if isinstance(limit, Hex):
        return 3 + limit.digits
    if kind is str:
        return 3 + int(limit.count)
    if isinstance(limit, AtMost):
        return 5 + limit.count * most_bytes(kind.__args__[0])
    if dataclasses.is_dataclass(kind):
        return 3 + sum(map(most_bytes, hints(kind).values()))
    if getattr(kind, "__origin__", None) is tuple:
        return 1 + sum(map(most_bytes, kind.__args__))
    return 1 if kind is bool else max(1 + len(each) for each in kind.__args__)


def test_the_largest_assignment_and_preparation_travel() -> None:
    plain = sampled(Assign)
    groups = tuple(Group(n, n + 1, SIDE, SIDE, SIDE, True) for n in range(SIDE - 1024, SIDE))
    piece = Piece(SIDE, Region(SIDE - 1, SIDE, SIDE - 2, SIDE), np.ones((1, 2, 3), np.float32))
    place = Place(SIDE, Region(SIDE, SIDE, SIDE, SIDE))
    largest = dataclasses.replace(
        plain,
        groups=groups,
        pieces=(piece,) * TENSORS,
        kept=(place,) * TENSORS,
        returns=(place,) * TENSORS,
    )
    assert equal(decode(encode(largest)), largest)
    prepare = Prepare("0f" * 16, 1, tuple(range(SIDE - 4095, SIDE + 1)))
    assert equal(decode(encode(prepare)), prepare)


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        (np.float32, (SIDE, 1, 64)),
        (np.float32, (1, SIDE, 64)),
        (np.float32, (2, 32, SIDE)),
        (np.uint8, (256, 256, 256)),
    ],
)
def test_a_piece_may_be_as_large_as_a_frame(dtype: Any, shape: tuple[int, int, int]) -> None:
    data = np.zeros(shape, dtype)
    assert data.nbytes == FRAME_BYTES
    piece = Piece(0, Region(0, shape[0], 0, shape[1]), data)
    message = dataclasses.replace(sampled(Result), pieces=(piece,))
    assert equal(decode(encode(message)), message)


@pytest.mark.parametrize(
    ("dtype", "shape", "complaint"),
    [
        (np.float32, (SIDE, 1, 65), "are more than 16777216 bytes"),
        (np.uint8, (SIDE, 257, 1), "are more than 16777216 bytes"),
        (np.uint8, (0, 2, 3), "0 is not a side from 1 to 4194304"),
        (np.uint8, (2, 0, 3), "0 is not a side from 1 to 4194304"),
    ],
)
def test_a_piece_is_neither_empty_nor_larger_than_a_frame(
    dtype: Any, shape: tuple[int, int, int], complaint: str
) -> None:
    piece = Piece(0, Region(0, shape[0], 0, shape[1]), np.zeros(shape, dtype))
    refuse_both_ways(dataclasses.replace(sampled(Result), pieces=(piece,)), complaint)


# ---- what single fields cannot say


@pytest.mark.parametrize("region", [(0, 1, 0, 3), (0, 2, 0, 2), (5, 6, 7, 8), (0, 0, 0, 2)])
def test_values_of_another_size_than_their_region_are_refused(region: Any) -> None:
    piece = Piece(0, Region(*region), np.zeros((1, 2, 3), np.float32))
    refuse_both_ways(dataclasses.replace(sampled(Result), pieces=(piece,)), "values of (1, 2)")


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        ([(1, 1)], "layers 1 to 1 are none"),
        ([(3, 2)], "layers 3 to 2 are none"),
        ([(0, 2), (3, 4)], "from layer 3 follows one up to 2"),
        ([(0, 2), (1, 4)], "from layer 1 follows one up to 2"),
    ],
)
def test_groups_follow_one_another(layers: list[tuple[int, int]], complaint: str) -> None:
    groups = tuple(Group(*each, 1, 1, 0, False) for each in layers)
    refuse_both_ways(dataclasses.replace(sampled(Assign), groups=groups), complaint)


@pytest.mark.parametrize(
    "done", [((1, 1),), ((2, 1),), ((0, 2), (1, 3)), ((2, 3), (0, 1)), ((0, 4),)]
)
def test_frames_that_are_done_are_runs_in_order(done: Any) -> None:
    refuse_both_ways(Submit(PROTOCOL, "job", 3, True, done), "are done")
    touching = Submit(PROTOCOL, "job", 3, True, ((0, 1), (1, 3)))
    assert decode(encode(touching)) == touching


def test_a_chunk_is_no_larger_than_may_be_asked_for() -> None:
    chunk = ModelChunk("0f" * 16, -1, 0, np.zeros(CHUNK_BYTES + 1, np.uint8))
    refuse_both_ways(chunk, "a chunk of 1048577 bytes")
    whole = dataclasses.replace(chunk, data=chunk.data[1:])
    assert equal(decode(encode(whole)), whole)


def refuse_both_ways(message: Any, complaint: str) -> None:
    assert complaint in unsent(message)
    assert complaint in refusal(frames_of(message))


# ---- annotations


@pytest.mark.parametrize(
    "annotation",
    [
        int,
        float,
        str,
        bytes,
        Any,
        int | None,
        tuple[Region, ...],
        Annotated[bool, AtMost(3)],
        Annotated[int, AtMost(3)],
        Annotated[tuple[int, int], AtMost(3)],
    ],
)
def test_no_field_is_without_limits(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"Made\.field"):
        record(dataclasses.make_dataclass("Made", [("field", annotation)]))


def test_whatever_a_network_makes_goes_over_the_wire() -> None:
    """Lists of boxes have more columns than any map has rows."""
    assert SIDE >= LARGEST_SIDE
    assert LENGTH >= LONGEST_LIST
    long = OutputMap("boxes", 3, 1, LONGEST_LIST, LARGEST_SIDE)
    flat = OutputMap("scores", 4, 1, LARGEST_SIDE, LONGEST_LIST)
    accepted = Accepted("job", "0f" * 16, 100, (1, LONGEST_LIST, 1), (long, flat))
    assert decode(encode(accepted)) == accepted
