"""Dataclasses as what JSON and msgpack can hold, and back: for the pipes to our own processes.

Fields go in order and without names, so both ends must be one program. What comes from elsewhere
is never read by this: that is the protocol's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

_Maker = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """A dataclass as what JSON can hold: its fields in order, and so on within."""
    kind: Any = type(value)
    names = _names(kind)
    if names is not None:
        return [plain(getattr(value, name)) for name in names]
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def made(kind: Any, value: Any) -> Any:
    """A value of a type again, from what ``plain`` made of it."""
    make = _maker(kind)
    return value if make is None else make(value)


@cache
def _names(kind: Any) -> tuple[str, ...] | None:
    """The fields of a dataclass; None for other types."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


@cache
def _maker(kind: Any) -> _Maker | None:
    """What makes values of a type; None where they are as they come."""
    if get_origin(kind) in (Union, UnionType):
        (inner,) = (each for each in get_args(kind) if each is not type(None))
        return _maker_or_none(_maker(inner))
    if dataclasses.is_dataclass(kind):
        whole: Any = kind
        hints = get_type_hints(whole)
        return _fields_maker(whole, tuple(_maker(hints[name]) for name in _names(whole) or ()))
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if kinds[1:] == (...,):
            return _row_maker(_maker(kinds[0]))
        return _fields_maker(lambda *values: values, tuple(map(_maker, kinds)))
    if isinstance(kind, type) and issubclass(kind, tuple):
        return lambda value: kind(*value)
    return None


def _maker_or_none(make: _Maker | None) -> _Maker | None:
    return None if make is None else lambda value: None if value is None else make(value)


def _row_maker(make: _Maker | None) -> _Maker:
    return tuple if make is None else lambda value: tuple([make(each) for each in value])


def _fields_maker(whole: Callable[..., Any], makers: tuple[_Maker | None, ...]) -> _Maker:
    def make(values: Any) -> Any:
        found = [
            value if each is None else each(value)
            for each, value in zip(makers, values, strict=True)
        ]
        return whole(*found)

    return make
