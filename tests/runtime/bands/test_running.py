"""Bands of any height, cut in any way inside, give the bits of the whole run."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import cut_networks, model_of, random_input

from ftdist.network.graph import INPUT
from ftdist.network.modelfile import Model
from ftdist.planning.bands.plan import BandPlan, last_shape
from ftdist.runtime.bands.running import Band, BandRunner
from ftdist.runtime.local import Session


class Held:
    """A whole input, given by rows; refuses to go back."""

    is_picture = False

    def __init__(self, planes: np.ndarray) -> None:
        self._rows = np.ascontiguousarray(planes.transpose(1, 2, 0))
        self._top = 0

    def band(self, top: int, bottom: int) -> np.ndarray:
        assert self._top <= top <= bottom <= len(self._rows)
        self._top = top
        return self._rows[top:bottom]


def gathered(model: Model, plan: BandPlan, rows: Held, first: int = 0) -> dict[int, np.ndarray]:
    """The network's outputs, put together from bands; what no band made is NaN."""
    network = model.network
    found = {
        source: np.full(network.shape(source), np.nan, np.float32)
        for source in network.output_sources
        if source != INPUT
    }

    def take(band: Band) -> None:
        for source, region in band.regions.items():
            place = found[source][region.top : region.bottom, region.left : region.right]
            assert np.isnan(place).all()
            place[:] = band.maps[source]

    with BandRunner(model, plan) as runner:
        runner.run(rows, take, first)
    return found


@settings(max_examples=30)
@given(cut_networks(6), st.data())
def test_bands_give_the_bits_of_the_whole_run(cut: Any, data: Any) -> None:
    network, steps = cut
    model = model_of(network)
    height = last_shape(network).height
    rows = data.draw(st.integers(1, height))
    planes = random_input(network)
    with Session(model, steps) as session:
        whole = session.run(planes)
    found = gathered(model, BandPlan(steps, rows), Held(planes))
    for number in network.outputs:
        made = found[network.source(number)].transpose(2, 0, 1)
        expected = whole[network.layers[number].name]
        np.testing.assert_array_equal(made.view(np.uint32), expected.view(np.uint32))
