"""What a PNG says before and beside its pixels: size, depth, palette, transparency, tags.

Source: ISO/IEC 15948. Chunks that are of no use here are passed over; those that are read are
bounded, whatever the file says of their length.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ftdist.pictures.beginnings import PNG
from ftdist.pictures.exif import stated
from ftdist.pictures.rows.codings import DEFLATED_MOST, PIECE_BYTES
from ftdist.pictures.rows.protocol import Tags
from ftdist.pictures.rows.tiff.tags import (
    ICC_PROFILE,
    ORIENTATION,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    Y_RESOLUTION,
)

SIGNATURE = PNG

_CENTIMETRE = 3
_STORED_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_MOST_SIDE = (1 << 31) - 1
_MOST_READ = 4 << 20
_MOST_CHUNKS = 100_000
_PALETTE = 3


@dataclass(frozen=True)
class PngHeader:
    """How rows lie in the file, and what they become.

    `palette` is (colours, 3 or 4), `key` the samples that mean transparent. `data_at` is where the
    first chunk of pixels begins.
    """

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: NDArray[np.uint8] | None = None
    key: tuple[int, ...] | None = None
    data_at: int = 0
    tags: Tags = field(default_factory=dict)

    @property
    def stored_samples(self) -> int:
        """Samples of a pixel in the file."""
        return _STORED_SAMPLES[self.colour]

    @property
    def channels(self) -> int:
        """Samples of a pixel as it is given; transparency is the last of them."""
        if self.palette is not None:
            return int(self.palette.shape[1])
        return self.stored_samples + (self.key is not None)

    @property
    def filter_bytes(self) -> int:
        """How far left the byte lies that a filter refers to."""
        return max(1, self.stored_samples * self.depth // 8)

    def line_bytes(self, width: int) -> int:
        """Bytes of a row of so many pixels, without its filter."""
        return -(-width * self.stored_samples * self.depth // 8)


def read_header(file: int) -> PngHeader:
    """The header of the PNG that lies open; ValueError for what is none, or damaged."""
    header: PngHeader | None = None
    transparent = b""
    tags: dict[int, object] = {}
    for at, name, length in _chunks(file):
        content = b""
        if name in (b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"iCCP", b"eXIf") and length <= _MOST_READ:
            content = _content(file, at, name, length)
        if header is None:
            header = _sized(content if name == b"IHDR" else b"")
        elif name == b"PLTE" and header.colour == _PALETTE:
            if length % 3 or not 3 <= length <= 768:
                raise ValueError("its palette is damaged")
            header = replace(header, palette=np.frombuffer(content, np.uint8).reshape(-1, 3))
        elif name == b"tRNS":
            transparent = content
        elif name == b"IDAT":
            if not header.data_at:
                header = replace(header, data_at=at)
        else:
            tags |= _tags(name, content)
    if header is None or not header.data_at:
        raise ValueError("the file is cut off: no row is there")
    _refuse_impossible(header, os.fstat(file).st_size)
    return replace(_transparent(header, transparent), tags=tags)


def _chunks(file: int) -> Iterator[tuple[int, bytes, int]]:
    """(position, name, length) of each chunk, up to the end."""
    at = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        head = os.pread(file, 8, at)
        if len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head)
        if length > _MOST_SIDE:
            raise ValueError("a chunk of it has an impossible length")
        yield at, name, length
        if name == b"IEND":
            return
        at += 12 + length


def _content(file: int, at: int, name: bytes, length: int) -> bytes:
    found = os.pread(file, length + 4, at + 8)
    content, check = found[:length], found[length:]
    if len(check) < 4:
        raise ValueError("the file is cut off before its pixels")
    if zlib.crc32(content, zlib.crc32(name)) != int.from_bytes(check, "big"):
        if name in (b"IHDR", b"PLTE", b"tRNS"):
            raise ValueError(f"its chunk {name.decode()} is damaged")
        return b""
    return content


def _sized(content: bytes) -> PngHeader:
    if len(content) != 13:
        raise ValueError("its header is damaged")
    width, height, depth, colour, packing, filters, interlace = struct.unpack(">IIBBBBB", content)
    if not (0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE):
        raise ValueError(f"it claims {width}x{height} pixels")
    if depth not in _DEPTHS.get(colour, ()) or packing or filters or interlace > 1:
        raise ValueError("its header claims a kind of PNG that does not exist")
    return PngHeader(width, height, depth, colour, interlace == 1)


def _refuse_impossible(header: PngHeader, file_bytes: int) -> None:
    """A file that cannot hold its rows, however well they are compressed, is not begun with."""
    needed = header.height * (1 + header.line_bytes(header.width))
    if needed > DEFLATED_MOST * file_bytes and not header.interlaced:
        raise ValueError(
            f"the file is cut off: {file_bytes} bytes cannot hold "
            f"{header.width}x{header.height} pixels"
        )


def _transparent(header: PngHeader, content: bytes) -> PngHeader:
    if header.colour == _PALETTE:
        if header.palette is None:
            raise ValueError("its palette is missing")
        if not content:
            return header
        opacity = np.full((len(header.palette), 1), 255, np.uint8)
        given = np.frombuffer(content[: len(opacity)], np.uint8)
        opacity[: len(given), 0] = given
        return replace(header, palette=np.concatenate([header.palette, opacity], axis=1))
    if header.colour in (0, 2) and len(content) == 2 * header.stored_samples:
        return replace(header, key=struct.unpack(f">{header.stored_samples}H", content))
    return header


def _tags(name: bytes, content: bytes) -> dict[int, object]:
    """What a chunk says, as TIFF says it; nothing where it is damaged or says nothing."""
    if name == b"pHYs" and len(content) == 9:
        across, down, unit = struct.unpack(">IIB", content)
        if unit == 1 and across and down:
            return {X_RESOLUTION: (across / 100,), Y_RESOLUTION: (down / 100,),
                    RESOLUTION_UNIT: (_CENTIMETRE,)}  # fmt: skip
    if name == b"iCCP":
        packed = content.partition(b"\x00")[2][1:]
        try:
            profile = zlib.decompressobj().decompress(packed, _MOST_READ)
        except zlib.error:
            return {}
        return {ICC_PROFILE: profile} if 0 < len(profile) < _MOST_READ else {}
    if name == b"eXIf":
        turned = stated(content)
        return {ORIENTATION: (turned,)} if turned != 1 else {}
    return {}


class DataChunks:
    """The pixels' compressed data, in pieces; their checksums are looked at as they pass."""

    def __init__(self, file: int, at: int) -> None:
        self._file, self._at = file, at

    def __iter__(self) -> Iterator[bytes]:
        at = self._at
        while True:
            head = os.pread(self._file, 8, at)
            if len(head) < 8 or head[4:] != b"IDAT":
                return
            left, check, at = int.from_bytes(head[:4], "big"), zlib.crc32(b"IDAT"), at + 8
            while left:
                piece = os.pread(self._file, min(left, PIECE_BYTES), at)
                if not piece:
                    return
                left, at, check = left - len(piece), at + len(piece), zlib.crc32(piece, check)
                yield piece
            found = os.pread(self._file, 4, at)
            if len(found) == 4 and int.from_bytes(found, "big") != check:
                raise ValueError("its pixels are damaged (a checksum is wrong)")
            at += 4
