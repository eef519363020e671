"""Pictures that our own readers decode where a picture is to be seen: PNG, TIFF, PAM.

They take less memory and time than Pillow does, read more kinds (BigTIFF, tiles, 16 bits), and know
what Pillow shows wrongly: a small version that is stored first, 12 bits as 16, a transparent shade
of 16 bits. What has no fixed brightness, as fractions and signed numbers, is refused.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ftdist.errors import InputError
from ftdist.pictures.bands import BAND_PIXELS, Take, TakeSamples
from ftdist.pictures.exif import ORIENTATION_TAG, TURNS
from ftdist.pictures.footprint import CODE_BYTES
from ftdist.pictures.nameless import nameless_file, write_all
from ftdist.pictures.picture import NO_BRIGHTNESS, Picture, PictureBytes, Source
from ftdist.pictures.rows.feed import as_seen
from ftdist.pictures.rows.protocol import Rows, RowSource

_CHANNELS = {"L": 1, "RGB": 3}

_MIXED_PARTS = 4
"""Bands whose pixels have to be mixed are so much smaller."""

_MIXED_BYTES = 52
"""For such a pixel: as read, its transparency and the mixture in wider numbers, and the result."""

_PLAIN_BYTES = 4
"""For any other: as read, and its part of what becomes grey, a few rows at a time."""

_SHOWN_BYTES = 5
"""For a pixel that is shown, as Pillow has it."""


def by_rows(source: Source, kind: str) -> RowPicture | None:
    """A picture of a kind in READERS; None for one that Pillow decodes, InputError for damage."""
    if isinstance(source, PictureBytes):
        file = nameless_file(Path(tempfile.gettempdir()))
        try:
            write_all(file, source.content, 0)
            return _opened(Path(f"/proc/self/fd/{file}"), kind, source)
        finally:
            os.close(file)
    return _opened(Path(source), kind, source)


def _opened(path: Path, kind: str, source: Source) -> RowPicture | None:
    with _called(path, source):
        rows = READERS[kind](path)
    if rows is None:
        return None
    try:
        return RowPicture(rows, kind, path, source)
    except BaseException:
        rows.close()
        raise


def _png(path: Path) -> RowSource:
    from ftdist.pictures.rows.png import PngSource  # each brings what only it needs

    return PngSource(path, path.parent)


def _pam(path: Path) -> RowSource:
    from ftdist.pictures.rows.plain import open_pnm  # as above

    return open_pnm(path)


def _tiff(path: Path) -> RowSource | None:
    from ftdist.pictures.rows.tiff.source import TiffSource, is_viewed  # as above

    try:
        return TiffSource(path)
    except InputError as refused:
        if is_viewed(refused):
            return None
        raise


READERS: dict[str, Callable[[Path], RowSource | None]] = {"PNG": _png, "TIFF": _tiff, "PAM": _pam}


class RowPicture(Picture):
    """A picture of 8 or 16 bits that a source gives by rows."""

    def __init__(self, rows: RowSource, kind: str, path: Path, source: Source) -> None:
        shape, self._rows, self._kind = rows.shape, rows, kind
        self._path, self._source = path, source
        if rows.dtype == np.float32:
            raise InputError(f"{source}: a {kind} of {shape} in {rows.dtype}: {NO_BRIGHTNESS}")
        if shape.channels > 4:
            raise InputError(
                f"{source}: a {kind} of {shape} in {rows.dtype}: photos have 1 to 4 bands; for a "
                "network that takes others save its numbers as a .npy file"
            )
        self.full = shape.width, shape.height
        (turned,) = rows.tags.get(ORIENTATION_TAG, (1,))[:1]
        self.orientation = turned if turned in TURNS else 1

    @property
    def named(self) -> str:
        return f"a {self._kind} of {self.size[0]}x{self.size[1]}"

    @property
    def decoding_bytes(self) -> int:
        return self._rows.memory().most + CODE_BYTES + self._band_pixels * self._pixel_bytes

    def shown_bytes(self, beside: int = 0) -> int:
        return self.decoding_bytes + self._band_pixels * _SHOWN_BYTES + beside

    @property
    def _mixed(self) -> bool:
        """Whether more may happen to its samples than that they are passed on."""
        return self._rows.dtype != np.uint8 or self._rows.shape.channels in (2, 4)

    @property
    def _pixel_bytes(self) -> int:
        return _MIXED_BYTES if self._mixed else _PLAIN_BYTES

    @property
    def _band_pixels(self) -> int:
        return self._band_rows * self.full[0]

    @property
    def _band_rows(self) -> int:
        width, height = self.full
        return min(height, max(1, BAND_PIXELS // (_MIXED_PARTS if self._mixed else 1) // width))

    def samples(self, mode: str, take: TakeSamples) -> None:
        height = self.full[1]
        channels, tags = _CHANNELS[mode], self._rows.tags
        step = self._band_rows
        if not self._mixed and channels != self._rows.shape.channels:
            step = max(1, step // (2 * _MIXED_PARTS))
        with _called(self._path, self._source):
            for first in range(0, height, step):
                stop = min(first + step, height)
                seen = as_seen(self._rows.rows(first, stop), tags, channels)
                take(first, np.ascontiguousarray(seen))

    def bands(self, mode: str, take: Take) -> None:
        from PIL.Image import fromarray

        def shown(first: int, rows: Rows) -> None:
            plain = np.ascontiguousarray(rows if mode == "RGB" else rows[:, :, 0])
            take(first, fromarray(plain))

        self.samples(mode, shown)

    def close(self) -> None:
        self._rows.close()


@contextmanager
def _called(path: Path, source: Source) -> Iterator[None]:
    """Errors call the picture as it was given."""
    try:
        yield
    except InputError as error:
        if str(path) == str(source):
            raise
        raise InputError(str(error).replace(str(path), str(source))) from error.__cause__
