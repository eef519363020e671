"""A picture that is about to be read, whoever decodes it: its size, its memory, its bands.

Two decode: Pillow (``reading``), and our own readers by rows (``rowpicture``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.pictures.bands import BAND_PIXELS, Take, TakeSamples
from ftdist.pictures.exif import TURNS, Turn

if TYPE_CHECKING:
    from ftdist.pictures.jpegheader import JpegHeader

Size = tuple[int, int]
"""(width, height) in pixels."""

_TURNED_COPIES = 5

NO_BRIGHTNESS = (
    "fractions and numbers with a sign or of more than 16 bits have no fixed brightness; save it "
    "in 8 or 16 bits, or give the network's own numbers as a .npy file; 'ftdist run --bands "
    "always' of it alone takes them as they are"
)
"""Why what is seen is not made of such samples, and what to do."""


@dataclass(frozen=True, slots=True)
class PictureBytes:
    """A picture that came through a pipe, and what messages call it."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


Source = str | Path | PictureBytes
"""Where a picture comes from."""


class Picture(ABC):
    """An opened picture, not yet decoded.

    `full` is its size as stored, before any draft; `orientation` is EXIF's, 1 to 8. `jpeg` is what
    a JPEG's markers say: only such can be drafted.
    """

    full: Size
    orientation: int
    jpeg: JpegHeader | None = None

    @property
    def turn(self) -> Turn:
        return TURNS[self.orientation]

    @property
    def size(self) -> Size:
        """The picture's full size, upright."""
        return self.as_stored(self.full)

    def as_stored(self, size: Size) -> Size:
        """An upright size as it is stored, and the other way round."""
        return size[::-1] if self.turn.sideways else size

    @property
    def decoded(self) -> Size:
        """The size that its bands have together, as stored, after any draft."""
        return self.full

    @property
    @abstractmethod
    def named(self) -> str:
        """What it is, as a message says it."""

    @property
    @abstractmethod
    def decoding_bytes(self) -> int:
        """What ``samples`` holds at most, beside what the process holds now."""

    @abstractmethod
    def shown_bytes(self, beside: int = 0) -> int:
        """What ``bands`` holds at most, with what is held `beside` it once it gives bands."""

    def showing_bytes(self, beside: int = 0) -> int:
        """The same where they are turned upright."""
        return self.shown_bytes(beside + (_TURNED_COPIES * BAND_PIXELS if any(self.turn) else 0))

    def draft(self, mode: str, needed: Size) -> None:  # noqa: B027 - few can
        """Lets a decoder that can make it smaller, by 2, 4 or 8, yet no smaller than needed."""

    @abstractmethod
    def samples(self, mode: str, take: TakeSamples) -> None:
        """The same as ``bands``, as arrays; they may be views with gaps between pixels."""

    @abstractmethod
    def bands(self, mode: str, take: Take) -> None:
        """Decodes the picture: bands of it as stored, in mode L or RGB, in order."""

    @abstractmethod
    def close(self) -> None:
        """Closes its file."""
