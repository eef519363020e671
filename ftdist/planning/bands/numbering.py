"""Bands as a cluster numbers them: each is a frame of its own, band k of picture p number p * count
+ k.

Who sends a picture and who shares its bands out know the same from the network and the rows of a
band: which rows of the output a number stands for, and which rows of the picture come with it.
These are what the band reads by whatever algorithms, for a plan may come, or change, after they
were asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network, weighted_layers
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Arithmetic
from ftdist.planning.bands.plan import BandPlan, last_shape
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.plan import untiled


@dataclass(frozen=True)
class NumberedBands:
    """The bands, of so many `rows` of the last output, of all pictures of a network's size."""

    network: Network
    rows: int

    @cached_property
    def count(self) -> int:
        """Bands of a picture."""
        return self._plan.count(self.network)

    @property
    def inner(self) -> int:
        """The number of a band of those that need most."""
        return self._plan.inner(self.network).start // self.rows

    def picture(self, number: int) -> int:
        """Which picture a band is of."""
        return number // self.count

    def region(self, number: int) -> Region:
        """What a band makes of the last output."""
        height, width, _ = last_shape(self.network)
        top = number % self.count * self.rows
        return Region(top, min(top + self.rows, height), 0, width)

    def input(self, number: int) -> Region:
        """The rows of the picture that come with a band."""
        stop = len(self._widest.layers)
        inputs, _ = region_needs(self._widest, 0, stop, self.region(number))
        width = self.network.input.width
        return Region(inputs[INPUT].top, inputs[INPUT].bottom, 0, width)

    def outputs(self, number: int) -> dict[int, Region]:
        """By source what a band makes of the network's outputs."""
        _, made = region_needs(self.network, 0, len(self.network.layers), self.region(number))
        outputs = self.network.output_sources
        return {source: each for source, each in made.items() if source in outputs}

    @cached_property
    def _plan(self) -> BandPlan:
        return BandPlan(untiled(self.network), self.rows)

    @cached_property
    def _widest(self) -> Network:
        """The network by the algorithms that read most rows: those of the highest blocks, which
        begin wherever lower ones begin."""
        return self.network.computed_by(_highest_blocks(self.network))


def _highest_blocks(network: Network) -> Arithmetic:
    found = []
    for number, operation, _ in weighted_layers(network):
        suiting = [each for each in IMPLEMENTATIONS.values() if each.suits(*network.asked(number))]
        highest = max(suiting, key=lambda each: each.block(operation))
        if highest.name != DIRECT.name:
            found.append((number, highest.name))
    return tuple(found)
