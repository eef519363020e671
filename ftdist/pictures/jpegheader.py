"""What a JPEG's markers say before its first scan: how it will be decoded, and in how much memory.

Pillow says whether a JPEG is progressive; it does not say what else makes libjpeg hold all of the
coefficients (colours in scans of their own), nor how far damaged data may make it run ahead.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import IO, NamedTuple

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_HUFFMAN_SEQUENTIAL = (0xC0, 0xC1)
_SCAN, _RESTART_INTERVAL = 0xDA, 0xDD
_MOST_SEGMENTS = 10_000


class JpegHeader(NamedTuple):
    """Size, sampling factors (across, down) of each component, and kind of the scans.

    `sequential`: baseline or extended, Huffman-coded, all components in one scan, so that rows come
    out as the data goes in. `restart_interval` is in MCUs, 0 for none; `data_offset` is where the
    first scan's data begins in the file.
    """

    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]
    sequential: bool
    restart_interval: int
    data_offset: int

    @property
    def mcu(self) -> Mcu:
        return _mcu(self.sampling)

    @property
    def mcu_width(self) -> int:
        return _mcu(self.sampling).width

    @property
    def mcu_height(self) -> int:
        return _mcu(self.sampling).height

    @property
    def mcus_across(self) -> int:
        return -(-self.width // self.mcu_width)

    @property
    def mcus_down(self) -> int:
        return -(-self.height // self.mcu_height)

    @property
    def blocks(self) -> int:
        """Blocks of 64 samples in an MCU."""
        return _mcu(self.sampling).blocks

    @property
    def coefficients(self) -> int:
        """Samples that a decoder of several scans holds at once, in all components."""
        return 64 * self.blocks * self.mcus_across * self.mcus_down


class Mcu(NamedTuple):
    """What is coded together: its size in samples, and its blocks of 64."""

    width: int
    height: int
    blocks: int


@lru_cache(maxsize=16)  # a batch's pictures have the same factors, mostly
def _mcu(sampling: tuple[tuple[int, int], ...]) -> Mcu:
    if len(sampling) == 1:
        return Mcu(8, 8, 1)
    across, down = (max(factors) for factors in zip(*sampling, strict=True))
    return Mcu(8 * across, 8 * down, sum(x * y for x, y in sampling))


def read_header(file: IO[bytes]) -> JpegHeader | None:
    """The header of the JPEG at the file's beginning; None where it has none that we understand.

    The file's position is kept.
    """
    position = file.tell()
    try:
        file.seek(0)
        return _walked(file)
    finally:
        file.seek(position)


def segments(file: IO[bytes]) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment up to the first scan's header; nothing in what is no
    JPEG. Between two of them the file's position is the caller's."""
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        return
    at = 2
    for _ in range(_MOST_SEGMENTS):
        file.seek(at)
        marker = file.read(1)
        while marker and marker != b"\xff":  # rubbish between segments is skipped, as libjpeg does
            marker = file.read(1)
        while marker == b"\xff":
            marker = file.read(1)
        start = file.tell() - 2
        length = int.from_bytes(file.read(2), "big")
        if not marker or length < 2:
            return
        at = start + 2 + length
        yield marker[0], start, at
        if marker[0] == _SCAN:
            return


def _walked(file: IO[bytes]) -> JpegHeader | None:
    frame, kind, interval = b"", 0, 0
    for marker, start, stop in segments(file):
        if marker in _FRAMES:
            frame, kind = file.read(stop - start - 4), marker
        elif marker == _RESTART_INTERVAL:
            interval = int.from_bytes(file.read(stop - start - 4)[:2], "big")
        elif marker == _SCAN:
            components = file.read(1)
            return _understood(frame, kind, interval, components[0] if components else 0, stop)
    return None


def _understood(
    frame: bytes, kind: int, interval: int, scanned: int, start: int
) -> JpegHeader | None:
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        return None
    factors = [frame[7 + 3 * each] for each in range(frame[5])]
    sampling = tuple((each >> 4, each & 15) for each in factors)
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if not sampling or min(min(each) for each in sampling) < 1 or min(height, width) < 1:
        return None
    sequential = kind in _HUFFMAN_SEQUENTIAL and scanned == len(sampling)
    return JpegHeader(width, height, sampling, sequential, interval, start)
