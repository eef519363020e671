"""Regions of maps put together from pieces, and cut into what a message may carry.

Nothing is copied where one piece holds all that is wanted as it lies in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Region
from ftdist.protocol.records import Piece, Place
from ftdist.protocol.regions import common, cut, gather

Array = NDArray[Any]


def whole_in(place: Place, pieces: Sequence[Piece]) -> Array | None:
    """The values of a place if one piece has them all, lying as they may be used."""
    for piece in pieces:
        if piece.source == place.source and common(piece.region, place.region) == place.region:
            found = cut(piece, place.region).data
            if found.flags.c_contiguous and found.flags.aligned:
                return found
    return None


def assembled(place: Place, pieces: Sequence[Piece]) -> Array:
    """The values of a place that the pieces cover: (rows, columns, channels)."""
    found = whole_in(place, pieces)
    if found is not None:
        return found
    top, bottom, left, right = place.region
    target: Array | None = None
    for piece in pieces:
        both = common(piece.region, place.region) if piece.source == place.source else None
        if both is None:
            continue
        data = cut(piece, both).data
        if target is None:
            target = np.empty((bottom - top, right - left, data.shape[2]), data.dtype)
        rows = slice(both.top - top, both.bottom - top)
        target[rows, both.left - left : both.right - left] = data
    assert target is not None
    return target


def lies_whole(place: Place, region: Region) -> bool:
    """Whether a place lies in one run of memory where its map's `region` is one array."""
    return place.region.columns == region.columns or place.region.rows.size <= 1


def cut_out(made: Sequence[Piece], places: Sequence[Place]) -> tuple[list[Piece], list[Array]]:
    """The pieces that make up places of what was made, each as it can be sent, and the copies.

    What does not lie in one run is copied here: the memory that sending would take unasked.
    """
    found: list[Piece] = []
    for place in places:
        gather(made, place, found)
    copies = []
    for number, piece in enumerate(found):
        if not piece.data.flags.c_contiguous:
            copies.append(np.ascontiguousarray(piece.data))
            found[number] = Piece(piece.source, piece.region, copies[-1])
    return found, copies


def parcels(pieces: Sequence[Piece], most_bytes: int, most_count: int) -> Iterator[list[Piece]]:
    """The pieces in parcels of at most so many bytes and pieces, larger ones cut by rows.

    A single row may be larger than a parcel. There is at least one parcel, perhaps an empty one.
    """
    parcel: list[Piece] = []
    size = 0
    for piece in _bands(pieces, most_bytes):
        if parcel and (size + piece.data.nbytes > most_bytes or len(parcel) == most_count):
            yield parcel
            parcel, size = [], 0
        parcel.append(piece)
        size += piece.data.nbytes
    yield parcel


def _bands(pieces: Sequence[Piece], most_bytes: int) -> Iterator[Piece]:
    """The pieces, those of more bytes cut into bands of rows."""
    for piece in pieces:
        top, bottom, *_ = piece.region
        if not piece.region.size:
            continue
        rows = max(1, most_bytes // (piece.data.nbytes // (bottom - top)))
        for first in range(top, bottom, rows):
            region = piece.region._replace(top=first, bottom=min(first + rows, bottom))
            yield cut(piece, region)
