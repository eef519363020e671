"""What maps hold in these tests: values that tell where they belong.

Each element is a known function of the map, the position and a seed, that of the job and frame. So
whoever gets a region of a map can tell whether all of it came, of the right frame, to the right
place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ftdist.geometry import Region
from ftdist.protocol.records import Piece
from ftdist.protocol.regions import common

SEEDS = 251


def values(seed: int, source: int, region: Region, channels: int, dtype: Any) -> np.ndarray:
    """What a region of a map holds."""
    top, bottom, left, right = region
    rows = np.arange(top, bottom)[:, None, None] * 31
    columns = np.arange(left, right)[None, :, None] * 17
    place = rows + columns + np.arange(channels) * 3 + 1009 * source
    return ((place + seed) % SEEDS).astype(dtype)


def seed_of(piece: Piece) -> int:
    """The seed of a piece's values, all of which agree."""
    plain = values(0, piece.source, piece.region, piece.data.shape[2], np.int64)
    seeds = (piece.data.astype(np.int64) - plain) % SEEDS
    assert seeds.min() == seeds.max(), f"values of several frames in {piece.region}"
    return int(seeds[0, 0, 0])


def marked(region: Region, parts: Iterable[Region]) -> np.ndarray:
    """How often the parts cover each position of a region."""
    count = np.zeros((region.rows.size, region.columns.size), int)
    for part in parts:
        both = common(region, part)
        if both is not None:
            rows = slice(both.top - region.top, both.bottom - region.top)
            count[rows, both.left - region.left : both.right - region.left] += 1
    return count
