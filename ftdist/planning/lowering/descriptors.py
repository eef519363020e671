"""What each operation is to a kernel: the fields of a descriptor that do not depend on memory.

To add an operation, add its writer to the table at the end. A writer finds `height`, `width`,
`channels` set to those of the input that the kernel reads, and `filters` to the output's channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftdist.geometry import Shape
from ftdist.kernels.program import ACTIVATIONS, Op
from ftdist.network import layers

Shapes = tuple[Shape, ...]


def neutral(k: Any) -> None:
    """Fills in what changes nothing."""
    for field in (
        *("groups", "kernel_height", "kernel_width", "stride_y", "stride_x"),
        *("dilation_y", "dilation_x", "pool_height", "pool_width", "sample"),
        *("factor", "kept"),
    ):
        k[field] = 1


def describe(k: Any, operation: layers.Operation, inputs: Shapes, output: Shape, part: int) -> None:
    """Fills in what an operation is; `part` is the input of an operation that joins them."""
    if operation.joins:
        _JOINERS[type(operation)](k, operation, inputs, part)
    else:
        _WRITERS[type(operation)](k, operation, inputs, output)


def _activation(k: Any, activation: layers.Activation) -> None:
    k["activation"] = ACTIVATIONS.index(activation.kind)
    k["slope"] = activation.slope


def _window(k: Any, window: layers.Sliding) -> None:
    for axis, name, size, pad in (
        (window.vertical, "y", "kernel_height", "pad_top"),
        (window.horizontal, "x", "kernel_width", "pad_left"),
    ):
        k[size], k[f"stride_{name}"], k[f"dilation_{name}"] = (
            axis.kernel,
            axis.stride,
            axis.dilation,
        )
        k[pad] = axis.pad_before


def _convolution(k: Any, operation: layers.Convolution, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.DEPTHWISE if operation.is_depthwise(inputs[0]) else Op.CONVOLUTION
    k["groups"] = operation.groups
    _window(k, operation.window)
    _activation(k, operation.activation)


def _local(k: Any, operation: layers.Local, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.LOCAL
    k["out_height"], k["out_width"], _ = output
    _window(k, operation.window)
    _activation(k, operation.activation)


def _pool(k: Any, operation: layers.Pool, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.MAX_POOL if operation.mode == "max" else Op.AVERAGE_POOL
    k["count_padding"] = operation.count_padding
    _window(k, operation.window)


def _add(k: Any, operation: layers.Add, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.ADD
    _activation(k, operation.activation)


def _multiply(k: Any, operation: layers.Multiply, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.MULTIPLY
    k["in2_height"], k["in2_width"], k["in2_channels"] = inputs[1]
    _activation(k, operation.activation)


def _activate(k: Any, operation: layers.Activate, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.ACTIVATE
    _activation(k, operation.activation)


def _softmax(k: Any, operation: layers.Softmax, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.SOFTMAX
    k["groups"], k["factor"] = operation.groups, operation.temperature
    if not operation.spatial:
        k["kernel_height"], k["kernel_width"], _ = output


def _normalize_responses(
    k: Any, operation: layers.NormalizeResponses, inputs: Shapes, output: Shape
) -> None:
    k["op"] = Op.NORMALIZE_RESPONSES
    k["size"], k["factor"] = operation.size, operation.alpha
    k["shift"], k["power"] = operation.kappa, operation.beta


def _max_channels(k: Any, operation: layers.MaxChannels, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.MAX_CHANNELS


def _upsample(k: Any, operation: layers.Upsample, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.UPSAMPLE
    k["stride_y"] = k["stride_x"] = operation.scale
    k["factor"] = operation.factor


def _crop(k: Any, operation: layers.Crop, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.CROP
    k["pad_top"], k["pad_left"] = -operation.top, -operation.left
    k["factor"], k["shift"] = operation.factor, operation.shift


def _depth_to_space(k: Any, operation: layers.DepthToSpace, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.DEPTH_TO_SPACE
    k["stride_y"] = k["stride_x"] = operation.stride


def _reorg(k: Any, operation: layers.Reorg, inputs: Shapes, output: Shape) -> None:
    k["op"] = Op.REORG if operation.order == "blocks" else Op.REORG_DARKNET
    k["stride_y"] = k["stride_x"] = operation.stride


def _concatenate(k: Any, operation: layers.Concatenate, inputs: Shapes, part: int) -> None:
    """One input of a concatenation: a copy of its channels to their place."""
    taken = [shape.channels // operation.parts for shape in inputs]
    k["op"] = Op.COPY
    k["channels"] = k["filters"] = taken[part]
    k["in"]["offset"] += operation.part * taken[part]
    k["out"]["offset"] += sum(taken[:part])


def _sum(k: Any, operation: layers.Sum, inputs: Shapes, part: int) -> None:
    k["op"], k["part"] = Op.ACCUMULATE, part
    if part:
        k["kept"], k["factor"] = operation.kept, operation.added
        k["stride_y"], k["sample"] = layers.sampling(inputs[0], inputs[part])
        k["stride_x"] = k["stride_y"]
    if part == len(inputs) - 1:
        _activation(k, operation.activation)


def _weighted_sum(k: Any, operation: layers.WeightedSum, inputs: Shapes, part: int) -> None:
    k["op"], k["part"], k["size"] = Op.ACCUMULATE_WEIGHTED, part, operation.maps
    if part == len(inputs) - 1:
        _activation(k, operation.activation)


_WRITERS: dict[type[Any], Callable[[Any, Any, Shapes, Shape], None]] = {
    layers.Convolution: _convolution,
    layers.Local: _local,
    layers.Pool: _pool,
    layers.Add: _add,
    layers.Multiply: _multiply,
    layers.Activate: _activate,
    layers.Softmax: _softmax,
    layers.NormalizeResponses: _normalize_responses,
    layers.MaxChannels: _max_channels,
    layers.Upsample: _upsample,
    layers.Crop: _crop,
    layers.DepthToSpace: _depth_to_space,
    layers.Reorg: _reorg,
}

_JOINERS: dict[type[Any], Callable[[Any, Any, Shapes, int], None]] = {
    layers.Concatenate: _concatenate,
    layers.Sum: _sum,
    layers.WeightedSum: _weighted_sum,
}
