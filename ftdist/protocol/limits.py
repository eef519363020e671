"""The version of the protocol, and the limits of what travels: of numbers, texts, tuples, arrays.

Every field of a message carries its limits in its annotation; here are the kinds of limits and the
annotations that several messages share. Within the limits every message fits into a header.

A new field or a changed meaning needs a new ``PROTOCOL``. ``protocol`` stays the first field of the
messages that have it, so that the other side can read it and say what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from numpy.typing import NDArray

PROTOCOL = 7
"""One more whenever messages change, or the bits that kernels make: boards share a frame."""


def versions_differ(theirs: int) -> str:
    """What both sides say when a worker or a client speaks another protocol."""
    return (
        f"versions differ: the coordinator speaks protocol {PROTOCOL}, its peer {theirs}; "
        "install the same version of ftdist on both machines"
    )


FRAME_BYTES = 16 << 20
"""The most bytes of one array; what is larger travels as several pieces or parts."""

PORTION_BYTES = 256 << 10
"""The most bytes that travel in one go; larger messages travel in portions, others between them."""

STATUS_WORKERS = 96
"""The most workers in one Status."""

HEADER_BYTES = 96 << 10
"""The most bytes of a message's msgpack header; reading any takes about fifty times as much."""

TENSORS = 256
"""The most tensors in one message."""

CHUNK_BYTES = 1 << 20
"""The most bytes of a model file in one chunk."""


@dataclass(frozen=True, slots=True)
class Between:
    """Limits of a number, both included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class AtMost:
    """The most bytes (as UTF-8) of a text, or items of a tuple, and the least.

    Such a text names something: control characters and invisible ones are refused in it.
    """

    count: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Prose:
    """A line for people, of at most so many bytes (as UTF-8), without control characters.

    What is longer is cut when it is sent, and what does not print becomes a space, so that any text
    may be given. What comes in and breaks these limits is refused like anything else.
    """

    count: int


@dataclass(frozen=True, slots=True)
class Hex:
    """A text of exactly so many lower-case hexadecimal digits: it may name a file."""

    digits: int


@dataclass(frozen=True, slots=True)
class Values:
    """An array that travels as a frame of its own: its allowed dtypes, and how many dimensions.

    With three dimensions each side is 1 to ``LENGTH``.
    """

    dtypes: tuple[Literal["float32", "uint8"], ...]
    dimensions: Literal[1, 3]


SIDE = 1 << 16
"""The most rows of a map, and the most layers of a network."""

LENGTH = 1 << 22
"""The most columns, and channels: those of a map of one row, as lists of boxes are."""

Count = Annotated[int, Between(0, 1 << 24)]
Total = Annotated[int, Between(0, 1 << 50)]
Bytes = Annotated[int, Between(0, 1 << 50)]
Seconds = Annotated[float, Between(0.0, 1e9)]
Clock = Annotated[float, Between(-1e12, 1e12)]
Rate = Annotated[float, Between(1.0, 1e16)]
Source = Annotated[int, Between(-1, SIDE)]
Layer = Annotated[int, Between(0, SIDE)]
Side = Annotated[int, Between(0, SIDE)]
Length = Annotated[int, Between(0, LENGTH)]
Name = Annotated[str, AtMost(64, least=1)]
Word = Annotated[str, AtMost(16, least=1)]
Line = Annotated[str, Prose(500)]
Whose = Annotated[str, Prose(64)]
Digest = Annotated[str, Hex(32)]
Arithmetic = Annotated[tuple[tuple[Layer, Annotated[str, AtMost(12)]], ...], AtMost(1024)]
Layers = Annotated[tuple[Layer, ...], AtMost(4096)]

Tensor = Annotated[NDArray[Any], Values(("float32", "uint8"), 3)]
"""(rows, columns, channels). What is received is read-only."""

Ballast = Annotated[NDArray[Any], Values(("uint8",), 1)]
"""Plain bytes, as (bytes,)."""

MOST_OOM_KILLS = 1 << 10
"""How many a worker tells of."""
