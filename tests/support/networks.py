"""Small random networks, plans that cut them, and models of them.

The strategies aim at what is rare in real networks and easy to get wrong: channel counts that fill
no vector, windows that lie in the padding, skips, several outputs at different scales, aliases of
the input.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ftdist.geometry import Shape, Window
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, ONLY_INPUT, Network, is_alias
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.parameters import Parameters, random_parameters
from ftdist.network.ports import PLANAR, Input, Layout
from ftdist.planning.group import FusedGroup
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.steps import split
from support.growth import MOST_SIDE, Growth, activations


@st.composite
def networks(draw: Any, most_layers: int = 8) -> Network:
    """A small network; none of its outputs is merely the input handed on, others may be read."""
    return _ended(draw, _grown(draw, [Input(ONLY_INPUT, draw(_shapes))], most_layers), [PLANAR])


@st.composite
def ported_networks(draw: Any, most_layers: int = 8) -> Network:
    """A small network of up to three inputs, whose arrays lie in either order."""
    count = draw(st.integers(1, 3))
    inputs = [Input(f"in{n}", draw(_shapes), draw(_layouts)) for n in range(count)]
    return _ended(draw, _grown(draw, inputs, most_layers), [PLANAR, Layout(planar=False)])


_side = st.sampled_from([12, 18]) | st.integers(1, 18)
_channels = st.sampled_from([4, 8, 9]) | st.integers(1, 9)
_shapes = st.builds(Shape, _side, _side, _channels)
_layouts = st.sampled_from([PLANAR, Layout(planar=False)])


def _grown(draw: Any, inputs: list[Input], most_layers: int) -> NetworkBuilder:
    growth = Growth(draw, inputs)
    for _ in range(draw(st.integers(3, most_layers))):
        growth.grow()
    builder = growth.builder
    if not len(builder):
        builder.add(Activate(draw(activations)), [INPUT])
    for number in builder.finish().outputs:
        if builder.finish().source(number) < 0:
            builder.add(Activate(draw(activations)), [number])
    return builder


def _ended(draw: Any, builder: NetworkBuilder, layouts: list[Layout]) -> Network:
    """The network; some of its outputs are read by others."""
    ends = builder.finish()
    computed = [n for n in range(len(builder)) if ends.source(n) >= 0]
    more = draw(st.sets(st.sampled_from(computed), max_size=2))
    by_source = {ends.source(n): draw(st.sampled_from(layouts)) for n in {*ends.outputs, *more}}
    return builder.finish(
        {number: by_source[ends.source(number)] for number in sorted({*ends.outputs, *more})}
    )


@st.composite
def plans(draw: Any, network: Network) -> Plan:
    """Any cut into up to four groups, each with a grid and a strip of its own, split into steps.

    Cuts are before layers that compute something: what computes nothing goes with the step before
    it when a plan is read, so that others are not found again as they were written.
    """
    count = len(network.layers)
    cut_at = [number for number in range(1, count) if not is_alias(network.layers[number])]
    most = min(draw(st.integers(0, 3)), len(cut_at))
    cuts = draw(st.sets(st.sampled_from(cut_at), min_size=most, max_size=most)) if most else ()
    edges = [0, *sorted(cuts), count]
    groups = []
    for first, stop in itertools.pairwise(edges):
        shapes = [network.shape(o) for o in FusedGroup(network, first, stop).outputs]
        rows = draw(st.integers(1, min(4, *(each.height for each in shapes), 4)))
        columns = draw(st.integers(1, min(4, *(each.width for each in shapes), 4)))
        strip = draw(st.none() | st.integers(1, 4) | st.integers(1, MOST_SIDE))
        groups.append(GroupPlan(first, stop, rows, columns, strip, draw(st.booleans())))
    return Plan(split(network, groups), draw(st.integers(1, 3)))


@st.composite
def cut_networks(draw: Any, most_layers: int = 8) -> tuple[Network, Plan]:
    """A network and a plan for it."""
    network = draw(networks(most_layers))
    return network, draw(plans(network))


def reads_nothing_but_padding() -> tuple[Network, Plan]:
    """1x1 windows in a margin of padding: some tiles of one group read none of the map.

    In the other group no tile reads any row of layer 2.
    """
    builder = NetworkBuilder("margin", Shape(5, 5, 3))
    margin = Window(1, pad_before=3, pad_after=3)
    beside = Window(1, stride=2, pad_before=1, pad_after=1)
    builder.add(Convolution(3, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(5, Sliding(margin, margin)), [0])
    builder.add(Pool("max", Sliding.square(5)), [INPUT])
    builder.add(Convolution(7, Sliding(beside, beside)), [2])
    network = builder.finish()
    return network, Plan((GroupPlan(0, 2, 11, 11), GroupPlan(2, 4, 2, 2, 1)), 2)


def model_of(network: Network, seed: int = 0) -> Model:
    """A model with random weights; its file is gone, its mapping is not.

    Streamed weights are dropped from memory and read again, so they must come from a file.
    """
    return written_model(network, random_parameters(network, seed))


def written_model(network: Network, parameters: Iterable[Parameters]) -> Model:
    """A model with these weights; its file is gone, its mapping is not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written.ftd"
        write_model(path, network, iter(parameters))
        return load(path)


def random_input(network: Network, seed: int = 0) -> np.ndarray:
    """A float32 (channels, height, width) input around zero."""
    height, width, channels = network.input
    generator = np.random.default_rng(seed)
    return generator.standard_normal((channels, height, width), dtype=np.float32)
