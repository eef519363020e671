"""An operator's kernel record, written into a descriptor: the fields that do not depend on memory.

What the record says is the operator's own (``network.operators``); nothing here knows any operator.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ftdist.kernels.program import ACTIVATIONS, KERNEL, Table, op
from ftdist.network.operators.base import KernelRecord, Sliding
from ftdist.network.ports import WHITE


def _neutral() -> Table:
    record = np.zeros(1, KERNEL)
    for field in (
        *("groups", "kernel_height", "kernel_width", "stride_y", "stride_x"),
        *("dilation_y", "dilation_x", "pool_height", "pool_width", "sample"),
        *("factor", "kept"),
    ):
        record[field] = 1
    record["deviation"] = WHITE
    return record


NEUTRAL = _neutral()
"""A descriptor whose every field changes nothing."""


def describe(k: Any, record: KernelRecord) -> None:
    """Writes a record into `k`, an array of one KERNEL whose buffers are there already."""
    k["op"] = op(record.kernel)
    k["activation"] = ACTIVATIONS.index(record.activation.kind)
    k["slope"] = record.activation.slope
    if record.window is not None:
        _window(k, record.window)
    for name, value in record.fields.items():
        k[name] = value
    k["in"]["offset"] += record.reads_from
    k["out"]["offset"] += record.writes_to


def _window(k: Any, window: Sliding) -> None:
    for axis, name, size, pad in (
        (window.vertical, "y", "kernel_height", "pad_top"),
        (window.horizontal, "x", "kernel_width", "pad_left"),
    ):
        k[size], k[pad] = axis.kernel, axis.pad_before
        k[f"stride_{name}"], k[f"dilation_{name}"] = axis.stride, axis.dilation
