"""What many tiles demand at once is what each part needs by itself."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.networks import networks

from ftdist.geometry import Region
from ftdist.network.graph import is_alias
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.sharing.tile_regions import TileRegions, outputs, regions_of, sizes


@st.composite
def stages(draw: Any) -> tuple[Any, int, int, list[Region]]:
    """A network, a run of its layers that makes something, and regions of what it makes."""
    network = draw(networks())
    count = len(network.layers)
    cuts = [0, *(n for n in range(1, count) if not is_alias(network.layers[n])), count]
    pairs = [pair for pair in itertools.combinations(cuts, 2) if outputs(network, *pair)]
    first, stop = draw(st.sampled_from(pairs))
    height, width, _ = network.shape(outputs(network, first, stop)[-1])
    regions = []
    for _ in range(draw(st.integers(1, 4))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
        regions.append(Region(top, bottom, left, right))
    return network, first, stop, regions


@given(stages())
def test_tiles_side_by_side_need_what_each_needs_alone(case) -> None:
    network, first, stop, regions = case
    needed = TileRegions(network, stop, regions_of(regions)).inputs(first)
    for number, region in enumerate(regions):
        inputs, _ = region_needs(network, first, stop, region)
        for source, expected in inputs.items():
            if source not in needed:
                assert expected.size == 0
                continue
            top, left, bottom, right = needed[source][:, number].tolist()
            found = Region(top, bottom, left, right)
            assert found == expected or found.size == expected.size == 0


@given(stages())
def test_an_earlier_first_layer_changes_nothing_behind_it(case) -> None:
    network, first, stop, regions = case
    demand = TileRegions(network, stop, regions_of(regions))
    whole = {layer.number: layer.sizes.tolist() for layer in demand.layers(0)}
    for layer in TileRegions(network, stop, regions_of(regions)).layers(first):
        assert layer.sizes.tolist() == whole[layer.number]


def test_sizes_count_empty_regions_as_nothing() -> None:
    regions = regions_of([Region(1, 4, 2, 6), Region(5, 3, 0, 9), Region(2, 2, 0, 9)])
    assert sizes(regions).tolist() == [12, 0, 0]
