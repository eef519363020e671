"""The cost of a fused group: an estimate of its time from what lowering will do.

Seconds = multiply-accumulates / rate + bytes moved / bandwidth + calls x overhead, with two
corrections that decide between strips: short sums run below the full rate, and input rows that do
not fit the cache are read again for every 32 output channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.geometry import Span
from ftdist.network.layers import Convolution
from ftdist.planning.group import FusedGroup
from ftdist.planning.layout import Layout


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What one core does a second; the defaults are ratios of a desktop core."""

    macs_per_s: float = 100e9
    depthwise_macs_per_s: float = 12e9
    bytes_per_s: float = 30e9
    cache_bytes: int = 1 << 20
    beyond_cache_bytes_per_s: float = 20e9
    call_s: float = 0.6e-6
    sum_overhead: float = 14.0
    """Terms by which each output's sum seems longer: loading the bias, activation, storing."""


DEFAULT_PROFILE = DeviceProfile()


def group_seconds(
    group: FusedGroup,
    layout: Layout,
    threads: int,
    profile: DeviceProfile = DEFAULT_PROFILE,
) -> float:
    """Estimated seconds of a group whose tiles `threads` threads share."""
    widths = {
        source: sum(
            columns[source].clipped(group.network.shape(source).width).size
            for columns in layout.columns
        )
        for source in layout.order
    }
    total = 0.0
    for tile in layout.passes:
        for each in tile:
            for source in layout.order:
                new = each.new[source]
                if new.size:
                    total += _call_seconds(
                        group, source, new, widths[source], each.held, profile
                    )
                    total += profile.call_s * (len(layout.columns) - 1)
    tiles = len(layout.passes) * len(layout.columns)
    return total / tiles * -(-tiles // threads)


def _call_seconds(
    group: FusedGroup,
    source: int,
    new: Span,
    width: int,
    held: dict[int, Span],
    profile: DeviceProfile,
) -> float:
    """Estimated seconds to make new rows of one source, in all tile columns together."""
    network = group.network
    shape = network.shape(source)
    positions = new.size * width
    moved = 4 * positions * shape.channels
    if source in group.inputs:
        return profile.call_s + 2 * moved / profile.bytes_per_s
    layer = network.layers[source]
    reads = network.reads(source)
    if not isinstance(layer.operation, Convolution):
        read = sum(4 * held[each].size * network.shape(each).width for each in reads)
        return profile.call_s + (moved + read * shape.channels) / profile.bytes_per_s
    macs = network.macs(source)
    if layer.operation.is_depthwise(network.shape(reads[0])):
        return profile.call_s + positions * macs / profile.depthwise_macs_per_s
    macs += int(profile.sum_overhead * shape.channels)
    seconds = profile.call_s + positions * macs / profile.macs_per_s
    read = (
        4
        * held[reads[0]].size
        * network.shape(reads[0]).width
        * network.shape(reads[0]).channels
    )
    if read > profile.cache_bytes:
        seconds += read * (shape.channels / 32) / profile.beyond_cache_bytes_per_s
    return seconds
