"""Bands by number: together they make all, and each comes with the rows that any plan reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import cut_networks

from ftdist.geometry import Region
from ftdist.network.graph import INPUT
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.bands.plan import last_shape
from ftdist.planning.lowering.regions import region_needs


@settings(max_examples=60)
@given(cut_networks(6), st.data())
def test_bands_make_every_position_once_of_the_rows_that_come_with_them(
    cut: Any, data: Any
) -> None:
    network, steps = cut
    rows = data.draw(st.integers(1, last_shape(network).height))
    bands = NumberedBands(network, rows)
    picture = data.draw(st.integers(0, 3))
    made = {s: np.zeros(network.shape(s)[:2], int) for s in network.output_sources}
    for number in range(picture * bands.count, (picture + 1) * bands.count):
        assert bands.picture(number) == picture
        for source, (top, bottom, left, right) in bands.outputs(number).items():
            made[source][top:bottom, left:right] += 1
        computed = network.computed_by(steps.arithmetic)
        inputs, _ = region_needs(computed, 0, len(network.layers), bands.region(number))
        comes, needed = bands.input(number), inputs.get(INPUT, Region(0, 0, 0, 0))
        assert needed.size == 0 or needed.hull(comes) == comes
    assert all((each == 1).all() for source, each in made.items() if source != INPUT)
