"""Pools fused into a convolution: its kernel writes only the maxima, and no map lies between.

YOLOv2's layer 0 makes 45 MiB a frame, and its pool hands on a quarter of them. With the pool fused,
each 14 pixels of two rows go from registers through a scratch of 4 KiB in the first cache.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps

from ftdist.kernels.program import POOL_MOST
from ftdist.network.graph import Network, is_alias

_FEW = 4

Numbers = dict[int, int]


def _once(find: Callable[[Network], Numbers]) -> Callable[[Network], Numbers]:
    """Finds it once for a network, not for each of the thousands of groups that a search tries.

    Networks are told apart by identity: comparing them takes as long as finding it again.
    """
    latest: list[tuple[weakref.ref[Network], Numbers]] = []

    @wraps(find)
    def found(network: Network) -> Numbers:
        for known, answer in latest[:]:
            if known() is network:
                return answer
        answer = find(network)
        latest.insert(0, (weakref.ref(network), answer))
        del latest[_FEW:]
        return answer

    return found


@_once
def fused_pools(network: Network) -> dict[int, int]:
    """For each convolution into which its pool can be fused that pool.

    The pool is the convolution's only reader, and its windows lie side by side on the map.
    """
    readers: dict[int, list[int]] = {}
    for number, layer in enumerate(network.layers):
        if not is_alias(layer):
            for source in network.reads(number):
                readers.setdefault(source, []).append(number)
    return {
        source: found[0]
        for source, found in readers.items()
        if source >= 0
        and source not in network.output_sources
        and len(found) == 1
        and _can_fuse(network, source, found[0])
    }


@_once
def row_blocks(network: Network) -> dict[int, int]:
    """Rows that a layer makes at one time, by layer, where these are more than one.

    Of a fused pool those that are the maxima of such a block.
    """
    found = {}
    pools = fused_pools(network)
    for number, layer in enumerate(network.layers):
        block = layer.implementation.block(layer.operation)
        if block > 1:
            found[number] = block
            pool = pools.get(number)
            windows = None if pool is None else network.layers[pool].operation.maxima()
            if pool is not None and windows is not None and block > windows[0]:
                found[pool] = block // windows[0]
    return found


def _can_fuse(network: Network, source: int, reader: int) -> bool:
    windows = network.layers[reader].operation.maxima()
    if windows is None or max(windows) > POOL_MOST:
        return False
    return network.layers[source].implementation.fuses_pool(*network.asked(source))
