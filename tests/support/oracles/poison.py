"""Memory in which rows that were never made, or that another layer left behind, show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from ftdist.runtime import engine


@contextmanager
def poisoned_memory() -> Iterator[list[np.ndarray]]:
    """Everything that a session takes from the system is NaN; yields the blocks that it took."""
    taken: list[np.ndarray] = []
    empty = np.empty

    def poisoned_block(size: int) -> np.ndarray:
        taken.append(np.full(-(-size // 4), np.nan, np.float32).view(np.uint8)[:size])
        return taken[-1]

    def poisoned_empty(shape: Any, dtype: Any = float, **others: Any) -> np.ndarray:
        array = empty(shape, dtype, **others)
        if array.dtype == np.float32:
            array.fill(np.nan)
        return array

    with (
        patch.object(engine, "page_block", poisoned_block),
        patch.object(np, "empty", poisoned_empty),
    ):
        yield taken
