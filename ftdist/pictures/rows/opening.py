"""Which file is read and written by rows by what: the doors to all formats.

What is read is told by a file's first bytes, what is written by its name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.beginnings import PNG, TIFF
from ftdist.pictures.exif import ORIENTATION_TAG, TURNS
from ftdist.pictures.rows.plain import (
    PNM_SUFFIXES,
    create_array,
    create_pnm,
    open_array,
    open_pnm,
    plain_bytes,
)
from ftdist.pictures.rows.protocol import RowSink, RowSource, Tags
from ftdist.pictures.rows.strips import Encoder, StripSink, strip_bytes
from ftdist.pictures.rows.tiff.tags import ICC_PROFILE, scaled

_ARRAY_SUFFIX = ".npy"
_JPEG, _PNG, _TIFF = (".jpg", ".jpeg"), (".png",), (".tif", ".tiff")
WRITTEN = (_ARRAY_SUFFIX, *PNM_SUFFIXES, *_PNG, *_JPEG, *_TIFF)
"""The endings of files that are written by rows."""

_NPY_BEGINS, _PNM_BEGINS = b"\x93NUMPY", (b"P5", b"P6", b"P7")
_ENCODER_BYTES = 5 << 20
"""Pillow and its library for JPEG, where nothing has brought them before."""
_PIECE_BYTES = 256 << 10
"""What is written at once, about; no less than a row."""


def open_rows(path: Path, *, planes: bool = True, folder: Path | None = None) -> RowSource:
    """The picture or array in a file; InputError when its rows cannot be read from the top down.

    An array of fractions is `planes`, (channels, height, width), or pixels. `folder` has room for
    pictures that are put in order on the disk first (interlaced ones, and photos that are stored
    lying): by default that of the file.
    """
    folder = folder or Path(os.path.realpath(path)).parent
    source = _opened(path, folder, planes=planes)
    (orientation,) = source.tags.get(ORIENTATION_TAG, (1,))[:1]
    if orientation in TURNS and orientation != 1:
        from ftdist.pictures.rows.upright import UprightSource  # each brings what only it needs

        return UprightSource(source, orientation, folder)
    return source


def _opened(path: Path, folder: Path, *, planes: bool) -> RowSource:
    """The file's picture as it is stored."""
    begin = _begin(path)
    if begin.startswith(_NPY_BEGINS):
        return open_array(path, planes=planes)
    if begin[:2] in _PNM_BEGINS:
        return open_pnm(path)
    if begin.startswith(PNG):
        from ftdist.pictures.rows.png import PngSource  # as above

        return PngSource(path, folder)
    if begin[:4] in TIFF:
        return _tiff(path)
    from ftdist.pictures.rows.viewed import ViewedSource  # as above

    return ViewedSource(path)


def _tiff(path: Path) -> RowSource:
    """By rows; a kind that is not read so (fax, L*a*b*) is decoded whole, if Pillow knows it."""
    from ftdist.pictures.rows.tiff.source import TiffSource, is_viewed  # as above
    from ftdist.pictures.rows.viewed import ViewedSource

    try:
        return TiffSource(path)
    except InputError as refused:
        if not is_viewed(refused):
            raise
        try:
            return ViewedSource(path)
        except InputError:
            raise refused from None


def _begin(path: Path) -> bytes:
    """What a file begins with, by which its format is told."""
    if not path.is_file():
        raise InputError(f"{path}: not a file" if path.exists() else f"{path}: no such file")
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def create_rows(
    path: Path,
    shape: Shape,
    dtype: np.dtype[Any],
    like: RowSource | None = None,
    *,
    resume: bool = False,
    planes: bool = True,
) -> RowSink:
    """What writes a file of that name; InputError when it cannot hold such rows.

    `like` is the picture that it was made of, whose tags it keeps where it has such. `resume` goes
    on with what an earlier attempt has left. An array of fractions is written as `planes`, or as
    pixels.
    """
    suffix = path.suffix.lower()
    if suffix == _ARRAY_SUFFIX:
        own = planes and np.dtype(dtype).kind == "f"
        return create_array(path, shape, dtype, planes=own, resume=resume)
    if suffix in PNM_SUFFIXES:
        return create_pnm(path, shape, dtype, resume=resume)
    if suffix in WRITTEN:
        return _strips(path, shape, np.dtype(dtype), like, resume=resume)
    raise InputError(f"{path}: no picture that is written by rows ({', '.join(WRITTEN)})")


def _strips(
    path: Path, shape: Shape, dtype: np.dtype[Any], like: RowSource | None, *, resume: bool
) -> StripSink:
    """Tags go over; those of place and resolution as the size has changed."""
    tags: Tags = {}
    if like is not None:
        own = like.shape
        tags = scaled(like.tags, shape.width / own.width, shape.height / own.height)
        if own.channels != shape.channels:  # a profile is of colours that are no longer there
            tags = {tag: each for tag, each in tags.items() if tag != ICC_PROFILE}
    kind = path.suffix.lower()
    try:
        encoder = _encoder(kind)(shape, dtype, tags)
    except ValueError as error:
        raise InputError(f"cannot write {path}: {error}") from None
    return StripSink(path, shape, dtype, encoder, kind).begin(resume=resume)


def _encoder(suffix: str) -> Callable[[Shape, np.dtype[Any], Tags], Encoder]:
    if suffix in _PNG:
        from ftdist.pictures.rows.pngwriter import PngEncoder  # as above

        return PngEncoder
    if suffix in _JPEG:
        from ftdist.pictures.rows.jpegwriter import JpegEncoder  # as above

        return JpegEncoder
    from ftdist.pictures.rows.tiff.writer import TiffEncoder  # as above

    return TiffEncoder


def row_memory(source: RowSource, path: Path, shape: Shape, dtype: np.dtype[Any]) -> int:
    """What reading `source` and writing such a file hold at most, beside the caller's rows."""
    suffix, dtype = path.suffix.lower(), np.dtype(dtype)
    if suffix in _JPEG:
        return source.holding_bytes() + strip_bytes(shape, dtype, jpeg=True) + _ENCODER_BYTES
    if suffix in (*_PNG, *_TIFF):
        return source.holding_bytes() + strip_bytes(shape, dtype)
    return source.holding_bytes() + 2 * max(_PIECE_BYTES, plain_bytes(shape, dtype, 1))
