"""A JPEG's file without what nobody reads: Pillow would hold all that stands before the pixels.

Telephones and programs put megabytes there: previews, depth maps, notes. Of a long header only the
segments stay that say how to decode the picture and which way up it is.
"""

from __future__ import annotations

import io
from itertools import accumulate
from typing import IO

from ftdist.pictures.jpegheader import JpegHeader, segments

MOST_HEADER_BYTES = 1 << 20
"""Shorter headers stay as they are."""

_ADOBE, _EXIF, _COMMENT = 0xEE, b"Exif\x00\x00", 0xFE
_APPLICATIONS = range(0xE0, 0xF0)


def lean(file: IO[bytes], jpeg: JpegHeader | None) -> IO[bytes]:
    """The file, or one that reads the same with less before a JPEG's pixels.

    It closes the file when it is closed itself. `jpeg` is the file's header, if it has one.
    """
    if jpeg is not None and jpeg.data_offset <= MOST_HEADER_BYTES:
        return file
    spans: list[tuple[int, int]] = []
    end = exif = 0
    for marker, start, stop in segments(file):
        end = stop
        needless = marker == _COMMENT or (marker in _APPLICATIONS and marker != _ADOBE)
        if needless and marker == _APPLICATIONS[1] and not exif:
            file.seek(start + 4)
            exif = file.read(len(_EXIF)) == _EXIF
            needless = not exif
        if not needless:
            spans.append((start, stop))
    if end <= MOST_HEADER_BYTES:
        return file
    size = file.seek(0, io.SEEK_END)
    return io.BufferedReader(_Spans(file, [(0, 2), *spans, (end, size)]))


class _Spans(io.RawIOBase):
    """Parts of a file, one after the other, as a file."""

    def __init__(self, file: IO[bytes], spans: list[tuple[int, int]]) -> None:
        self._file, self._spans, self._at = file, spans, 0
        self._ends = list(accumulate(stop - start for start, stop in spans))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        for (_, stop), end in zip(self._spans, self._ends, strict=True):
            if self._at < end:
                self._file.seek(stop - (end - self._at))
                found = self._file.read(min(len(view), end - self._at))
                view[: len(found)] = found
                self._at += len(found)
                return len(found)
        return 0

    def close(self) -> None:
        self._file.close()
        super().close()
