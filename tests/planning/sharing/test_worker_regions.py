"""Worker regions partition a map, and tiles partition a worker region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.geometry import Region, Shape
from ftdist.planning.sharing.worker_regions import layouts, tiles, worker_regions

speeds = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=8)
shapes = st.builds(Shape, st.integers(1, 60), st.integers(1, 60), st.just(1))
cuts = st.lists(st.floats(0.02, 0.98), max_size=3).map(lambda each: tuple(sorted(each)))


def covered(shape: Shape, regions: list[Region]) -> np.ndarray:
    """How many of the regions cover each position."""
    count = np.zeros(shape[:2], int)
    for top, bottom, left, right in regions:
        count[top:bottom, left:right] += 1
    return count


@given(speeds, shapes, st.data())
def test_areas_partition_every_map(speeds, shape, data) -> None:
    found = layouts(range(len(speeds)), speeds, shape, 3)
    places = worker_regions(data.draw(st.sampled_from(found)), speeds)
    assert sorted(mine.worker for mine in places) == list(range(len(speeds)))
    assert (covered(shape, [mine.on(shape) for mine in places]) == 1).all()


@given(speeds, shapes, cuts, st.booleans(), st.data())
def test_tiles_partition_every_area(speeds, shape, cuts, by_columns, data) -> None:
    found = layouts(range(len(speeds)), speeds, shape, 3)
    for mine in worker_regions(data.draw(st.sampled_from(found)), speeds):
        made = covered(shape, tiles(mine, shape, cuts, by_columns=by_columns))
        assert (made == covered(shape, [mine.on(shape)])).all()
        assert all(each.size for each in tiles(mine, shape, cuts, by_columns=by_columns))


def test_areas_are_as_large_as_workers_are_fast() -> None:
    shape = Shape(600, 600, 1)
    for bands in (((0,), (1,), (2,)), ((0,), (1, 2)), ((0, 1, 2),)):
        sizes = {
            mine.worker: mine.on(shape).size for mine in worker_regions(bands, (3.0, 1.0, 1.0))
        }
        assert sizes == {0: 216_000, 1: 72_000, 2: 72_000}


def test_the_layout_with_the_least_boundary_comes_first() -> None:
    assert layouts(range(6), (1.0,) * 6, Shape(100, 100, 1), 3)[0] == ((0, 1, 2), (3, 4, 5))
    wide = layouts(range(4), (1.0,) * 4, Shape(10, 100, 1), 3)
    assert wide[0] == ((0, 1, 2, 3),)


def test_one_worker_a_band_is_always_among_the_layouts() -> None:
    for most in (2, 3, 5):
        assert ((0,), (1,), (2,)) in layouts(range(3), (1.0,) * 3, Shape(9, 9, 1), most)


@pytest.mark.parametrize("by_columns", [False, True])
def test_first_tiles_touch_first_tiles(by_columns) -> None:
    shape = Shape(60, 60, 1)
    bands = ((0, 1, 2),) if by_columns else ((0,), (1,), (2,))
    firsts = [
        tiles(mine, shape, (0.25,), by_columns=by_columns)[0]
        for mine in worker_regions(bands, (1.0, 1.0, 1.0))
    ]
    sides = [(each.left, each.right) if by_columns else (each.top, each.bottom) for each in firsts]
    assert sides == [(0, 5), (35, 40), (40, 45)]
