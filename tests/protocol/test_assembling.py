"""Maps from pieces, pieces from maps: what is copied, what covers what, what fits a message."""

from __future__ import annotations

import numpy as np
from support.cluster.workertasks import piece

from ftdist.cluster.worker.tasks import RESULT_BYTES
from ftdist.geometry import Region
from ftdist.protocol.limits import TENSORS
from ftdist.protocol.pieces import assembled, parcels, whole_in
from ftdist.protocol.records import Piece, Place
from ftdist.protocol.regions import gather


def test_values_are_used_where_they_lie_if_one_piece_has_them_all() -> None:
    array = np.arange(6 * 4 * 2, dtype=np.float32).reshape(6, 4, 2)
    pieces = [Piece(0, Region(10, 16, 20, 24), array)]
    rows = Place(0, Region(11, 13, 20, 24))
    assert np.shares_memory(assembled(rows, pieces), array)
    assert np.array_equal(assembled(rows, pieces), array[1:3])
    columns = Place(0, Region(11, 13, 21, 23))
    assert whole_in(columns, pieces) is None
    assert np.array_equal(assembled(columns, pieces), array[1:3, 1:3])


def test_overlapping_pieces_cover_and_gaps_do_not() -> None:
    array = np.arange(36, dtype=np.float32).reshape(6, 6, 1)
    regions = [Region(0, 4, 0, 6), Region(2, 6, 0, 3), Region(3, 6, 2, 6)]
    pieces = [piece(0, array, region) for region in regions]
    everything = Place(0, Region(0, 6, 0, 6))
    parts: list[Piece] = []
    assert not gather(pieces, everything, parts)
    assert np.array_equal(assembled(everything, pieces), array)
    assert np.array_equal(assembled(everything, parts), array)
    assert gather(pieces[:2], everything, [])


def test_results_travel_in_parcels() -> None:
    array = np.zeros((100, 64, 64), np.float32)
    tall = Piece(0, Region(5, 105, 0, 64), array)
    small = [Piece(1, Region(n, n + 1, 0, 1), array[:1, :1]) for n in range(300)]
    found = list(parcels([tall, *small], RESULT_BYTES, TENSORS))
    assert all(sum(each.data.nbytes for each in parcel) <= RESULT_BYTES for parcel in found)
    assert all(1 <= len(parcel) <= TENSORS for parcel in found)
    rows = [row for p in found for e in p if e.source == 0 for row in range(*e.region[:2])]
    assert rows == list(range(5, 105))
    assert sum(len(parcel) for parcel in found) == 300 + 2
    assert list(parcels([], 10, 10)) == [[]]
    assert list(parcels([Piece(0, Region(3, 3, 0, 4), array[:0])], 10, 10)) == [[]]
    assert [len(p) for p in parcels([small[0]], 1, 1)] == [1], "a row may be larger than a parcel"
