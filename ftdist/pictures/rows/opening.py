"""Which file is read and written by rows by what: the doors to all formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.rows.plain import (
    PNM_SUFFIXES,
    create_array,
    create_pnm,
    open_array,
    open_pnm,
    plain_bytes,
)
from ftdist.pictures.rows.protocol import RowSink, RowSource

_ARRAY_SUFFIX = ".npy"
_PIECE_ROWS = 64


def open_rows(path: Path, *, planes: bool = True) -> RowSource:
    """The picture or array in a file; InputError when its rows cannot be read from the top down.

    An array of fractions is `planes`, (channels, height, width), or pixels.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(f"{path}: not a file" if path.exists() else f"{path}: no such file")
    if suffix == _ARRAY_SUFFIX:
        return open_array(path, planes=planes)
    if suffix in PNM_SUFFIXES:
        return open_pnm(path)
    raise InputError(f"{path}: no picture that is read by rows (.npy, {', '.join(PNM_SUFFIXES)})")


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
    read = plain_bytes(source.shape, source.dtype, _PIECE_ROWS)
    return read + plain_bytes(shape, dtype, _PIECE_ROWS)
