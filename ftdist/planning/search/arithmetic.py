"""Which algorithm computes each layer: chosen once for a network, before its plans are searched.

The choice holds for every plan of a network and for every worker of a frame, for bits depend on it.
So far each operator has one implementation; where several suit a layer, this is where the fastest
by the profile is to be taken, and where a setting that asks for one of them is heeded.
"""

from __future__ import annotations

from ftdist.network.graph import Network
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Arithmetic
from ftdist.planning.profile import DeviceProfile


def with_arithmetic(network: Network, profile: DeviceProfile) -> Network:
    """The network, each layer to be computed by the algorithm that is chosen for it."""
    return network.computed_by(choose_arithmetic(network, profile))


def choose_arithmetic(network: Network, profile: DeviceProfile) -> Arithmetic:
    """The algorithm of each layer that is not computed directly: the first that suits it."""
    chosen = []
    for number in range(len(network.layers)):
        asked = network.asked(number)
        name = next(name for name, each in IMPLEMENTATIONS.items() if each.suits(*asked))
        chosen.append((number, name))
    return tuple(each for each in chosen if each[1] != DIRECT.name)
