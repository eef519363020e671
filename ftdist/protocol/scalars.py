"""Single values of messages, checked both ways: numbers, texts, regions, arrays.

Each function here makes the codec of one field from its limits. Both ways refuse what breaks them,
so that nobody sends what would be refused.

A complaint names the field and never repeats more than a few characters of what came, which may be
nested too deeply even to be printed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ftdist.geometry import Region
from ftdist.protocol.limits import FRAME_BYTES, LENGTH, SIDE, AtMost, Between, Hex, Prose, Values


class WireError(Exception):
    """A message that breaks the protocol; says how in one short line."""


class Codec(NamedTuple):
    """Both ways of a field; either raises WireError.

    `pack(value, frames)` appends to the list of frames, `unpack(value, frames)` takes from it.
    """

    pack: Callable[[Any, list[Any]], Any]
    unpack: Callable[[Any, Iterator[Any]], Any]


def shown(value: Any) -> str:
    """A value as complaints show it."""
    if type(value) is str:
        return repr(value if len(value) <= 40 else value[:40] + "...")
    if type(value) in (int, float, bool, type(None)):
        return repr(value)
    return f"a value of type {type(value).__name__}"


def wrong(where: str, value: Any, wanted: str) -> WireError:
    """Says what a field holds and what it should be."""
    return WireError(f"{where}: {shown(value)} is not {wanted}")


def same(allowed: Callable[[Any], bool], kind: type, wanted: str, where: str) -> Codec:
    """A value of one very type that travels as it is."""

    def check(value: Any, _frames: Any) -> Any:
        if type(value) is not kind or not allowed(value):
            raise wrong(where, value, wanted)
        return value

    return Codec(check, check)


def whole(limit: Between, where: str) -> Codec:
    """A whole number; no bool."""
    least, most = int(limit.least), int(limit.most)

    def check(value: Any, _frames: Any) -> Any:
        if type(value) is not int or not least <= value <= most:
            raise wrong(where, value, f"a whole number from {least} to {most}")
        return value

    return Codec(check, check)


def real(limit: Between, where: str) -> Codec:
    """A finite number; a whole one may be given, but a float travels."""
    least, most = limit.least, limit.most
    wanted = f"a number from {least:g} to {most:g}"

    def pack(value: Any, _frames: Any) -> Any:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong(where, value, wanted)
        if not least <= value <= most:
            raise wrong(where, value, wanted)
        return float(value)

    def unpack(value: Any, _frames: Any) -> Any:
        if type(value) is not float or not least <= value <= most:
            raise wrong(where, value, wanted)
        return value

    return Codec(pack, unpack)


_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)
"""Control characters, invisible ones, those that turn the direction of writing, and surrogates.

A list of our own: what ``str.isprintable`` says depends on the version of Python.
"""


def text(limit: AtMost | Prose | Hex, where: str) -> Codec:
    """A text; prose is made safe and cut to length when it is sent."""
    if isinstance(limit, Hex):
        digits = re.compile(f"[0-9a-f]{{{limit.digits}}}")
        wanted = f"{limit.digits} hexadecimal digits"
        return same(lambda value: digits.fullmatch(value) is not None, str, wanted, where)
    least, most = (limit.least if isinstance(limit, AtMost) else 0), limit.count
    wanted = f"a text of {least} to {most} bytes without control characters"

    def check(value: Any, _frames: Any) -> Any:
        if type(value) is not str or not least <= len(value) <= most or _UNSEEN.search(value):
            raise wrong(where, value, wanted)
        if not value.isascii() and len(value.encode()) > most:
            raise wrong(where, value, wanted)
        return value

    def pack(value: Any, frames: Any) -> Any:
        return check(_safe(value, most) if isinstance(value, str) else value, frames)

    return Codec(pack if isinstance(limit, Prose) else check, check)


def _safe(text: str, most: int) -> str:
    """A text that may be sent as a line: cut to its limit, blanks for what does not print."""
    encoded = _UNSEEN.sub(" ", text).encode()
    if len(encoded) <= most:
        return encoded.decode()
    return encoded[: most - 3].decode(errors="ignore") + "..."


def region(where: str) -> Codec:
    """A region of a map of up to SIDE rows and LENGTH columns, perhaps empty."""

    def check(value: Any, _frames: Any) -> Any:
        if type(value) not in (Region, tuple) or len(value) != 4:
            raise wrong(where, value, "a region of four numbers")
        top, bottom, left, right = value
        if not (type(top) is type(bottom) is type(left) is type(right) is int):
            raise WireError(f"{where}: coordinates that are not whole numbers")
        if not 0 <= top <= bottom <= SIDE or not 0 <= left <= right <= LENGTH:
            raise WireError(f"{where}: rows {top} to {bottom}, columns {left} to {right} are none")
        return Region._make(value)

    return Codec(check, check)


_DTYPES: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "u1": np.dtype("u1")}


def tensor(limit: Values, where: str) -> Codec:
    """An array: its dtype and shape in the header, its bytes in a frame of their own."""
    codes = {code: dtype for code, dtype in _DTYPES.items() if dtype.name in limit.dtypes}
    code_of = {dtype: code for code, dtype in codes.items()}
    least, most = (1, LENGTH) if limit.dimensions == 3 else (0, FRAME_BYTES)

    def refuse_shape(code: Any, shape: tuple[Any, ...]) -> None:
        if code not in codes:
            raise wrong(where, code, f"one of {tuple(codes)}")
        if len(shape) != limit.dimensions:
            raise WireError(f"{where}: {len(shape)} dimensions instead of {limit.dimensions}")
        for side in shape:
            if type(side) is not int or not least <= side <= most:
                raise wrong(where, side, f"a side from {least} to {most}")
        if math.prod(shape) * codes[code].itemsize > FRAME_BYTES:
            raise WireError(f"{where}: values of {shape} are more than {FRAME_BYTES} bytes")

    def pack(value: Any, frames: list[Any]) -> Any:
        if not isinstance(value, np.ndarray):
            raise wrong(where, value, "an array")
        code = code_of.get(value.dtype, value.dtype.str)
        refuse_shape(code, value.shape)
        frames.append(np.ascontiguousarray(value).data.cast("B"))
        return [code, *value.shape]

    def unpack(value: Any, frames: Iterator[Any]) -> Any:
        if type(value) is not tuple or not value:
            raise wrong(where, value, "a dtype and a shape")
        code, *shape = value
        refuse_shape(code, tuple(shape))
        return _view(next(frames, None), codes[code], tuple(shape), where)

    return Codec(pack, unpack)


def _view(frame: Any, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> Any:
    """A frame's bytes as an array that cannot be written to; a copy only where they lie askew."""
    if frame is None:
        raise WireError(f"{where}: its frame is missing")
    bytes_ = memoryview(frame).toreadonly()
    size = math.prod(shape) * dtype.itemsize
    if bytes_.nbytes != size:
        raise WireError(f"{where}: a frame of {bytes_.nbytes} bytes for {size} bytes of values")
    array = np.ndarray(shape, dtype, bytes_)
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    return array
