"""A network as one band sees it: of each map only the rows that the band needs.

Whoever plans asks a network for shapes and axes. An excerpt answers for a part of it: a map is as
high as the part needs it, and rows are counted from the part's first one. Searches, costs and
bounds of memory then hold for the band, with every row of its halo counted. It is planned with and
never run: programs are lowered from the whole network, whose edges are the picture's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ftdist.geometry import Axes, Axis, AxisTerms, Region, Span
from ftdist.network.graph import Network
from ftdist.network.implementations import Arithmetic
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.regions import region_needs


@dataclass(frozen=True, slots=True)
class Moved:
    """An axis whose output positions are counted from `reader`, its input positions from `source`.

    What reads a whole axis stays as it is: small maps are there from their first row on.
    """

    axis: Axis
    reader: int
    source: int

    def receptive(self, output: Span) -> Span:
        if any(each.whole for each in self.axis.terms()):
            return self.axis.receptive(output)
        found = self.axis.receptive(Span(output.start + self.reader, output.stop + self.reader))
        return Span(found.start - self.source, found.stop - self.source)

    def terms(self) -> tuple[AxisTerms, ...]:
        terms = self.axis.terms()
        if any(each.whole for each in terms):
            return terms
        return tuple(
            each._replace(
                before=each.before + each.multiplier * self.reader,
                after=each.after + each.multiplier * self.reader,
                first=each.first - self.source,
                last=each.last - self.source,
            )
            for each in terms
        )


@dataclass(frozen=True)
class Excerpt(Network):
    """A network as the part that makes `region` of its last output sees it."""

    whole: Network | None = None
    tops: tuple[int, ...] = ()

    def axes(self, reader: int, source: int) -> Axes:
        assert self.whole is not None
        found = self.whole.axes(reader, source)
        inputs = len(self.inputs)
        moved = Moved(found.rows, self.tops[reader + inputs], self.tops[source + inputs])
        return found._replace(rows=moved)

    def computed_by(self, arithmetic: Arithmetic) -> Network:
        found = super().computed_by(arithmetic)
        assert self.whole is not None
        return replace(found, whole=self.whole.computed_by(arithmetic))  # type: ignore[call-arg]

    def check_arithmetic(self, arithmetic: Arithmetic) -> None:
        super().check_arithmetic(arithmetic)
        assert self.whole is not None
        self.whole.check_arithmetic(arithmetic)

    @cached_property
    def planar_sources(self) -> frozenset[int]:
        """None: a part's maps lie as kernels read and write them."""
        return frozenset()

    @cached_property
    def whole_layers(self) -> frozenset[int]:
        assert self.whole is not None
        return self.whole.whole_layers


def excerpt(network: Network, region: Region) -> Excerpt:
    """What a band that makes `region` of the last output sees of the network."""
    count, inputs = len(network.layers), len(network.inputs)
    _, outputs = region_needs(network, 0, count, region)
    group = FusedGroup(network, 0, count, outputs)
    needed = group.needed((*group.inputs, *group.members))
    tops, layers = [], []
    for number in range(-inputs, count):
        own = needed.get(network.source(number), Region(0, 1, 0, 1))
        tops.append(own.top)
        if number >= 0:
            layer = network.layers[number]
            height = max(1, own.rows.size)
            layers.append(replace(layer, shape=layer.shape._replace(height=height)))
    own_inputs = []
    for at, each in enumerate(network.inputs):
        rows = needed.get(-1 - at, Region(0, each.shape.height, 0, 1)).rows.size
        shape = each.shape._replace(height=max(1, rows))
        own_inputs.append(replace(each, shape=shape))
    return Excerpt(
        network.name,
        tuple(own_inputs),
        tuple(layers),
        network.outputs,
        network.layouts,
        network,
        tuple(tops),
    )
