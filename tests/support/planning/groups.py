"""A small network with skips, and what its tiles need, walked element by element."""

from __future__ import annotations

from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.heads import YoloHead
from ftdist.network.operators.base import Activation, Identity, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.resampling import Upsample
from ftdist.network.operators.windows import Convolution, Pool
from support.oracles.dependencies import reads_without_gaps

SAME3 = Sliding.square(3, padding=1)


def small_detector():
    """Two heads at different scales, a dropout, a skip over several layers, a concatenated input.

    0 conv, 1 dropout, 2 pool, 3 conv, 4 head of 3, 5 route to 3, 6 upsample, 7 route to 6 and 1,
    8 conv, 9 head of 8, 10 route to the input and 1, 11 activation of 10.
    """
    builder = NetworkBuilder("detector", Shape(8, 8, 6))
    head = YoloHead(((1.0, 1.0),), (0,), 1)
    builder.add(Convolution(6, SAME3), [INPUT])
    builder.add(Identity(), [0])
    builder.add(Pool("max", Sliding.square(2, 2)), [1])
    builder.add(Convolution(6, SAME3), [2])
    builder.add(head, [3])
    builder.add(Concatenate(), [3])
    builder.add(Upsample(2), [5])
    builder.add(Concatenate(), [6, 1])
    builder.add(Convolution(6, Sliding.square(1)), [7])
    builder.add(head, [8])
    builder.add(Concatenate(), [INPUT, 1])
    builder.add(Activate(Activation("relu")), [10])
    return builder.finish()


def needed_by_walk(group, shares, axis, reads):
    """For each source the positions a tile needs, element by element, and whether spans are exact.

    A layer makes whole spans, so everything between the first and the last position of a layer that
    is needed is made, and needs its inputs too.
    """
    network = group.network
    needed: dict[int, set[int]] = {each: set() for each in (*group.inputs, *group.members)}
    exact: dict[int, bool] = {}
    for source in reversed(needed):
        size = network.shape(source)[axis]
        if source in shares:
            needed[source] |= set(range(*shares[source]))
        readers = group.readers[source]
        for reader in readers:
            made = [p for p in needed[reader] if 0 <= p < network.shape(reader)[axis]]
            for position in range(min(made), max(made) + 1) if made else ():
                needed[source] |= reads(network, reader, source, position)
        exact[source] = all(exact[r] and reads_without_gaps(network, r) for r in readers) and any(
            0 <= p < size for p in needed[source]
        )
    return needed, exact
