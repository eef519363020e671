"""Messages made from their annotations alone, and the wire format as a naive encoder writes it.

Nothing here takes the codec's word: what limits mean is written a second time, so that tests
compare two readings of ``messages``.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgpack
import numpy as np
import pytest
from hypothesis import strategies as st

from ftdist.geometry import Region
from ftdist.protocol.client_messages import Submit
from ftdist.protocol.limits import SIDE, AtMost, Between, Hex, Prose, Values
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Group, Piece
from ftdist.protocol.scalars import WireError
from ftdist.protocol.wire import decode, encode

MESSAGES: tuple[Any, ...] = get_args(Message)


def taken_apart(annotation: Any) -> tuple[Any, Any]:
    """A type, and its limit or None."""
    if get_origin(annotation) is Annotated:
        bare, limit = get_args(annotation)
        return bare, limit
    return annotation, None


def hints(of: Any) -> dict[str, Any]:
    """The annotations of a dataclass's fields, in their order."""
    found = get_type_hints(of, include_extras=True)
    return {field.name: found[field.name] for field in dataclasses.fields(of)}


# ---- the wire format


def tree(value: Any) -> Any:
    """A field as it stands in a header; a message as the array of its fields."""
    if isinstance(value, np.ndarray):
        return [f"{value.dtype.kind}{value.dtype.itemsize}", *value.shape]
    if dataclasses.is_dataclass(value):
        return [tree(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return [tree(each) for each in value] if isinstance(value, tuple) else value


def arrays(value: Any) -> Iterator[Any]:
    """The arrays within a message, in order."""
    if isinstance(value, np.ndarray):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from arrays(getattr(value, field.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from arrays(each)


def framed(kind: str, fields: Any, tensors: Any = ()) -> list[bytes]:
    """Frames from a header's values, whether they make sense or not."""
    return [msgpack.packb([kind, *fields]), *(each.tobytes() for each in tensors)]


def frames_of(message: Any) -> list[bytes]:
    """What must travel for a message."""
    return framed(message.kind, tree(message), arrays(message))


def equal(one: Any, other: Any) -> bool:
    """The same types and values throughout, arrays to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        alike = (one.dtype, one.shape) == (other.dtype, other.shape)
        return alike and one.tobytes() == other.tobytes()
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(equal(getattr(one, each), getattr(other, each)) for each in names)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def flaws(value: Any) -> list[str]:
    """What a message's classes say against it."""
    if isinstance(value, tuple):
        return [flaw for each in value for flaw in flaws(each)]
    if not dataclasses.is_dataclass(value):
        return []
    found = [value.flaw()] if hasattr(value, "flaw") else []
    inner = flaws(tuple(getattr(value, field.name) for field in dataclasses.fields(value)))
    return inner + [each for each in found if each]


# ---- any message


def characters() -> st.SearchStrategy[str]:
    """What a line may consist of."""
    return st.sampled_from("abcxyz 019-_./'\"\\%{}~\u00e4\u00df\u20ac\u4e2d\U0001f600")


def short(count: int, least: int) -> st.SearchStrategy[str]:
    """Texts that fit, whatever their characters are."""
    return st.text(characters(), min_size=least, max_size=min(count, 20) // 4)


def numbers(limit: Between, kind: Any) -> st.SearchStrategy[Any]:
    if kind is float:
        return st.floats(limit.least, limit.most)
    return st.integers(int(limit.least), int(limit.most))


@st.composite
def regions(draw: Any) -> Region:
    ends = [sorted(draw(st.tuples(*[st.integers(0, SIDE)] * 2))) for _ in "rc"]
    return Region(*ends[0], *ends[1])


@st.composite
def tensors(draw: Any, limit: Values, size: tuple[int, ...] | None = None) -> Any:
    size = size or draw(st.tuples(*[st.integers(1, 4)] * (limit.dimensions - 1)))
    shape = (*size, draw(st.integers(limit.dimensions == 3, 5)))
    dtype = np.dtype(draw(st.sampled_from(limit.dtypes)))
    count = math.prod(shape) * dtype.itemsize
    return np.frombuffer(draw(st.binary(min_size=count, max_size=count)), dtype).reshape(shape)


@st.composite
def pieces(draw: Any) -> Piece:
    rows, columns, top, left = draw(st.tuples(*[st.integers(1, 4)] * 4))
    limit = taken_apart(hints(Piece)["data"])[1]
    data = draw(tensors(limit, (rows, columns)))
    return Piece(
        draw(values(hints(Piece)["source"])), Region(top, top + rows, left, left + columns), data
    )


@st.composite
def submits(draw: Any) -> Submit:
    fields = {name: draw(values(each)) for name, each in hints(Submit).items() if name != "done"}
    ends = st.lists(st.integers(0, fields["frames"]), unique=True, max_size=8)
    cuts = sorted(draw(ends))
    return Submit(**fields, done=tuple(zip(cuts[::2], cuts[1::2], strict=False)))


@st.composite
def group_runs(draw: Any) -> tuple[Group, ...]:
    cuts = sorted(draw(st.sets(st.integers(0, SIDE), min_size=2, max_size=6)))
    inner = {name: each for name, each in hints(Group).items() if name not in {"first", "stop"}}
    return tuple(
        Group(first, stop, **{name: draw(values(each)) for name, each in inner.items()})
        for first, stop in itertools.pairwise(cuts)
    )


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value that an annotation allows, of moderate size."""
    kind, limit = taken_apart(annotation)
    special = {Piece: pieces, Submit: submits, Region: regions}
    if kind in special:
        return special[kind]()
    if kind is bool:
        return st.booleans()
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is tuple:
        return tuples(get_args(kind), limit)
    match limit:
        case Between():
            return numbers(limit, kind)
        case AtMost():
            return short(limit.count, limit.least)
        case Prose():
            return short(limit.count, 0)
        case Hex():
            return st.text("0123456789abcdef", min_size=limit.digits, max_size=limit.digits)
        case Values():
            return tensors(limit)
    return st.builds(kind, **{name: values(each) for name, each in hints(kind).items()})


def tuples(of: Any, limit: AtMost | None) -> st.SearchStrategy[Any]:
    if limit is None:
        return st.tuples(*map(values, of))
    if of[0] is Group:
        return group_runs()
    return st.lists(values(of[0]), min_size=limit.least, max_size=4).map(tuple)


# ---- what is refused


def unsent(message: Any) -> str:
    """Why a message is not sent."""
    with pytest.raises(ValueError, match=r".") as caught:
        encode(message)
    assert type(caught.value) is ValueError
    return str(caught.value)


def refusal(frames: list[Any], expected: Any = None) -> str:
    """Why frames are refused: in one short line that prints."""
    with pytest.raises(WireError) as caught:
        decode(frames, expected)
    words = str(caught.value)
    assert words and len(words) <= 200 and words.isprintable()
    return words
