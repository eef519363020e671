"""The sample that bands leave is the one that a whole array is judged by."""

from __future__ import annotations

import numpy as np
import pytest

from ftdist.answers.rows.sample import Sample
from ftdist.answers.tasks.images import value_range
from ftdist.geometry import Shape


@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 200])
def test_a_sample_of_bands_says_what_the_whole_says(planar: bool, rows: int) -> None:
    shape = Shape(200, 310, 3)
    made = np.random.default_rng(0).normal(100, 300, shape).astype(np.float32)
    whole = np.ascontiguousarray(made.transpose(2, 0, 1)) if planar else made
    sample = Sample(shape, planar=planar)
    for top in range(0, 200, rows):
        if top == 70:  # a run that is resumed
            sample, before = Sample(shape, planar=planar), sample.encoded()
            sample.restore(before)
        sample.take(top, made[top : top + rows])
    assert sample.reading == value_range(whole)
    with pytest.raises(ValueError, match="another map"):
        Sample(Shape(9, 9, 1), planar=planar).restore(sample.encoded())
