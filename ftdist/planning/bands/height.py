"""How high bands are whose pictures one process splits and others compute.

Whoever splits pictures holds some bands at a time: those that workers compute, and those that wait
for one. Bands are as high as lets a few of them fit its memory, for the higher they are the smaller
a share are their halos; but not so few that workers wait for the last one. The height depends on
the network and that memory only, so that a job can be gone on with after all have ended.
"""

from __future__ import annotations

from ftdist.network.graph import Network
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.bands.plan import last_shape, unit_rows
from ftdist.planning.lowering.regions import region_bytes

_IN_FLIGHT = 8
"""Bands that should fit the memory of who splits: two for each of three workers, and two more that
are on their way."""

_LEAST_IN_FLIGHT = 2
"""Bands of an array that must fit: one that is computed while the next one comes."""

_FEWEST = 32
"""Bands of a picture, if they can be low enough: with fewer, workers wait for the last one."""


def unbandable(network: Network) -> str:
    """Why a network is not computed in bands; empty where it can be."""
    if len(network.outputs) != 1 or len(network.inputs) != 1:
        return f"{network.name} has several inputs or outputs"
    if network.whole_layers:
        return f"layer {network.layers[min(network.whole_layers)].name} needs the whole of a map"
    return ""


def shared_rows(network: Network, memory_bytes: int) -> int:
    """The rows of bands that are split within so much memory; 0 where not even the lowest fit."""
    height, unit = last_shape(network).height, unit_rows(network)
    found, rows = 0, unit
    most = max(unit, height // _FEWEST)
    while rows <= most:
        few = _LEAST_IN_FLIGHT * band_bytes(network, rows, picture=False)
        many = _IN_FLIGHT * band_bytes(network, rows, picture=True)
        if few > memory_bytes or (found and many > memory_bytes):
            break
        found, rows = rows, 2 * rows
    return min(found, height)


def band_bytes(network: Network, rows: int, *, picture: bool) -> int:
    """What a band of so many rows takes where it is split: its rows in, and its rows out."""
    bands = NumberedBands(network, min(rows, last_shape(network).height))
    size = bands.input(bands.inner).size * network.input.channels
    return size * (1 if picture else 4) + region_bytes(network, bands.outputs(bands.inner))
