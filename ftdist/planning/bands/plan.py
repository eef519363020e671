"""Band plans: how a network at a picture's size is cut into bands. Pure data.

A band is a run of rows of the network's last output, over all its columns; of other outputs it is
the proportional run. It is computed as a *part* (``planning.plan``): its receptive rows of the
picture come in, its rows of the outputs go out, and of the maps between it sees only what it needs.
Rows stay those of the whole network, so a band gives the bits of the whole run. What two bands both
need, their halos, each computes for itself, as tiles do.

All bands but those at the picture's edges are alike: their tops are multiples of a *unit*, which is
such that all layers' rows, and the blocks in which some make them, move by whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from ftdist.errors import InputError
from ftdist.geometry import Region, Shape, Span
from ftdist.network.graph import INPUT, Network, is_alias
from ftdist.network.implementations import IMPLEMENTATIONS
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.plan import Plan, parse_notation

_LARGEST_UNIT = 1 << 10
"""Bands that were alike only every so many rows would be too high: then they are cut anywhere."""


@dataclass(frozen=True, slots=True)
class BandPlan:
    """Bands of `rows` rows of the last output, each computed by `steps`, a plan without a region.

    The last band has what is left.
    """

    steps: Plan
    rows: int

    @property
    def notation(self) -> str:
        return f"{self.rows} rows of {self.steps.notation}"

    @classmethod
    def parsed(cls, notation: str, network: Network, threads: int) -> BandPlan:
        """The plan that a notation means; InputError where it is none of this network."""
        rows, of, steps = notation.partition(" rows of ")
        if not of or not rows.isdecimal() or not 0 < int(rows) <= last_shape(network).height:
            raise InputError(f"'{notation}' is no plan of bands such as 64 rows of 1x4s8")
        return cls(parse_notation(steps, network, threads), int(rows))

    def bands(self, network: Network) -> Iterator[Span]:
        """The rows of the last output that each band makes, from the top down."""
        height = last_shape(network).height
        for top in range(0, height, self.rows):
            yield Span(top, min(top + self.rows, height))

    def count(self, network: Network) -> int:
        return -(-last_shape(network).height // self.rows)

    def part(self, network: Network, band: Span) -> Plan:
        """The plan of a band."""
        width = last_shape(network).width
        return replace(self.steps, region=Region(band.start, band.stop, 0, width))

    def first_row(self, network: Network, band: Span) -> int:
        """The first row of the picture that this band or a later one reads.

        Of several outputs a band may make no row of one, and a later band the next: then it is not
        the first that the band itself reads.
        """
        region = self.part(network, band).region
        assert region is not None
        count = len(network.layers)
        shares = region_needs(network, 0, count, region)[1]
        some = {}
        for output in FusedGroup(network, 0, count).outputs:
            height, width, _ = network.shape(output)
            top = min(shares[output].top, height - 1)
            some[output] = Region(top, top + 1, 0, width)
        needed = FusedGroup(network, 0, count, some).needed((INPUT,))
        return needed[INPUT].top

    def last(self, network: Network) -> Span:
        """The last band."""
        return Span((self.count(network) - 1) * self.rows, last_shape(network).height)

    def inner(self, network: Network) -> Span:
        """A band of those that need most: one in the middle, or the only one."""
        number = (self.count(network) - 1) // 2
        top = number * self.rows
        return Span(top, min(top + self.rows, last_shape(network).height))


def last_shape(network: Network) -> Shape:
    """The shape of the network's last output, the one that bands cut."""
    return network.shape(max(network.output_sources))


def unit_rows(network: Network) -> int:
    """The rows of the last output by which bands may move and stay alike."""
    unit = 1
    for source, ratio in row_ratios(network).items():
        unit = math.lcm(unit, (ratio / _most_block(network, source)).denominator)
        if unit > _LARGEST_UNIT:
            return 1
    return unit


def _most_block(network: Network, source: int) -> int:
    """The most rows that any algorithm that suits a layer makes at one time."""
    if source < 0:
        return 1
    operation, inputs = network.asked(source)
    each = [one for one in IMPLEMENTATIONS.values() if one.suits(operation, inputs)]
    return math.lcm(*(one.block(operation) for one in each))


def row_ratios(network: Network) -> dict[int, Fraction]:
    """By source the rows that a row of the last output stands for, as far as readers say it."""
    last = max(network.output_sources)
    found = {last: Fraction(1)}
    for number in range(last, -1, -1):
        if is_alias(network.layers[number]):
            continue
        if number not in found:
            height = network.shape(last).height
            found[number] = Fraction(network.shape(number).height, height)
        for source in network.reads(number):
            terms = [each for each in network.axes(number, source).rows.terms() if not each.whole]
            if terms and terms[0].multiplier:
                step = Fraction(terms[0].multiplier * terms[0].unit, terms[0].divisor)
                found.setdefault(source, found[number] * step)
    return found
