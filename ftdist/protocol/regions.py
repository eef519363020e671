"""Rectangles of maps: what two have in common, what one leaves of another, cutting values out.

A worker returns regions, another needs other regions: here they are fitted to each other. Values
are only sliced, never copied or looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ftdist.geometry import Region
from ftdist.protocol.limits import FRAME_BYTES
from ftdist.protocol.records import Piece, Place


def common(one: Region, other: Region) -> Region | None:
    """The positions in both; None where there are none."""
    top, bottom = max(one[0], other[0]), min(one[1], other[1])
    left, right = max(one[2], other[2]), min(one[3], other[3])
    return Region(top, bottom, left, right) if top < bottom and left < right else None


def without(region: Region, hole: Region) -> list[Region]:
    """What is left of a region without another one, in up to four rectangles."""
    both = common(region, hole)
    if both is None:
        return [region]
    top, bottom, left, right = region
    parts = (
        Region(top, both.top, left, right),
        Region(both.bottom, bottom, left, right),
        Region(both.top, both.bottom, left, both.left),
        Region(both.top, both.bottom, both.right, right),
    )
    return [part for part in parts if part.size]


def disjoint(regions: Iterable[Region]) -> list[Region]:
    """Rectangles that cover just what the given ones cover, none of them overlapping.

    Bands between the rows where some region begins or ends; neighbours of the same columns join.
    """
    given = [region for region in regions if region.size]
    edges = sorted({edge for region in given for edge in (region.top, region.bottom)})
    done: list[Region] = []
    open_: list[Region] = []
    for top, bottom in pairwise(edges):
        columns: list[tuple[int, int]] = []
        for left, right in sorted((r.left, r.right) for r in given if r.top <= top < r.bottom):
            if columns and left <= columns[-1][1]:
                columns[-1] = columns[-1][0], max(right, columns[-1][1])
            else:
                columns.append((left, right))
        if columns == [(r.left, r.right) for r in open_]:
            open_ = [Region(r.top, bottom, r.left, r.right) for r in open_]
        else:
            done += open_
            open_ = [Region(top, bottom, *each) for each in columns]
    return done + open_


def cut(piece: Piece, region: Region) -> Piece:
    """The part of a piece that lies in a region within it: a view."""
    if region == piece.region:
        return piece
    top, left = piece.region.top, piece.region.left
    rows, columns = (
        slice(region[0] - top, region[1] - top),
        slice(region[2] - left, region[3] - left),
    )
    return Piece(piece.source, region, piece.data[rows, columns])


def gather(pieces: Sequence[Piece], place: Place, found: list[Piece]) -> list[Region]:
    """Adds the values of a place to `found`, from pieces that may overlap; returns what is lacking.

    No position is taken twice.
    """
    lacking = [place.region]
    for piece in pieces:
        if piece.source != place.source:
            continue
        left: list[Region] = []
        for region in lacking:
            both = common(region, piece.region)
            if both is None:
                left.append(region)
            else:
                found.append(cut(piece, both))
                left += without(region, both) if both != region else ()
        if not left:
            return left
        lacking = left
    return lacking


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """The same values in fewer, larger pieces: copies, for a message takes only so many."""
    regions: dict[int, list[Region]] = {}
    for piece in pieces:
        regions.setdefault(piece.source, []).append(piece.region)
    found: list[Piece] = []
    for source, parts in regions.items():
        for region in disjoint(parts):
            found += _bands(Place(source, region), pieces)
    return found


def _bands(place: Place, pieces: Sequence[Piece]) -> list[Piece]:
    """A place's values in bands of rows that may travel, copied from the pieces that cover it."""
    parts: list[Piece] = []
    gather(pieces, place, parts)
    if len(parts) == 1:
        return parts
    (top, bottom, left, right), first = place.region, parts[0].data
    whole = np.empty((bottom - top, right - left, first.shape[2]), first.dtype)
    for part in parts:
        rows = slice(part.region.top - top, part.region.bottom - top)
        whole[rows, part.region.left - left : part.region.right - left] = part.data
    high = max(1, FRAME_BYTES // whole[0].nbytes)
    edges = [*range(top, bottom, high), bottom]
    return [
        Piece(place.source, Region(*rows, left, right), whole[rows[0] - top : rows[1] - top])
        for rows in pairwise(edges)
    ]


@dataclass(frozen=True, slots=True)
class MapForm:
    """What values of a map look like."""

    channels: int
    dtype: np.dtype[Any]


class Collector:
    """Takes the pieces that were asked for, each position once, until all are there."""

    __slots__ = ("_forms", "_lacking", "pieces")

    def __init__(self, places: Iterable[Place], forms: Mapping[int, MapForm]) -> None:
        self._forms = forms
        self._lacking = [(each.source, each.region) for each in places]
        self.pieces: list[Piece] = []

    @property
    def whole(self) -> bool:
        return not self._lacking

    def take(self, pieces: Sequence[Piece]) -> str:
        """Takes pieces; returns what is wrong with them, or ""."""
        for piece in pieces:
            problem = self._take(piece)
            if problem:
                return problem
        return ""

    def _take(self, piece: Piece) -> str:
        source, region, data = piece.source, piece.region, piece.data
        form = self._forms.get(source)
        if form is not None:
            size = (region.bottom - region.top, region.right - region.left, form.channels)
            if data.shape != size or data.dtype != form.dtype:
                return f"map {source} as {data.dtype} {data.shape}, not {form.dtype} {size}"
        if not self._crossed_out(source, region):
            return f"{tuple(region)} of map {source}, which was not asked for"
        self.pieces.append(piece)
        return ""

    def _crossed_out(self, source: int, region: Region) -> bool:
        """Takes a region from what is lacking; False if some of it is not lacking."""
        wanted = (source, region)
        if wanted in self._lacking:
            self._lacking.remove(wanted)
            return True
        left: list[tuple[int, Region]] = []
        hit = 0
        for each, lacking in self._lacking:
            both = common(lacking, region) if each == source else None
            if both is None:
                left.append((each, lacking))
            else:
                hit += both.size
                left += [(each, rest) for rest in without(lacking, both)]
        if not hit or hit != region.size:
            return False
        self._lacking = left
        return True
