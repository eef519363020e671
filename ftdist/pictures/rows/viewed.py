"""Reads by rows what Pillow decodes: JPEG, and whatever else it knows (BMP, GIF, WebP).

A baseline JPEG comes by rows, as its data go in. A progressive one cannot: its last pass over all
pixels may change the first row, and the decoder holds the coefficients of all. It is decoded whole,
as GIF and WebP are, and what that takes is said beforehand. Inks become colours; where there is
transparency, it is the last channel.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ftdist.geometry import Shape
from ftdist.pictures.bands import load, raw_rows, raw_stride
from ftdist.pictures.footprint import CODE_BYTES, row_bytes
from ftdist.pictures.reading import PillowPicture, left_open, told
from ftdist.pictures.rows.protocol import RowMemory, Rows, Tags
from ftdist.pictures.rows.sequential import Sequential
from ftdist.pictures.rows.tiff.tags import (
    ICC_PROFILE,
    ORIENTATION,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    Y_RESOLUTION,
)
from ftdist.pictures.streaming import Stream, streams

if TYPE_CHECKING:
    from PIL.Image import Image

_INCH = 2
_SMALL = 32
_CHANNELS = {"L": 1, "RGB": 3, "LA": 2, "RGBA": 4}
_MOST_ICC_BYTES = 4 << 20


class ViewedSource(Sequential):
    """A picture that Pillow decodes, in 8 bits."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with told(path):
            self._picture: PillowPicture | None = left_open(path)
            try:
                self._mode = _mode(self._picture.image)
                self.tags: Tags = _tags(self._picture)
                width, height = self._picture.full
                self.shape = Shape(height, width, _CHANNELS[self._mode])
                self._memory = self._counted(self._picture)
            except BaseException:
                self._picture.close()
                raise
        self.dtype = np.dtype(np.uint8)
        self._stream: Stream | None = None
        self._whole: Image | None = None

    def memory(self) -> RowMemory:
        return self._memory

    def _counted(self, picture: PillowPicture) -> RowMemory:
        given = picture.image, picture.jpeg
        kept, at_work = row_bytes(*given, self.step_rows, self.channels)
        is_rehearsed = self.streams or picture.jpeg is not None
        return RowMemory(kept if is_rehearsed else kept + CODE_BYTES, at_work)

    def rehearse(self) -> None:
        """Of a JPEG that is decoded whole a small one is decoded in its place."""
        super().rehearse()
        if self._opened().jpeg is not None and not self.streams:
            _decode_small()

    @property
    def _begins_small(self) -> bool:
        return self.streams

    @property
    def streams(self) -> bool:
        """Whether rows come as data go in; else the picture is decoded whole."""
        picture = self._opened()
        return bool(raw_stride(picture.image)) or streams(picture.image, picture.jpeg)

    def _opened(self) -> PillowPicture:
        if self._picture is None:
            self._picture = left_open(self.path)
        return self._picture

    def close(self) -> None:
        self._begin()

    def _begin(self) -> None:
        """What was decoded goes; the file is opened again when a row is wanted."""
        if self._stream is not None:
            self._stream.close()
        if self._picture is not None:
            self._picture.close()
        self._stream = self._picture = self._whole = None

    def _fill(self, out: Rows) -> None:
        with told(self.path):
            band: Any = self._band(self._next, self._next + len(out))
            if band.mode != self._mode:
                band = band.convert(self._mode)
            out[...] = np.asarray(band).reshape(out.shape)

    def _band(self, first: int, stop: int) -> Image:
        picture = self._opened()
        if self._whole is None and raw_stride(picture.image):
            return raw_rows(picture.image, first, stop)
        if self._stream is None and self._whole is None:
            if picture.jpeg is not None and streams(picture.image, picture.jpeg):
                self._stream = Stream(picture.image, picture.jpeg)
            else:
                load(picture.image)
                self._whole = picture.image
        if self._stream is not None:
            self._stream.decode_to(stop)
            return self._stream.take(stop)
        assert self._whole is not None
        return self._whole.crop((0, first, self.shape.width, stop))


def _decode_small() -> None:
    """Decodes a JPEG of several scans."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (_SMALL, _SMALL)).save(file, "JPEG", progressive=True)
    with Image.open(file, formats=("JPEG",)) as image:
        image.convert("RGB").tobytes()


def _mode(image: Any) -> str:
    """What its bands are brought to."""
    if image.mode in _CHANNELS:
        return str(image.mode)
    if image.mode[0] in "IF":
        raise ValueError("more than 8 bits are not read of this kind of file; save it as .png")
    if image.mode == "1":
        return "L"
    return "RGBA" if image.has_transparency_data else "RGB"


def _tags(picture: PillowPicture) -> dict[int, Any]:
    found: dict[int, Any] = {}
    information: dict[Any, Any] = picture.image.info
    if (density := information.get("dpi")) is not None and min(density) > 0:
        found[X_RESOLUTION], found[Y_RESOLUTION] = ((float(each),) for each in density)
        found[RESOLUTION_UNIT] = (_INCH,)
    profile = information.get("icc_profile")
    if isinstance(profile, bytes) and 0 < len(profile) <= _MOST_ICC_BYTES:
        found[ICC_PROFILE] = profile
    if picture.orientation != 1:
        found[ORIENTATION] = (picture.orientation,)
    return found
