"""How the fields of messages become values of a header and back, by what their annotations allow.

A record (a message, or a dataclass within one) is the array of its fields in order, without names:
both sides have the same classes. A region is four numbers. An array of values is its dtype and
shape, and its bytes are a frame of their own, in the order in which the header names them.

An annotation is compiled once into two functions: ``pack`` makes the value of the header,
``unpack`` makes the field again. What an annotation leaves open is an error here: no field is
without limits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from itertools import repeat
from operator import call
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from ftdist.geometry import Region
from ftdist.protocol.limits import AtMost, Between, Hex, Prose, Values
from ftdist.protocol.scalars import (
    Codec,
    WireError,
    real,
    region,
    same,
    tensor,
    text,
    whole,
    wrong,
)


@cache
def record(of: type) -> Codec:
    """The codec of a dataclass, from the annotations of its fields."""
    return _record(of, of.__name__)


def _codec(annotation: Any, where: str) -> Codec:
    """The codec of one field; `where` names it in complaints."""
    limit = None
    if get_origin(annotation) is Annotated:
        annotation, limit = get_args(annotation)
    match limit:
        case Values():
            return tensor(limit, where)
        case Between() if annotation is int:
            return whole(limit, where)
        case Between() if annotation is float:
            return real(limit, where)
        case AtMost() | Prose() | Hex() if annotation is str:
            return text(limit, where)
        case AtMost() if get_args(annotation)[1:] == (...,):
            return _items(_codec(get_args(annotation)[0], where), limit, where)
        case None:
            return _limited_by_itself(annotation, where)
    raise TypeError(f"{where}: {limit} is not a limit of {annotation}")


def _limited_by_itself(annotation: Any, where: str) -> Codec:
    options = get_args(annotation)
    if annotation is Region:
        return region(where)
    if annotation is bool:
        return same(lambda _: True, bool, "true or false", where)
    if get_origin(annotation) is Literal:
        return same(options.__contains__, str, f"one of {', '.join(options)}", where)
    if get_origin(annotation) is tuple:
        return _sequence([_codec(each, where) for each in options], where)
    if dataclasses.is_dataclass(annotation):
        return _record(annotation, where)
    raise TypeError(f"{where}: {annotation} needs limits")


def _items(item: Codec, limit: AtMost, where: str) -> Codec:
    """A tuple of up to so many items of one kind."""
    least, most = limit.least, limit.count
    pack_item, unpack_item = item

    def refuse_others(value: Any) -> None:
        if type(value) is not tuple:
            raise wrong(where, value, "a tuple")
        if not least <= len(value) <= most:
            raise WireError(f"{where}: {len(value)} items, not {least} to {most}")

    def pack(value: Any, frames: list[Any]) -> Any:
        refuse_others(value)
        return list(map(pack_item, value, repeat(frames)))

    def unpack(value: Any, frames: Iterator[Any]) -> Any:
        refuse_others(value)
        return tuple(map(unpack_item, value, repeat(frames)))

    return Codec(pack, unpack)


def _sequence(items: list[Codec], where: str) -> Codec:
    """A tuple of just these items."""
    packs, unpacks = [each.pack for each in items], [each.unpack for each in items]

    def refuse_others(value: Any) -> None:
        if type(value) is not tuple:
            raise wrong(where, value, f"a tuple of {len(items)}")
        if len(value) != len(items):
            raise WireError(f"{where}: {len(value)} fields instead of {len(items)}")

    def pack(value: Any, frames: list[Any]) -> Any:
        refuse_others(value)
        return list(map(call, packs, value, repeat(frames)))

    def unpack(value: Any, frames: Iterator[Any]) -> Any:
        refuse_others(value)
        return tuple(map(call, unpacks, value, repeat(frames)))

    return Codec(pack, unpack)


def _record(of: Any, where: str) -> Codec:
    hints = get_type_hints(of, include_extras=True)
    names = [field.name for field in dataclasses.fields(of)]
    fields = _sequence([_codec(hints[name], f"{where}.{name}") for name in names], where)
    flaw: Callable[[Any], str] | None = getattr(of, "flaw", None)

    def refuse_flawed(value: Any) -> None:
        complaint = flaw(value) if flaw else ""
        if complaint:
            raise WireError(f"{where}: {complaint}")

    def pack(value: Any, frames: list[Any]) -> Any:
        if type(value) is not of:
            raise wrong(where, value, f"a {of.__name__}")
        packed = fields.pack(tuple([getattr(value, name) for name in names]), frames)
        refuse_flawed(value)
        return packed

    def unpack(value: Any, frames: Iterator[Any]) -> Any:
        made = of(*fields.unpack(value, frames))
        refuse_flawed(made)
        return made

    return Codec(pack, unpack)
