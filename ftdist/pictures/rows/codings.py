"""Undoes what rows are packed by in PNG and TIFF: compressed streams, differences, packed bits.

A stream is decoded as far as is asked for and no further, from pieces of the file, so that a strip
of any length takes a few KiB, and a bomb makes no more than the rows that its header claims.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

PIECE_BYTES = 64 << 10
"""How much of a file is read at a time."""

INFLATE_BYTES = 56 << 10
"""zlib's window and tables."""

DEFLATED_MOST, LZW_MOST, PACKED_MOST = 1032, 4096 * 8 // 9, 64
"""How many bytes one byte can become. A code of LZW stands for fewer than 4096."""

_MADE_AT_ONCE = 128 << 10
_LITTLE = sys.byteorder == "little"


class Decoder(Protocol):
    """Decodes pieces of data into room; gives how many bytes were used and made."""

    def decode(self, data: Bytes, out: Bytes, /) -> tuple[int, int]: ...


class Stored:
    """Nothing to undo."""

    def decode(self, data: Bytes, out: Bytes, /) -> tuple[int, int]:
        size = min(len(data), len(out))
        out[:size] = data[:size]
        return size, size


class Inflate:
    """zlib's, which hands out no more than there is room for."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj()

    def decode(self, data: Bytes, out: Bytes, /) -> tuple[int, int]:
        if self._inflate.eof:
            return len(data), 0
        made = self._inflate.decompress(data.data, min(len(out), _MADE_AT_ONCE))
        out[: len(made)] = np.frombuffer(made, np.uint8)
        return len(data) - len(self._inflate.unconsumed_tail), len(made)


class Stream:
    """Data that come in pieces, decoded as far as is asked for."""

    def __init__(self, pieces: Iterator[bytes], decoder: Decoder) -> None:
        self._pieces, self._decoder = pieces, decoder
        self._data: Bytes = np.empty(0, np.uint8)
        self._at = 0

    def fill(self, out: Bytes) -> int:
        """How many bytes were made: fewer than there is room for only where the data end."""
        done = 0
        while done < len(out):
            used, made = self._decoder.decode(self._data[self._at :], out[done:])
            self._at, done = self._at + used, done + made
            if not made and self._at == len(self._data):
                piece = next(self._pieces, b"")
                if not piece:
                    break
                self._data, self._at = np.frombuffer(piece, np.uint8), 0
            elif not used and not made:
                raise ValueError("its compressed data are damaged")
        return done


def undo_differences(lines: Bytes, sample: np.dtype[Any], step: int) -> None:
    """Undoes TIFF's predictor 2 in place, in rows of samples in the machine's own byte order."""
    from ftdist.pictures._decoding import accumulate

    samples = lines.reshape(-1).view(f"u{sample.itemsize}")
    accumulate(samples, samples.size // len(lines), step)


def undo_float_differences(lines: Bytes, size: int, step: int) -> Bytes:
    """TIFF's predictor 3 undone: samples of `size` bytes in the machine's byte order.

    Rows hold the samples' highest bytes, then the next, and differences of all.
    """
    from ftdist.pictures._decoding import accumulate

    accumulate(lines.reshape(-1), lines.shape[1], step)
    planes = lines.reshape(len(lines), size, -1)
    together = planes[:, ::-1] if _LITTLE else planes
    return np.ascontiguousarray(together.transpose(0, 2, 1)).reshape(len(lines), -1)


def unpacked(lines: Bytes, bits: int, samples: int) -> Bytes:
    """Samples of 1, 2 or 4 bits, one in a byte each, by rows of `samples`."""
    if bits == 1:
        return np.unpackbits(lines, axis=1, count=samples)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    split = lines[:, :, None] >> shifts & np.uint8((1 << bits) - 1)
    return split.reshape(len(lines), -1)[:, :samples]


WIDE_BYTES = 48
"""What ``crossing`` and ``spread`` hold for a sample at most."""


def crossing(lines: Bytes, bits: int, samples: int) -> NDArray[np.uint16]:
    """Samples of any number of bits up to 16 that lie across bytes, by rows of `samples`."""
    single = np.unpackbits(lines, axis=1, count=samples * bits).reshape(len(lines), samples, bits)
    padded = np.zeros((len(lines), samples, 16), np.uint8)
    padded[:, :, 16 - bits :] = single
    return np.packbits(padded.reshape(len(lines), -1), axis=1).view(">u2").astype(np.uint16)


def spread(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint32]:
    """Numbers of so many bits spread over 8, of more than 8 over 16, to the nearest."""
    most, white = (1 << bits) - 1, 0xFF if bits < 8 else 0xFFFF
    return (values * np.uint32(white) + np.uint32(most // 2)) // np.uint32(most)
