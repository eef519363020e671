"""The orientation that EXIF says: how stored rows are to be turned.

Pillow finds it in all formats; yet in a PNG it may stand behind the pixels, which Pillow would
decode on the way to it.
"""

from __future__ import annotations

import os
import struct
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

ORIENTATION_TAG = 0x0112
"""Where EXIF says how stored rows are to be turned."""

_SHORT = 3
_MOST_ENTRIES = 1000
_MOST_CHUNKS = 100_000
_MOST_EXIF_BYTES = 1 << 20


class Turn(NamedTuple):
    """How stored rows become upright ones: reversed along an axis as stored, then transposed."""

    sideways: bool
    rows_reversed: bool
    columns_reversed: bool


TURNS = {
    1: Turn(False, False, False),
    2: Turn(False, False, True),
    3: Turn(False, True, True),
    4: Turn(False, True, False),
    5: Turn(True, False, False),
    6: Turn(True, True, False),
    7: Turn(True, True, True),
    8: Turn(True, False, True),
}
"""What EXIF's orientations mean."""


def stated(content: bytes) -> int:
    """1 to 8, of EXIF's data, which are a small TIFF; 1 where they say nothing that can be read."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(content[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", content, 4)
        (entries,) = struct.unpack_from(order + "H", content, at)
        for number in range(min(entries, _MOST_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", content, at + 2 + 12 * number)
            if (tag, kind) == (ORIENTATION_TAG, _SHORT) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 1


def orientation(image: ImageFile) -> int:
    """How the stored rows are to be turned: EXIF's 1..8, 1 for not at all."""
    if image.format == "PNG" and "exif" not in image.info:  # getexif() would decode all of it
        file: Any = image.fp
        return stated(_exif_of_png(file))
    if image.format == "JPEG" and not {"exif", "xmp"} & image.info.keys():
        return 1
    found = image.getexif().get(ORIENTATION_TAG)
    return found if found in TURNS else 1


def _exif_of_png(file: IO[bytes]) -> bytes:
    """The eXIf chunk behind a PNG's pixels, where there is one."""
    position = file.tell()
    try:
        file.seek(8)
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            length = int.from_bytes(head[:4], "big")
            if len(head) < 8 or head[4:] == b"IEND":
                break
            if head[4:] == b"eXIf" and length <= _MOST_EXIF_BYTES:
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)
        return b""
    finally:
        file.seek(position)
