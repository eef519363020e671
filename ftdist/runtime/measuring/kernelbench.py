"""One kernel on arrays of its own, to measure it; and the rate that workers report."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.kernels import native
from ftdist.kernels.program import BLOCK, BUFFER, CALL, COUNTERS, KERNEL, Program, op
from ftdist.network.implementations import Winograd
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.network.packing import FORMS
from ftdist.runtime.budget.memory import page_block
from ftdist.runtime.measuring.stopwatch import Stopwatch


def convolution_rate() -> float:
    """Multiply-accumulates a second of one thread at its best, measured in less than 0.1 s.

    By the processor's time: neither other programs nor a quota make a machine slower.
    """
    chosen = native.chosen()
    wide = chosen.wide_pixels
    bench = pixel_bench(wide, 32) if wide else pixel_bench(chosen.pixels, 16)
    return bench.macs / Stopwatch().seconds("convolution", bench)


def pixel_bench(pixels: int, filters: int) -> KernelBench:
    """A convolution by blocks of so many pixels, with weights in the second cache."""
    return KernelBench("convolution", 8, pixels, 128, filters, 3)


def _kernel(operation: str, window: int, stride: int, channels: int, filters: int) -> NDArray[Any]:
    """The record of a kernel with a square window and padding, without its buffers."""
    pad = window // 2
    kernel = np.zeros(1, KERNEL)
    kernel["op"] = op(operation)
    kernel["height"], kernel["width"] = 1 << 20, 1 << 20
    kernel["channels"], kernel["filters"] = channels, filters
    for fields, value in (
        (("kernel_height", "kernel_width"), max(window, stride)),
        (("stride_y", "stride_x"), stride),
        (("dilation_y", "dilation_x"), 1),
        (("pad_top", "pad_left"), pad),
        (("pool_height", "pool_width"), 1),
    ):
        for name in fields:
            kernel[name] = value
    return kernel


class KernelBench:
    """One kernel on arrays of its own: `rows` of `columns` pixels, square window, stride 1.

    The arena holds one row more than a window needs on each side, and columns for the padding.
    """

    def __init__(
        self, operation: str, rows: int, columns: int, channels: int, filters: int, window: int = 1
    ) -> None:
        pad = window // 2
        stored, groups = columns + 2 * pad, channels if operation == "depthwise" else 1
        blocks = -(-filters // BLOCK) * BLOCK
        taps = window * window * (1 if operation == "depthwise" else channels)
        stride = 2 if operation == "max_pool" else 1
        source = (rows * stride + 2 * pad) * stored * channels
        kernel = _kernel(operation, window, stride, channels, filters)
        kernel["right"], kernel["groups"] = columns // stride, groups
        kernel["in"] = _buffer(0, -pad, stored, channels)
        kernel["out"] = _buffer(source, 0, columns // stride, filters)
        kernel["bias"] = blocks * taps
        call = np.zeros(1, CALL)
        call["row"], call["rows"] = pad, rows
        call["out_row"] = pad
        self.macs = rows * columns * filters * taps
        self.bytes = 4 * (source + rows * (columns // stride) * filters)
        self.weight_bytes = 4 * blocks * (taps + 1)
        self.program = Program(kernel, call)
        self.arena = _filled(self.bytes + 4096, 0.5)
        self.weights = _filled(self.weight_bytes, 1e-3)
        self.counters = np.zeros(1, COUNTERS)
        self.maps: tuple[NDArray[np.uint8], ...] = ()

    def in_strips(self, rows: int) -> None:
        """Makes it many calls of so many rows each, one below the other in both maps."""
        whole = self.program.calls
        tops = np.arange(0, int(whole["rows"][0]) - rows + 1, rows)
        calls = np.repeat(whole, len(tops))
        calls["rows"] = rows
        calls["row"] += tops
        self.program = Program(self.program.kernels, calls)

    def timed(self, calls: int) -> float:
        """Seconds of the processor for so many calls, whatever else it does meanwhile."""
        program = Program(self.program.kernels, np.tile(self.program.calls, calls))
        started = time.thread_time()
        native.run(program, self.arena, self.weights, self.maps, self.counters)
        return time.thread_time() - started


class WinogradBench(KernelBench):
    """Winograd's kernel for blocks of 4x4 outputs.

    `products` multiply-accumulates are done, `values` of inputs and outputs are transformed, and
    transformed weights read: `weight_count` in all, each as often as blocks are taken together.
    Where it is `expanding` they are made as they are needed.
    """

    def __init__(
        self, rows: int, columns: int, channels: int, filters: int, *, expanding: bool = False
    ) -> None:
        super().__init__("winograd", rows, columns, channels, filters, 3)
        size, taps = 4, 36
        blocks = -(-rows // size) * -(-columns // size)
        layer = Convolution(filters, Sliding.square(3, padding=1))
        shapes = (Shape(rows, columns, channels),)
        winograd = Winograd(size)
        tiles = winograd.tiles(layer, shapes)
        scratch = winograd.scratch_floats(layer, shapes)
        expanded = winograd.expanded_floats(layer, shapes[0])
        kernel = self.program.kernels
        kernel["size"], kernel["tiles"] = size, tiles
        kernel["scratch"] = self.bytes // 4 + 1024
        kernel["expanded"] = kernel["scratch"] + scratch
        sizes = FORMS[winograd.name].sizes(layer, shapes[0])
        self.program.calls["row"] = self.program.calls["out_row"] = size
        self.products = taps * blocks * channels * filters
        self.values = taps * blocks * (channels + filters)
        self.weight_count = -(-blocks // tiles) * sizes["weights"]
        self.arena = _filled(self.bytes + 4 * (1024 + scratch + expanded) + 4096, 0.5)
        if not expanding:
            kernel["table"], kernel["bias"] = 1, sizes["weights"]
            self.maps = (_filled(4 * sum(sizes.values()), 1e-3),)


def _filled(size: int, value: float) -> NDArray[np.uint8]:
    """A block that begins with a page, as arenas do: vectors off their lines take twice as long.

    Filled: pages that were never written all lie in one, which no cache misses.
    """
    block = page_block(size)
    block.view(np.float32)[:] = value
    return block


def _buffer(offset: int, column: int, columns: int, channels: int) -> Any:
    record = np.zeros((), BUFFER)
    record["column"], record["columns"], record["offset"] = column, columns, offset
    record["row"], record["pixel"], record["channel"] = columns * channels, channels, 1
    return record
