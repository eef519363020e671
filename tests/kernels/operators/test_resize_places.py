"""Resizing reads the map's first and last positions for places beside it, however it is cut."""

from __future__ import annotations

from typing import get_args

import pytest

from ftdist.geometry import Shape, Span
from ftdist.network.operators.resampling import Resize, Rounding, Transform


@pytest.mark.parametrize("rounding", get_args(Rounding))
@pytest.mark.parametrize("transform", get_args(Transform))
def test_each_output_position_reads_some_of_the_map(
    transform: Transform, rounding: Rounding
) -> None:
    for length in (1, 2, 3, 5, 12):
        for made in (1, 2, 3, 8, 13):
            resize = Resize(made, made, transform, rounding)
            (axes,) = resize.axes((Shape(length, length, 1),))
            for position in range(made):
                read = axes.rows.receptive(Span(position, position + 1))
                assert read.clipped(length).size, (length, made, position)
