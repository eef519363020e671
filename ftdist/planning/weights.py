"""How much of the weights a plan holds in memory: resident groups whole, streamed ones in chunks.

The kernels stream a convolution's weights in chunks of 32 output channels, each with its bias. A
chunk is read into the arena's staging, used for all rows of the strip, and overwritten by the next
one. Depthwise weights are small and stay in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.kernels.program import BLOCK, CHUNK_BLOCKS
from ftdist.network.graph import Network, convolutions
from ftdist.network.packing import packed_sizes
from ftdist.planning.plan import GroupPlan, Plan


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Bytes of one layer's weights: `whole`; when streamed, the `rest` that stays in memory, and
    one `chunk`, which is all that a thread holds of the others."""

    whole: int
    rest: int
    chunk: int


def layer_weights(
    network: Network, first: int = 0, stop: int | None = None
) -> dict[int, LayerWeights]:
    """The weights of each layer that has some, by layer; of layers `first` to before `stop`."""
    found = {}
    for number, operation, source in convolutions(network, first, stop):
        weights, bias = (4 * size for size in packed_sizes(operation, source))
        if not operation.streams(source):
            found[number] = LayerWeights(weights + bias, weights + bias, 0)
        else:
            block = weights // (bias // (4 * BLOCK)) + 4 * BLOCK
            found[number] = LayerWeights(weights + bias, 0, CHUNK_BLOCKS * block)
    return found


def staging_bytes(network: Network, group: GroupPlan) -> int:
    """Bytes of the arena into which a group's chunks are read; 0 when its weights are resident."""
    if not group.streamed:
        return 0
    weights = layer_weights(network, group.first, group.stop)
    return max((each.chunk for each in weights.values()), default=0)


def resident_layers(network: Network, plan: Plan) -> dict[int, int]:
    """The layers whose weights stay in memory, with their bytes."""
    weights = layer_weights(network)
    found = {}
    for group in plan.groups:
        for number in range(group.first, group.stop):
            if number in weights:
                layer = weights[number]
                found[number] = layer.rest if group.streamed else layer.whole
    return {number: size for number, size in found.items() if size}
