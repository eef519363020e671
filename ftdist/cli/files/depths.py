"""Says where pictures of more than eight bits a colour come out in eight: where a network makes
pictures of several, which are computed whole. Of one alone, bands keep them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from ftdist.cli.files.asked import tell_once
from ftdist.errors import InputError
from ftdist.many.listing import Source
from ftdist.network.task import Task
from ftdist.pictures.rows.opening import open_rows

_DEEP = (".png", ".tif", ".tiff")
"""What can hold more than eight bits a colour."""

LOOKED_AT = 48
"""Inputs whose headers are read, evenly spread."""


def tell_of_depth(inputs: Iterable[Source], target: Path | None, task: Task) -> None:
    """Names the first of the inputs whose bits are lost in what is written, as `target` is."""
    if task.kind != "image" or target is None or target.suffix.lower() not in _DEEP:
        return
    for each in inputs:
        bits = _bits(each.path) if each.path.suffix.lower() in _DEEP else 0
        if bits > 8:
            tell_once(
                f"{each.name}: {bits} bits a colour come out in 8 where pictures are several; "
                "'ftdist run' of one alone keeps them"
            )
            return


def _bits(path: Path) -> int:
    """Of a colour of a picture, by its header; 0 where it cannot be read."""
    try:
        with closing(open_rows(path)) as rows:
            return 8 * rows.dtype.itemsize
    except InputError:
        return 0
