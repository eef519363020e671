"""Messages that workers and clients have in common.

    either way              Opening, Portion, Taken
    to the coordinator      ModelRequest, Bye
    from the coordinator    ModelChunk, Refusal, Beat, Drain

A large message travels as its Opening and Portions; Taken answers (``cluster.channel``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ftdist.protocol.limits import (
    CHUNK_BYTES,
    FRAME_BYTES,
    HEADER_BYTES,
    PORTION_BYTES,
    TENSORS,
    AtMost,
    Ballast,
    Between,
    Bytes,
    Clock,
    Digest,
    Line,
    Source,
    Total,
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A large message begins: its header, and of how many bytes each of its arrays is."""

    kind: ClassVar[str] = "opening"
    header: Ballast
    sizes: Annotated[tuple[Annotated[int, Between(0, FRAME_BYTES)], ...], AtMost(TENSORS, least=1)]

    def flaw(self) -> str:
        """A header is no longer than any."""
        size = self.header.size
        return "" if size <= HEADER_BYTES else f"a header of {size} bytes"


@dataclass(frozen=True, slots=True)
class Portion:
    """The next bytes of the message that was opened last, array after array; made at a time of the
    sender's own clock."""

    kind: ClassVar[str] = "portion"
    clock_s: Clock
    data: Annotated[tuple[Ballast, ...], AtMost(TENSORS, least=1)]

    def flaw(self) -> str:
        """A portion is not too much."""
        size = sum([each.size for each in self.data])
        return "" if size <= PORTION_BYTES else f"a portion of {size} bytes"


@dataclass(frozen=True, slots=True)
class Taken:
    """So many bytes of portions, and of other large messages, have come since the beginning; said
    at a time of the sender's own clock."""

    kind: ClassVar[str] = "taken"
    total: Total
    clock_s: Clock


HEADER = -1
"""The `layer` by which a model's header is asked for."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Asks for bytes of the model file: of its header (`layer` HEADER) or of one layer's blob.

    `digest` is the blob's, or for the header the model's.
    """

    kind: ClassVar[str] = "model-request"
    digest: Digest
    layer: Source
    offset: Bytes
    size: Annotated[int, Between(1, CHUNK_BYTES)]


@dataclass(frozen=True, slots=True)
class ModelChunk:
    """Bytes of the model file, answering a ModelRequest; as many as it asked for."""

    kind: ClassVar[str] = "model-chunk"
    digest: Digest
    layer: Source
    offset: Bytes
    data: Ballast

    def flaw(self) -> str:
        """A chunk is no larger than anybody may ask for."""
        return "" if self.data.size <= CHUNK_BYTES else f"a chunk of {self.data.size} bytes"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The other side is not taken, or no longer; `final` when trying again is no use."""

    kind: ClassVar[str] = "refusal"
    reason: Line
    final: bool


@dataclass(frozen=True, slots=True)
class Beat:
    """The coordinator is alive."""

    kind: ClassVar[str] = "beat"


@dataclass(frozen=True, slots=True)
class Drain:
    """The coordinator ends: finish nothing more, and come back when there is one again."""

    kind: ClassVar[str] = "drain"
    reason: Line


@dataclass(frozen=True, slots=True)
class Bye:
    """The worker (or a client) leaves; what it was given is not done."""

    kind: ClassVar[str] = "bye"
    reason: Line
