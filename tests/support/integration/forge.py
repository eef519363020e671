"""Messages that nobody should send: seeded, endless, of every sort that the protocol must survive.

    garbage      bytes that were never a message
    truncated    a valid message, cut or with frames missing
    flipped      a valid message with some bits of its header changed
    oversized    more frames, longer headers, larger values than are allowed, or than are announced
    fields       the right kind with anything in the place of a field
    odd          valid, but of the other side, about what does not exist, or at the wrong time
    replayed     what was once said by an honest peer, in any order

Each is a list of frames.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin

import msgpack
import numpy as np

from ftdist.geometry import Region
from ftdist.protocol.client_messages import Submit
from ftdist.protocol.limits import HEADER_BYTES, PROTOCOL, SIDE, AtMost, Between, Hex, Prose, Values
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Group, Piece, TaskId
from support.protocol.anymessage import (
    MESSAGES,
    arrays,
    flaws,
    framed,
    frames_of,
    hints,
    taken_apart,
    tree,
)

Frames = list[bytes]

_LARGE_BYTES = 1 << 20
"""What is too large is mostly not larger than this: time is better spent otherwise."""

_WILD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 1 << 24, (1 << 63) - 1, -(1 << 63), 0.5, math.inf, -math.inf, math.nan,
    "", "name", "x" * 501, "\x1b[2J", "0f" * 16, b"", b"name", [], [[]], [0] * 5000, {}, {"a": 1},
    ["f4", 1, 1, 1], ["u1", 1 << 24], ["f4", 65536, 65536, 65536], ["O"], msgpack.ExtType(5, b""),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Known:
    """Names that mean something to the other side, so that what is forged comes close."""

    jobs: tuple[str, ...] = ("job",)
    labels: tuple[str, ...] = ("job-1.0",)
    digests: tuple[str, ...] = ("0f" * 16,)
    layers: int = 8


class Forge:
    """Makes hostile messages; `recorded` are frames of honest ones. Some kinds are left out."""

    def __init__(
        self,
        seed: int,
        known: Known,
        recorded: Sequence[Frames] = (),
        spared: Sequence[type[Message]] = (),
    ) -> None:
        self._random = random.Random(seed)
        self._known = known
        self._recorded = recorded
        self._kinds = [each for each in MESSAGES if each not in spared]
        self.sorts: dict[str, Callable[[], Frames]] = {
            "garbage": self._garbage,
            "truncated": self._truncated,
            "flipped": self._flipped,
            "oversized": self._oversized,
            "fields": self._fields,
            "odd": lambda: frames_of(self.message()),
        }
        if recorded:
            self.sorts["replayed"] = lambda: self._random.choice(self._recorded)

    def __iter__(self) -> Iterator[Frames]:
        sorts = list(self.sorts.values())
        while True:
            yield self._random.choice(sorts)()

    def message(self, of: Any = None) -> Message:
        """A valid message of a kind, or of any."""
        kind = of or self._random.choice(self._kinds)
        while True:
            made: Message = self._value(kind)
            if not flaws(made):
                return made

    # ---- sorts

    def _garbage(self) -> Frames:
        count = self._random.choice([1, 1, 1, 2, 3, 8])
        return [self._random.randbytes(self._random.randrange(200)) for _ in range(count)]

    def _truncated(self) -> Frames:
        frames = frames_of(self.message())
        number = self._random.randrange(len(frames))
        if number and self._random.random() < 0.5:
            return frames[:number]
        frames[number] = frames[number][: self._random.randrange(len(frames[number]) or 1)]
        return frames

    def _flipped(self) -> Frames:
        header, *rest = frames_of(self.message())
        changed = bytearray(header)
        for _ in range(self._random.randint(1, 4)):
            changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return [bytes(changed), *rest]

    def _oversized(self) -> Frames:
        header, *rest = frames_of(self.message())
        match self._random.randrange(6):
            case 0:
                return [header + b"\0" * (HEADER_BYTES + 1), *rest]
            case 1:
                return [header, *rest, *[b""] * self._random.choice([1, 300, 1000])]
            case 2:
                return [header, *rest, b"\0" * self._random.randrange(_LARGE_BYTES)]
            case 3:  # arrays within arrays, each of which announces more than there is
                return [b"\x92\xa6result" + b"\xdd\x7f\xff\xff\xff" * self._random.randrange(9999)]
            case 4:
                return [msgpack.packb(["prepare", "0f" * 16, 1 << 20, list(range(12000))])]
            case _:
                return framed(
                    "probe", [1, ["u1", self._random.choice([1 << 24, 1 << 32, 1 << 62])]]
                )

    def _fields(self) -> Frames:
        message = self.message()
        header = tree(message)
        inner = header
        while inner and isinstance(inner, list):
            step = self._random.randrange(len(inner))
            if not isinstance(inner[step], list) or self._random.random() < 0.3:
                inner[step] = self._random.choice(_WILD)
                break
            inner = inner[step]
        try:
            return framed(message.kind, header, arrays(message))
        except (ValueError, OverflowError):
            return self._garbage()

    # ---- any valid value

    def _value(self, annotation: Any) -> Any:
        kind, limit = taken_apart(annotation)
        special: dict[Any, Callable[[], Any]] = {
            Region: self._region,
            Piece: self._piece,
            TaskId: self._task,
        }
        if kind in special:
            return special[kind]()
        if kind is bool:
            return self._random.random() < 0.5
        if get_origin(kind) is Literal:
            return self._random.choice(get_args(kind))
        if get_origin(kind) is tuple:
            return self._tuple(get_args(kind), limit)
        match limit:
            case Between():
                return self._number(kind, limit)
            case AtMost() | Prose():
                return self._random.choice(["x", "words", "a" * limit.count, *self._known.jobs])
            case Hex():
                return self._random.choice(self._known.digests)
            case Values():
                return self._array(limit, (self._random.randint(1, 9), self._random.randint(1, 9)))
        fields = {name: self._value(each) for name, each in hints(kind).items()}
        if "protocol" in fields and self._random.random() < 0.9:
            fields["protocol"] = PROTOCOL
        if "job" in fields:
            fields["job"] = self._random.choice(self._known.jobs + self._known.labels)
        if kind is Submit:
            fields["done"] = ()
        return kind(**fields)

    def _number(self, kind: Any, limit: Between) -> Any:
        near = [limit.least, limit.most, 0, 1, 2, self._random.randint(0, self._known.layers)]
        fit = [each for each in near if limit.least <= each <= limit.most]
        return kind(self._random.choice(fit))

    def _tuple(self, of: Any, limit: AtMost | None) -> tuple[Any, ...]:
        if limit is None:
            return tuple(self._value(each) for each in of)
        if of[0] is Group:
            return self._groups()
        counts = [limit.least, 1, 2, min(limit.count, 40)]
        return tuple(self._value(of[0]) for _ in range(self._random.choice(counts)))

    def _groups(self) -> tuple[Group, ...]:
        most = self._random.choice([self._known.layers, self._known.layers, SIDE])
        cuts = sorted(self._random.sample(range(most + 1), self._random.randint(2, 4)))
        small = self._random.random() < 0.5
        return tuple(
            Group(
                first,
                stop,
                self._random.choice([1, 2, 3] if small else [1, SIDE]),
                self._random.choice([1, 2, 3] if small else [1, SIDE]),
                self._random.choice([0, 1, 2] if small else [0, 1, SIDE]),
                self._random.random() < 0.5,
                self._random.choice([1, 1, 2] if small else [1, SIDE]),
            )
            for first, stop in pairwise(cuts)
        )

    def _region(self) -> Region:
        most = self._random.choice([4, 16, SIDE])
        rows, columns = (
            sorted(self._random.choices(range(most + 1), k=2)) for _ in range(2)
        )  # fmt: skip
        return Region(*rows, *columns)

    def _piece(self) -> Piece:
        rows, columns = self._random.randint(1, 9), self._random.randint(1, 9)
        top, left = self._random.randrange(16), self._random.randrange(16)
        limit = taken_apart(hints(Piece)["data"])[1]
        region = Region(top, top + rows, left, left + columns)
        return Piece(
            self._random.randint(-1, self._known.layers),
            region,
            self._array(limit, (rows, columns)),
        )

    def _task(self) -> TaskId:
        frame, stage, tile = (self._random.choice([0, 0, 1, 2, 1 << 24]) for _ in range(3))
        label = self._random.choice(self._known.labels)
        return TaskId(label, frame, stage, tile, self._random.randrange(64))

    def _array(self, limit: Values, size: tuple[int, int]) -> Any:
        dtype = np.dtype(self._random.choice(limit.dtypes))
        if limit.dimensions == 1:
            return np.zeros(self._random.choice([0, 1, 5000]), dtype)
        return np.zeros((*size, self._random.choice([1, 3, 16])), dtype)
