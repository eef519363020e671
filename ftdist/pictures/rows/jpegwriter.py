"""Writes JPEGs by strips, each encoded by Pillow as a picture of its own.

The strips' data become one scan's restart intervals (ITU-T T.81, E.1.4), one a strip, with the
tables that all have in common. What is decoded is, to the bit, what a JPEG encoded in one go gives:
with colours in full resolution, rows of blocks know nothing of each other. So a strip is all that
is needed to go on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ftdist.extras import needing
from ftdist.geometry import Shape
from ftdist.pictures.rows.protocol import Rows, Tags
from ftdist.pictures.rows.strips import Put, strip_rows
from ftdist.pictures.rows.tiff.tags import ICC_PROFILE, RESOLUTION_UNIT, X_RESOLUTION, Y_RESOLUTION

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITY = 92
"""With colours in full resolution, which keeps small letters on coloured plates legible."""

_BLOCK = 8
_LARGEST = 65500
_START_OF_FRAME, _START_OF_SCAN, _RESTART_INTERVAL = b"\xff\xc0", b"\xff\xda", b"\xff\xdd"
_END = b"\xff\xd9"
_INCHES = {2: 1.0, 3: 2.54}
_MOST_DENSITY = (1 << 16) - 1


class JpegEncoder:
    """ValueError where a JPEG has no such pictures."""

    def __init__(self, shape: Shape, dtype: np.dtype[Any], tags: Tags) -> None:
        if shape.channels not in (1, 3) or dtype != np.uint8:
            raise ValueError(
                f"a JPEG has 1 or 3 channels of 8 bits, not {shape.channels} of {dtype}; "
                "write a .png or .tif"
            )
        if max(shape.height, shape.width) > _LARGEST:
            raise ValueError(f"a JPEG has at most {_LARGEST} rows and columns; write a .png")
        with needing("writing a JPEG", "Pillow", "image"):
            import PIL.Image  # noqa: F401
        self._shape, self._more = shape, _told(tags)
        self.strip_rows = strip_rows(shape, dtype)
        self._interval = self.strip_rows // _BLOCK * -(-shape.width // _BLOCK)
        self._strips = 0

    def head(self) -> bytes:
        return b""

    def strip(self, rows: Rows, put: Put) -> None:
        from PIL.Image import fromarray

        self.picture(fromarray(rows[:, :, 0] if self._shape.channels == 1 else rows), put)

    def picture(self, picture: Image, put: Put) -> None:
        """The next strip, given as a picture in mode L or RGB."""
        more = self._more if self._strips == 0 else {}
        file: Any = _ScanData(self._begin, put)
        picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0, **more)
        self._strips += 1

    def _begin(self, header: bytes, scan: bytes) -> bytes:
        """What stands before a strip's data, whose own header and scan's header are given: of the
        first one these, with the whole picture's height and the restart interval."""
        if self._strips:
            return bytes((0xFF, 0xD0 + (self._strips - 1) % 8))
        frame = header.rindex(_START_OF_FRAME) + 5
        height = struct.pack(">H", self._shape.height)
        interval = _RESTART_INTERVAL + struct.pack(">HH", 4, self._interval)
        return header[:frame] + height + header[frame + 2 :] + interval + scan

    def note(self) -> Sequence[int]:
        return ()

    def go_on(self, notes: Sequence[Sequence[int]]) -> None:
        self._strips = len(notes)

    def tail(self) -> bytes:
        return _END

    def patch(self) -> tuple[int, bytes]:
        return 0, b""


class _ScanData:
    """The file that Pillow writes a strip to. Its data go on as they come, but for the end marker;
    what stands before them is what `begin` makes of it."""

    def __init__(self, begin: Callable[[bytes, bytes], bytes], put: Put) -> None:
        self._begin, self._put = begin, put
        self._header: bytes | None = b""
        self._last = b""

    def write(self, content: bytes) -> int:
        """The next bytes of the strip's JPEG."""
        data = memoryview(content)
        if self._header is not None:
            self._header += content
            start = self._data_at(self._header)
            if not start:
                return len(content)
            data, self._header = memoryview(self._header)[start:], None
        self._pass(data)
        return len(content)

    def _data_at(self, header: bytes) -> int:
        """Where the data begin, and what stands before goes on; 0 as long as some of it lacks."""
        frame = header.find(_START_OF_FRAME)
        scan = header.find(_START_OF_SCAN, frame) if frame >= 0 else -1
        if scan < 0 or len(header) < scan + 4:
            return 0
        start = scan + 2 + int.from_bytes(header[scan + 2 : scan + 4], "big")
        if len(header) < start:
            return 0
        self._put(self._begin(header[:scan], header[scan:start]))
        return start

    def _pass(self, data: memoryview) -> None:
        """Hands data on, but for what may be the end marker."""
        kept = len(_END)
        if len(data) < kept:
            data = memoryview(self._last + bytes(data))
        else:
            self._put(self._last)
        self._put(data[:-kept])
        self._last = bytes(data[-kept:])


def _told(tags: Tags) -> dict[str, Any]:
    """The colour profile and the resolution, as Pillow is told them."""
    found: dict[str, Any] = {}
    if profile := tags.get(ICC_PROFILE):
        found["icc_profile"] = profile
    inches = _INCHES.get(tags.get(RESOLUTION_UNIT, (0,))[0])
    if inches and X_RESOLUTION in tags and Y_RESOLUTION in tags:
        density = tuple(round(tags[each][0] * inches) for each in (X_RESOLUTION, Y_RESOLUTION))
        if all(0 < each <= _MOST_DENSITY for each in density):
            found["dpi"] = density
    return found
