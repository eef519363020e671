"""One plain message of each kind, every field within it, and what each may and may not hold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import numpy as np

from ftdist.geometry import Region
from ftdist.protocol.client_messages import Submit
from ftdist.protocol.limits import (
    FRAME_BYTES,
    LENGTH,
    PROTOCOL,
    SIDE,
    AtMost,
    Between,
    Hex,
    Prose,
    Values,
)
from ftdist.protocol.records import Group
from support.protocol.anymessage import flaws, hints, taken_apart

Path = tuple[Any, ...]
"""Where a value lies in a message: names of fields, and places in tuples."""


def sample(annotation: Any) -> Any:
    """The plainest value; each tuple has an item, so that every limit is met somewhere."""
    kind, limit = taken_apart(annotation)
    if kind is Region:
        return Region(2, 3, 4, 6)
    if kind is bool:
        return False
    if kind is Submit:
        return Submit(PROTOCOL, "job", 3, True, ((0, 1),))
    if kind is Group:
        return Group(1, 2, 1, 1, 0, False)
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) is tuple:
        return tuple(sample(each) for each in get_args(kind) if each is not ...)
    match limit:
        case Between():
            return kind(max(limit.least, 1))
        case AtMost():
            return "name"
        case Prose():
            return "words"
        case Hex():
            return "0f" * (limit.digits // 2)
        case Values():
            return np.zeros((1, 2, 3) if limit.dimensions == 3 else (5,), limit.dtypes[0])
    fields = {name: sample(each) for name, each in hints(kind).items()}
    return kind(**fields | ({"protocol": PROTOCOL} if "protocol" in fields else {}))


def places(annotation: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field within, and every field within that, with its annotation."""
    kind, limit = taken_apart(annotation)
    if path:
        yield path, annotation
    if get_origin(kind) is tuple:
        for number, each in enumerate(get_args(kind)[: 1 if limit else None]):
            yield from places(each, (*path, number))
    elif dataclasses.is_dataclass(kind):
        for name, each in hints(kind).items():
            yield from places(each, (*path, name))


def put(value: Any, path: Path, new: Any) -> Any:
    """The value with another one in one place."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        return dataclasses.replace(value, **{step: put(getattr(value, step), rest, new)})
    return tuple(put(each, rest, new) if n == step else each for n, each in enumerate(value))


def allowed(annotation: Any) -> list[Any]:
    """Values at the very limits."""
    kind, limit = taken_apart(annotation)
    if kind is Region:
        return [Region(0, 0, 0, 0), Region(0, SIDE, 0, LENGTH), Region(SIDE, SIDE, 5, 5)]
    if kind is bool:
        return [False, True]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) is tuple and limit:
        item = sample(get_args(kind)[0])
        return [(item,) * limit.least, (item,) * limit.count]
    match limit:
        case Between():
            return [kind(limit.least), kind(limit.most)]
        case AtMost() | Prose():
            longest = ["a" * limit.count, "\u20ac" * (limit.count // 3) + "a" * (limit.count % 3)]
            return [*longest, "a b" if isinstance(limit, AtMost) and limit.least else ""]
        case Hex():
            return ["0123456789abcdef" * (limit.digits // 16)]
        case Values(dimensions=1):
            return [np.zeros(0, np.uint8), np.zeros(FRAME_BYTES, np.uint8)]
        case Values():
            most = np.zeros((SIDE, 1, FRAME_BYTES // SIDE // 4), np.float32)
            return [most, np.zeros((1, 1, 1), np.uint8), np.zeros((1, 2, SIDE), np.uint8)]
    return []


UNSEEN = ["a\nb", "\0", "\x1b[2J", "\x7f", "\x85", "\xad", "\u061c", "\u200b", "\u200f"]
UNSEEN += ["\u2028", "\u202e", "\u2060", "\u2066", "\u206f", "\ufeff", "ab\x9fc"]


def refused(annotation: Any) -> list[Any]:
    """Values just outside the limits, and of other types."""
    kind, limit = taken_apart(annotation)
    if kind is Region:
        ends = [(-1, 1, 0, 1), (0, SIDE + 1, 0, 1), (0, 1, -1, 1), (0, 1, 0, LENGTH + 1)]
        others = [(3, 2, 0, 1), (0, 1, 3, 2), (0, True, 0, 1), (0, 1.0, 0, 1), (0, 1, 0, "1")]
        return [*ends, *others, (0, 1, 0), (0, 1, 0, 1, 1), (), None, 3]
    if kind is bool:
        return [0, 1, None, "true", 1.0]
    if get_origin(kind) is Literal:
        return ["", "other", 0, None, (*get_args(kind),)]
    if get_origin(kind) is tuple:
        return refused_tuples(kind, limit)
    match limit:
        case Between() if kind is int:
            return [limit.least - 1, limit.most + 1, True, 1.0, "1", None, (), 1 << 63]
        case Between():
            beyond = [math.nextafter(limit.least, -math.inf), math.nextafter(limit.most, math.inf)]
            return [*beyond, math.nan, math.inf, -math.inf, True, "1", None, ()]
        case AtMost() | Prose():
            most = limit.count
            long = ["a" * (most + 1), "\u20ac" * (most // 3) + "a" * (most % 3 + 1)]
            empty = [""] if isinstance(limit, AtMost) and limit.least else []
            return [*long, *empty, *UNSEEN, 5, None, (), True]
        case Hex():
            digits = "0f" * (limit.digits // 2)
            wrong = [digits[1:], digits + "0", digits.upper(), digits[:-1] + "g", digits + "\n"]
            return [*wrong, "../" + digits[3:], "\uff10" * limit.digits, "", 5, None, ()]
        case Values():
            return refused_arrays(limit)
    return [None, 3, "a", ()]


def refused_tuples(kind: Any, limit: AtMost | None) -> list[Any]:
    items = tuple(sample(each) for each in get_args(kind) if each is not ...)
    if limit is None:
        return [items[1:], (*items, items[0]), None, 3, "ab"]
    few = [items * (limit.least - 1)] if limit.least else []
    return [items * (limit.count + 1), *few, None, 3, "ab"]


def refused_arrays(limit: Values) -> list[Any]:
    shape = (1, 2, 3) if limit.dimensions == 3 else (5,)
    others = [np.zeros(shape, dtype) for dtype in (np.float64, np.int8, np.bool_, ">f4")]
    if limit.dimensions == 1:
        wrong = [np.zeros((1, 5), np.uint8), np.zeros(5, np.float32), np.zeros((), np.uint8)]
        return [*others, *wrong, np.zeros(FRAME_BYTES + 1, np.uint8), None, 3]
    sizes = [(1, 2), (1, 2, 3, 1), (0, 2, 3), (1, 0, 3), (1, 2, 0), (LENGTH + 1, 1, 1)]
    wrong = [np.zeros(each, np.float32) for each in sizes]
    large = [np.zeros((SIDE, 1, 65), np.float32), np.zeros((SIDE, 257, 1), np.uint8)]
    return [*others, *wrong, *large, None, 3]


def sampled(of: Any) -> Any:
    """The plain message of a kind, which its class has nothing against."""
    message = sample(of)
    assert not flaws(message)
    return message
