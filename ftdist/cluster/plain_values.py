"""Dataclasses as what JSON and msgpack can hold, and back: for the pipes to our own processes.

Fields go in order and without names, so both ends must be one program. What comes from elsewhere
is never read by this: that is the protocol's.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def plain(value: Any) -> Any:
    """A dataclass as what JSON can hold: its fields in order, and so on within."""
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def made(kind: Any, value: Any) -> Any:
    """A value of a type again, from what ``plain`` made of it."""
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else made(kind, value)
    if dataclasses.is_dataclass(kind):
        of: Any = kind
        return of(*[made(*pair) for pair in zip(_fields(of), value, strict=True)])
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if kinds[1:] == (...,):
            return tuple(made(kinds[0], each) for each in value)
        return tuple(made(*pair) for pair in zip(kinds, value, strict=True))
    if isinstance(kind, type) and issubclass(kind, tuple):
        return kind(*value)
    return value


@cache
def _fields(kind: Any) -> tuple[Any, ...]:
    """The types of a dataclass's fields, in order."""
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in dataclasses.fields(kind))
