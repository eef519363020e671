"""How much of the weights a plan holds in memory: resident groups whole, streamed ones in chunks.

The kernels stream a convolution's weights in chunks of some output channels, each with its bias. A
chunk is read into the arena's staging, transformed in the arena where its algorithm asks for that,
used for all rows of the strip, and overwritten by the next one. Depthwise weights are small and
stay in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.geometry import Shape
from ftdist.network.graph import Network, weighted_layers
from ftdist.network.implementations import Implementation
from ftdist.network.modelheader import ArrayName
from ftdist.network.operators.base import Operation
from ftdist.network.packing import BLOCKS
from ftdist.planning.plan import GroupPlan, Plan

_PAGE_BYTES = 4 << 10
"""Where pages are larger each layer of its own pages takes some KiB more."""


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Bytes of one layer's weights: `whole`; when streamed, the `rest` that stays in memory, and
    one `chunk`, which is all that a thread holds of the others.

    Weights that are transformed before a run, and so do not lie in the model's file, have pages of
    their own.
    """

    whole: int
    rest: int
    chunk: int


def in_pages(size: int) -> int:
    """Bytes of the pages that a block of its own takes."""
    return -(-size // _PAGE_BYTES) * _PAGE_BYTES


def layer_weights(
    network: Network, first: int = 0, stop: int | None = None
) -> dict[int, LayerWeights]:
    """The weights of layers [first, stop), by layer, where there are any."""
    found = {}
    for number, operation, source in weighted_layers(network, first, stop):
        implementation = network.layers[number].implementation
        whole = _whole_bytes(implementation, operation, source)
        if implementation.streams(operation, source):
            chunk = 4 * implementation.chunk_floats(operation, source)
            found[number] = LayerWeights(whole, 0, chunk)
        else:
            found[number] = LayerWeights(whole, whole, 0)
    return found


def unplaced(network: Network) -> dict[ArrayName, int]:
    """Offsets of a network's weights where there is no model file: for plans that are not run."""
    found = {}
    for number, operation, source in weighted_layers(network):
        form = network.layers[number].implementation.form(operation, source)
        for each in (BLOCKS, form):
            for array in each.sizes(operation, source):
                found[ArrayName(number, each.name, array)] = 0
    return found


def staging_bytes(network: Network, group: GroupPlan) -> int:
    """Bytes of the arena into which a group's chunks are read; 0 when its weights are resident."""
    if not group.streamed:
        return 0
    weights = layer_weights(network, group.first, group.stop)
    return max((each.chunk for each in weights.values()), default=0)


def resident_layers(network: Network, plan: Plan) -> dict[int, int]:
    """The layers whose weights stay in memory, with their bytes."""
    network = plan.applied_to(network)
    found = {}
    for group in plan.groups:
        for number, operation, source in weighted_layers(network, group.first, group.stop):
            implementation = network.layers[number].implementation
            if not (group.streamed and implementation.streams(operation, source)):
                found[number] = _whole_bytes(implementation, operation, source)
    return {number: size for number, size in found.items() if size}


def _whole_bytes(implementation: Implementation, operation: Operation, source: Shape) -> int:
    """Bytes of all weights of a layer, as they lie in memory."""
    form = implementation.form(operation, source)
    size = 4 * sum(form.sizes(operation, source).values())
    return size if form.stored else in_pages(size)
