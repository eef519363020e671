"""What a network's layers say they compute, by loops over windows in double precision.

No lowering, no packing, no axes: a second opinion on everything between a network and its outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from dependencies import darknet_reorg_sources

from ftdist.geometry import Shape
from ftdist.network.graph import INPUT, Layer, Network
from ftdist.network.layers import (
    Activate,
    Activation,
    Add,
    Concatenate,
    Convolution,
    Pool,
    Reorg,
    Sliding,
    Upsample,
)
from ftdist.network.parameters import Parameters

Map = np.ndarray
"""float64 (height, width, channels)"""


def evaluate(network: Network, parameters: Iterator[Parameters], image: Map) -> dict[str, Map]:
    """Outputs (channels, height, width) by name for a float32 (channels, height, width) image."""
    weights = {each.layer: each for each in parameters}
    maps = {INPUT: image.transpose(1, 2, 0).astype(np.float64)}
    for number, layer in enumerate(network.layers):
        inputs = [maps[source] for source in layer.inputs]
        maps[number] = _layer(layer, inputs, weights.get(number))
        assert maps[number].shape == layer.shape
    return {network.layers[n].name: maps[n].transpose(2, 0, 1) for n in network.outputs}


def activate(activation: Activation, x: Map) -> Map:
    functions: dict[str, Callable[[Map], Map]] = {
        "linear": lambda x: x,
        "leaky": lambda x: np.where(x > 0, x, activation.slope * x),
        "relu": lambda x: np.maximum(x, 0),
        "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
        "logistic": lambda x: 1 / (1 + np.exp(-x)),
        "swish": lambda x: x / (1 + np.exp(-x)),
        "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
        "hardswish": lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
    }
    return functions[activation.kind](x)


def _layer(layer: Layer, inputs: list[Map], weights: Parameters | None) -> Map:
    first = inputs[0]
    match layer.operation:
        case Convolution(groups=groups, window=window, activation=activation):
            assert weights is not None
            return activate(activation, _convolution(layer, first, groups, window, weights))
        case Pool(mode=mode, window=window, count_padding=count_padding):
            return _pool(layer, first, mode, window, count_padding)
        case Add(activation=activation):
            return activate(activation, inputs[0] + inputs[1])
        case Activate(activation=activation):
            return activate(activation, first)
        case Concatenate(parts=parts, part=part):
            taken = [np.split(each, parts, axis=2)[part] for each in inputs]
            return np.concatenate(taken, axis=2)
        case Upsample(scale=scale):
            return first.repeat(scale, axis=0).repeat(scale, axis=1)
        case Reorg(stride=s, order="blocks"):
            blocks = [first[y::s, x::s] for y in range(s) for x in range(s)]
            return np.concatenate(blocks, axis=2)
        case Reorg(stride=s):
            flat = first.transpose(2, 0, 1).reshape(-1)
            return flat[darknet_reorg_sources(Shape(*first.shape), s)]
    return first


def _windows(
    layer: Layer, x: Map, window: Sliding
) -> Iterator[tuple[int, int, list[tuple[int, int]], list[Map]]]:
    """For each output position (row, column, taps that lie on the map, what they read)."""
    for row in range(layer.shape.height):
        for column in range(layer.shape.width):
            places, values = [], []
            for ky in range(window.vertical.kernel):
                y = row * window.vertical.stride - window.vertical.pad_before
                y += ky * window.vertical.dilation
                for kx in range(window.horizontal.kernel):
                    i = column * window.horizontal.stride - window.horizontal.pad_before
                    i += kx * window.horizontal.dilation
                    if 0 <= y < x.shape[0] and 0 <= i < x.shape[1]:
                        places.append((ky, kx))
                        values.append(x[y, i])
            yield row, column, places, values


def _convolution(layer: Layer, x: Map, groups: int, window: Sliding, parameters: Parameters) -> Map:
    filters, depth = parameters.weights.shape[:2]
    kernels = parameters.weights.astype(np.float64).reshape(groups, filters // groups, depth, -1)
    width = window.horizontal.kernel
    result = np.empty(layer.shape)
    for row, column, places, values in _windows(layer, x, window):
        total = parameters.bias.astype(np.float64).reshape(groups, -1).copy()
        for (ky, kx), value in zip(places, values, strict=True):
            by_group = value.reshape(groups, depth)
            total += np.einsum("gfd,gd->gf", kernels[..., ky * width + kx], by_group)
        result[row, column] = total.ravel()
    return result


def _pool(layer: Layer, x: Map, mode: str, window: Sliding, count_padding: bool) -> Map:
    area = window.vertical.kernel * window.horizontal.kernel
    result = np.empty(layer.shape)
    for row, column, places, values in _windows(layer, x, window):
        if mode == "max":
            result[row, column] = np.max(values, axis=0)
        else:
            result[row, column] = np.sum(values, axis=0) / (area if count_padding else len(places))
    return result
