"""Classes by rows are those of the whole map, whatever comes first or was interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftdist.answers.rows.classes import ClassRows, Counted, classes_of_rows
from ftdist.answers.rows.kept import KeptRows
from ftdist.answers.tasks.segments import labels, shares
from ftdist.geometry import Shape
from ftdist.network.alignment import stretched

HEIGHT, WIDTH = 40, 30


def planes(kind: str) -> np.ndarray:
    generator = np.random.default_rng(0)
    if kind == "numbers":
        return generator.integers(0, 9, (1, HEIGHT, WIDTH)).astype(np.float32)
    if kind == "logits":
        found = generator.normal(0, 3, (1, HEIGHT, WIDTH)).astype(np.float32)
        found[:, : HEIGHT // 2] = generator.random((1, HEIGHT // 2, WIDTH))
        return found
    channels = 1 if kind == "probabilities" else 4
    found = generator.random((channels, HEIGHT, WIDTH)).astype(np.float32)
    found[:, 3, 4] = np.nan
    return found


@pytest.mark.parametrize("kind", ["numbers", "logits", "probabilities", "scores"])
def test_what_is_decided_at_the_end_is_what_the_whole_says(kind: str, tmp_path: Path) -> None:
    whole = planes(kind)
    rows = np.moveaxis(whole, 0, -1)
    counted = Counted((HEIGHT, WIDTH), len(whole))
    for top in range(0, HEIGHT, 7):
        if top == 14:  # a run that is resumed some rows above
            text, counted = counted.encoded(), Counted((HEIGHT, WIDTH), len(whole))
            counted.restore(text)
            counted.take(9, rows[9:14])
        counted.take(top, rows[top : top + 7])
    expected = labels(whole, (HEIGHT, WIDTH))
    assert np.array_equal(classes_of_rows(rows, counted.reading), expected)
    assert counted.shares == shares(expected)
    with pytest.raises(ValueError, match=r"."):
        counted.restore("[1, 2]")


@pytest.mark.parametrize("made", [(40, 30), (11, 7), (90, 64)])
def test_every_row_of_the_picture_is_made_once(made: tuple[int, int]) -> None:
    size = Shape(48, 32, 3)
    alignment = stretched(Shape(*made, 3), size)
    rows = ClassRows(Shape(*made, 3), Shape(40, 30, 3), size, alignment)
    values = np.random.default_rng(0).random((*made, 3)).astype(np.float32)
    whole = rows.numbers(0, values, (0.5, 0.0))
    assert whole.shape == (40, 30, 1)
    for step in (1, 4):
        parts = [rows.numbers(top, values[top : top + step], (0.5, 0.0))
                 for top in range(0, made[0], step)]  # fmt: skip
        assert np.array_equal(np.concatenate(parts), whole)
    assert [rows.first(rows.map_row(row)) <= row for row in range(40)] == [True] * 40


def test_rows_of_the_photo_are_read_ahead_where_they_are_wanted() -> None:
    photo = np.random.default_rng(0).integers(0, 9, (20, 3, 1), np.uint8)
    kept = KeptRows(20, lambda rows: rows)
    kept.take(0, photo[:5])
    kept.reach = lambda bottom: kept.take(5, photo[5:bottom])
    assert np.array_equal(kept.rows(3, 9), photo[3:9])
    kept.forget(6)
    assert np.array_equal(kept.rows(6, 9), photo[6:9])
    kept.reach = None
    kept.take(15, photo[15:])
    assert np.array_equal(kept.rows(16, 25), photo[16:])
