"""An excerpt needs of each map just the rows that the band needs, whatever it is asked."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.networks import cut_networks

from ftdist.geometry import Region, Shape, Span, Window
from ftdist.network.builder import NetworkBuilder
from ftdist.network.implementations import DIRECT
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.network.ports import Input
from ftdist.planning.bands.excerpt import excerpt
from ftdist.planning.bands.plan import BandPlan, last_shape, unit_rows
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics


@settings(max_examples=30)
@given(cut_networks(6), st.data())
def test_an_excerpt_needs_what_its_band_needs(cut: Any, data: Any) -> None:
    network, steps = cut
    assume(not network.whole_layers)
    height = last_shape(network).height
    rows = data.draw(st.integers(1, height))
    band = Span(top := data.draw(st.integers(0, height - rows)), top + rows)
    region = BandPlan(steps, rows).part(network, band).region
    assert region is not None
    seen = excerpt(network, region)
    count = len(network.layers)
    _, outputs = region_needs(network, 0, count, region)
    group = FusedGroup(network, 0, count, outputs)
    needed = group.needed((*group.inputs, *group.members))
    for reader in group.members:
        for source in network.reads(reader):
            of = seen.axes(reader, source).rows
            for at in range(needed[reader].rows.size):
                moved = of.receptive(Span(at, at + 1))
                top = needed[reader].top
                real = network.axes(reader, source).rows.receptive(Span(top + at, top + at + 1))
                if any(term.whole for term in of.terms()):
                    continue
                own = needed[source].top
                assert moved == Span(real.start - own, real.stop - own)
    for source, wanted in needed.items():
        assert seen.shape(source).height == max(1, wanted.rows.size)


@settings(max_examples=15)
@given(cut_networks(6))
def test_bands_a_unit_apart_are_alike(cut: Any) -> None:
    network, steps = cut
    assume(not network.whole_layers)
    unit, height = unit_rows(network), last_shape(network).height
    assume(len(network.output_sources) == 1)
    plan = BandPlan(steps, unit)
    whole = [plan.part(network, band).region for band in plan.bands(network)]
    group = FusedGroup(network, 0, len(network.layers))
    rows = []
    for region in whole[1:-1]:
        assert region is not None
        shares = {group.outputs[-1]: region.rows}
        rows.append({s: len(range(*each)) for s, each in group.needed_rows(shares).items()})
    inner = [r for r, region in zip(rows, whole[1:-1], strict=True) if _is_inner(group, region)]
    assert all(each == inner[0] for each in inner)
    assert height > 0


def _is_inner(group: Any, region: Any) -> bool:
    """Whether nothing that the band reads lies beyond a map's edge."""
    needed = group.needed_rows({group.outputs[-1]: region.rows})
    for reader in group.members:
        for source in group.network.reads(reader):
            read = group.rows(reader, source).receptive(needed[reader])
            if read.start < 0 or read.stop > group.network.shape(source).height:
                return False
    return True


def test_sums_within_a_convolution_are_searched_too() -> None:
    """What a convolution adds may be read elsewhere as well, and then more of it is there than of
    what it makes itself."""
    builder = NetworkBuilder("dense", [Input("x", Shape(64, 48, 16))])
    around = Sliding(Window(3, pad_before=1, pad_after=1), Window(3, pad_before=1, pad_after=1))
    first = builder.add(Convolution(16, around), [-1])
    second = builder.add(Convolution(16, around), [first])
    summed = builder.add(Convolution(16, around), [second, first])
    builder.add(Convolution(16, around), [builder.add(Convolution(16, around), [summed])])
    network = builder.finish()
    seen = excerpt(network, Region(16, 24, 0, 48))
    assert seen.shape(first).height > seen.shape(summed).height
    chosen = list(arithmetics(seen, DEFAULT))
    assert any(name != DIRECT.name for each in chosen for _, name in each)
