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
from ftdist.network.alignment import Alignment, stretched
from ftdist.pictures.beginnings import PNG, TIFF
from ftdist.pictures.exif import ORIENTATION_TAG, TURNS
from ftdist.pictures.rows.plain import (
    PNM_SUFFIXES,
    create_array,
    create_pnm,
    open_array,
    open_pnm,
    plain_memory,
)
from ftdist.pictures.rows.protocol import RowMemory, RowSink, RowSource, Tags
from ftdist.pictures.rows.strips import Encoder, StripSink, strip_memory
from ftdist.pictures.rows.tiff.tags import ICC_PROFILE, laid

_ARRAY_SUFFIX = ".npy"
_JPEG, _PNG, _TIFF = (".jpg", ".jpeg"), (".png",), (".tif", ".tiff")
_STRIPS = (*_PNG, *_JPEG, *_TIFF)
WRITTEN = (_ARRAY_SUFFIX, *PNM_SUFFIXES, *_STRIPS)
"""The endings of files that are written by rows."""

_NPY_BEGINS, _PNM_BEGINS = b"\x93NUMPY", (b"P5", b"P6", b"P7")
PIECE_BYTES = 256 << 10
"""What is written at once, about; no less than a row."""

_REHEARSED = (8, 16)
"""Rows and columns of a strip that is encoded for its code."""


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
        return open_array(path, planes=planes, folder=folder)
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
    """By rows; a kind that is not read so (fax, Zstandard, L*a*b*) is decoded whole, if Pillow
    knows it."""
    from ftdist.pictures.rows.tiff.source import TiffSource, is_viewed, place_of  # as above
    from ftdist.pictures.rows.viewed import ViewedSource

    try:
        return TiffSource(path)
    except InputError as refused:
        if not is_viewed(refused):
            raise
        try:
            source = ViewedSource(path)
        except InputError:
            raise refused from None
        source.tags = {**source.tags, **place_of(path)}
        return source


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
    alignment: Alignment | None = None,
    *,
    resume: bool = False,
    planes: bool = True,
) -> RowSink:
    """What writes a file of that name; InputError when it cannot hold such rows.

    `like` is the picture that it was made of, whose tags it keeps where it has such; without an
    `alignment` they have the same edges. `resume` goes on with what an earlier attempt has left. An
    array of fractions is written as `planes`, or as pixels.
    """
    suffix = path.suffix.lower()
    if suffix == _ARRAY_SUFFIX:
        own = planes and np.dtype(dtype).kind == "f"
        return create_array(path, shape, dtype, planes=own, resume=resume)
    if suffix in PNM_SUFFIXES:
        return create_pnm(path, shape, dtype, resume=resume)
    if suffix in _STRIPS:
        tags = {} if like is None else _tags(like, shape, alignment)
        encoder = _encoder(path, shape, np.dtype(dtype), tags)
        return StripSink(path, shape, np.dtype(dtype), encoder, suffix).begin(resume=resume)
    raise InputError(f"{path}: no picture that is written by rows ({', '.join(WRITTEN)})")


def _tags(like: RowSource, shape: Shape, alignment: Alignment | None) -> Tags:
    """Tags go over; those of place and resolution as the size has changed."""
    own = like.shape
    tags = laid(like.tags, stretched(shape, own) if alignment is None else alignment)
    if own.channels != shape.channels:  # a profile is of colours that are no longer there
        tags = {tag: each for tag, each in tags.items() if tag != ICC_PROFILE}
    return tags


def rehearse_writing(path: Path, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Encodes a little as a file of that name is: the code for it is in memory then, and counts
    among what the process holds. InputError when it cannot hold such rows."""
    if path.suffix.lower() not in _STRIPS:
        return
    _encoder(path, shape, dtype, {})
    small = Shape(*_REHEARSED, shape.channels)
    _encoder(path, small, dtype, {}).strip(np.zeros(small, dtype), len)


def _encoder(path: Path, shape: Shape, dtype: np.dtype[Any], tags: Tags) -> Encoder:
    try:
        return _encoder_of(path.suffix.lower())(shape, dtype, tags)
    except ValueError as error:
        raise InputError(f"cannot write {path}: {error}") from None


def _encoder_of(suffix: str) -> Callable[[Shape, np.dtype[Any], Tags], Encoder]:
    if suffix in _PNG:
        from ftdist.pictures.rows.pngwriter import PngEncoder  # as above

        return PngEncoder
    if suffix in _JPEG:
        from ftdist.pictures.rows.jpegwriter import JpegEncoder  # as above

        return JpegEncoder
    from ftdist.pictures.rows.tiff.writer import TiffEncoder  # as above

    return TiffEncoder


def writing_memory(
    path: Path, shape: Shape, dtype: np.dtype[Any], *, planes: bool = True, piece: int = PIECE_BYTES
) -> RowMemory:
    """What writing such a file holds, beside the caller's rows, about `piece` bytes at once;
    without its code, once ``rehearse_writing`` was called."""
    suffix, dtype = path.suffix.lower(), np.dtype(dtype)
    if suffix in _STRIPS:
        return strip_memory(shape, dtype, jpeg=suffix in _JPEG)
    own = planes and suffix == _ARRAY_SUFFIX and dtype.kind == "f"
    return plain_memory(shape, dtype, planes=own, piece_bytes=piece)


def row_memory(source: RowSource, path: Path, shape: Shape, dtype: np.dtype[Any]) -> int:
    """What copying `source` to such a file holds at most, beside the caller's rows."""
    reading, writing = source.memory(), writing_memory(path, shape, dtype)
    return reading.kept + writing.kept + max(reading.at_work, writing.at_work)
