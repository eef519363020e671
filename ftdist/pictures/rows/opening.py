"""Which file is read and written by rows by what: the doors to all formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.rows.plain import (
    PNM_SUFFIXES,
    PlainSource,
    create_array,
    create_pnm,
    open_array,
    open_pnm,
    plain_bytes,
)
from ftdist.pictures.rows.protocol import RowSink, RowSource

_ARRAY_SUFFIX = ".npy"
_NPY, _PNG = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n"
_PNM, _TIFF = (b"P5", b"P6"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PIECE_ROWS = 64


def open_rows(path: Path, *, planes: bool = True) -> RowSource:
    """The picture or array in a file; InputError when its rows cannot be read from the top down.

    An array of fractions is `planes`, (channels, height, width), or pixels.
    """
    begin = _begin(path)
    if begin.startswith(_NPY):
        return open_array(path, planes=planes)
    if begin[:2] in _PNM:
        return open_pnm(path)
    if begin.startswith(_PNG):
        from ftdist.pictures.rows.png import PngSource  # each brings what only it needs

        return PngSource(path)
    if begin[:4] in _TIFF:
        from ftdist.pictures.rows.tiff.source import TiffSource  # as above

        return TiffSource(path)
    from ftdist.pictures.rows.viewed import ViewedSource  # as above

    return ViewedSource(path)


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
    raise InputError(
        f"{path}: no picture that is written by rows (.npy, {', '.join(PNM_SUFFIXES)})"
    )


def row_memory(source: RowSource, path: Path, shape: Shape, dtype: np.dtype[Any]) -> int:
    """What reading `source` and writing such a file hold at most, beside the caller's rows."""
    if isinstance(source, PlainSource):
        read = plain_bytes(source.shape, source.dtype, _PIECE_ROWS)
    else:
        read = source.holding_bytes()  # type: ignore[attr-defined]
    return read + plain_bytes(shape, dtype, _PIECE_ROWS)
