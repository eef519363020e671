"""Kernel tables that share the output channels of one layer among threads.

Each channel is summed as ever, over all input channels, so no bit depends on it; every table reads
only the weights of its own slice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ftdist.geometry import partition
from ftdist.kernels.program import Table, op
from ftdist.planning.steps import SHARED_CHANNELS


def slice_tables(
    table: Table, slices: int, kernels: Sequence[int], *, weighted: bool
) -> tuple[Table, ...]:
    """One table a slice; the numbers `kernels` of the table make or store the layer's output.

    `weighted`: the layer has weights; otherwise its output channels are made of the input channels
    of the same numbers.
    """
    filters = int(table["filters"][kernels[-1]])
    found = []
    for share in partition(-(-filters // SHARED_CHANNELS), slices):
        first, stop = (min(filters, each * SHARED_CHANNELS) for each in share)
        own: Table = np.copy(table)
        for kernel in kernels:
            stores = own["op"][kernel] == op("copy")
            _narrow(own[kernel : kernel + 1], first, stop, weighted=weighted and not stores)
        found.append(own)
    return tuple(found)


def _narrow(k: Table, first: int, stop: int, *, weighted: bool) -> None:
    """Has a kernel, an array of one, make the output channels [first, stop) only."""
    k["filters"] = stop - first
    k["out"]["offset"] += first * k["out"]["channel"]
    if not weighted:
        k["channels"] = stop - first
        k["in"]["offset"] += first * k["in"]["channel"]
        return
    if k["kind"]:  # of a convolution: a second map is added
        k["in2"]["offset"] += first * k["in2"]["channel"]
    taps = (k["size"] + 2) ** 2 if k["table"] else k["kernel_height"] * k["kernel_width"]
    k["weights"] += first * k["channels"].astype(np.int64) * taps
    k["bias"] += first
