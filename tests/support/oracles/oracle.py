"""What a network's layers say they compute, by loops over windows in double precision.

No lowering, no packing, no axes: a second opinion on everything between a network and its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ftdist.geometry import Shape
from ftdist.network.graph import INPUT, Layer, Network
from ftdist.network.operators.base import LINEAR, Activation, Sliding
from ftdist.network.operators.channels import (
    Activate,
    MaxChannels,
    NormalizeResponses,
    PRelu,
    Softmax,
)
from ftdist.network.operators.joining import Add, Concatenate, Multiply, Sum, WeightedSum
from ftdist.network.operators.resampling import Crop, DepthToSpace, Reorg, Resize, Upsample
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.windows import Convolution, Local, Pool
from ftdist.network.parameters import Parameters
from support.oracles import tensors
from support.oracles.dependencies import darknet_reorg_sources, resized_from

Map = np.ndarray
"""float64 (height, width, channels)"""


def evaluate(network: Network, parameters: Iterator[Parameters], image: Map) -> dict[str, Map]:
    """Outputs (channels, height, width) by name for a float32 (channels, height, width) image."""
    found = evaluate_maps(network, parameters, {INPUT: image.transpose(1, 2, 0)})
    return {name: each.transpose(2, 0, 1) for name, each in found.items()}


def evaluate_maps(
    network: Network, parameters: Iterator[Parameters], inputs: dict[int, Map]
) -> dict[str, Map]:
    """Outputs by name for inputs by number, all (height, width, channels)."""
    weights = {each.layer: each for each in parameters}
    maps = {number: each.astype(np.float64) for number, each in inputs.items()}
    for number, layer in enumerate(network.layers):
        read = [maps[source] for source in layer.inputs]
        maps[number] = _layer(layer, read, weights.get(number))
        assert maps[number].shape == layer.shape
    return {network.layers[n].name: maps[n] for n in network.outputs}


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
        "tanh": np.tanh,
        "elu": lambda x: np.where(x >= 0, x, np.exp(np.minimum(x, 0)) - 1),
        "selu": lambda x: 1.0507 * np.where(x >= 0, x, 1.6732 * (np.exp(np.minimum(x, 0)) - 1)),
        "gelu": lambda x: 0.5 * x * (1 + np.tanh(0.797885 * x + 0.035677 * x**3)),
        "hardmish": lambda x: np.where(x > 0, x, np.where(x > -2, x * x / 2 + x, 0)),
        "hardtan": lambda x: np.minimum(np.maximum(x, -1), 1),
        "lhtan": lambda x: np.where(x < 0, x / 1000, np.where(x > 1, (x - 1) / 1000 + 1, x)),
        "loggy": lambda x: 2 / (1 + np.exp(-x)) - 1,
        "plse": lambda x: np.where(
            x < -4, (x + 4) / 100, np.where(x > 4, (x - 4) / 100 + 1, x / 8 + 0.5)
        ),
        "ramp": lambda x: x * (x > 0) + x / 10,
        "gelu_exact": lambda x: x * (1 + np.vectorize(math.erf, otypes=[float])(x / 2**0.5)) / 2,
        "softplus": lambda x: np.logaddexp(0, x),
        "stair": lambda x: np.floor(x / 2) + np.where(np.floor(x) % 2 == 0, 0, x - np.floor(x)),
    }
    return functions[activation.kind](x)


def _layer(layer: Layer, inputs: list[Map], weights: Parameters | None) -> Map:
    first = inputs[0]
    if (made := tensors.computed(layer.operation, inputs)) is not None:
        activation = getattr(layer.operation, "activation", LINEAR)
        return activate(activation, made)
    match layer.operation:
        case Convolution(groups=groups, window=window, activation=activation):
            assert weights is not None
            made = _convolution(layer, first, groups, window, weights)
            return activate(activation, made + sum(inputs[1:]))
        case TransposedConvolution(groups=groups, window=window, activation=activation):
            assert weights is not None
            return activate(activation, _transposed(layer, first, groups, window, weights))
        case Pool(mode=mode, window=window, count_padding=count_padding):
            return _pool(layer, first, mode, window, count_padding)
        case Add(activation=activation):
            return activate(activation, inputs[0] + inputs[1])
        case Activate(activation=activation):
            return activate(activation, first)
        case Local(window=window, activation=activation):
            assert weights is not None
            return activate(activation, _local(layer, first, window, weights))
        case Sum(activation=activation, kept=kept, added=added):
            return activate(activation, _sum(inputs, kept, added))
        case WeightedSum(activation=activation):
            assert weights is not None
            return activate(activation, _weighted_sum(inputs, weights))
        case Multiply(activation=activation):
            return activate(activation, inputs[0] * inputs[1])
        case Softmax(groups=groups, temperature=temperature, spatial=spatial):
            return _softmax(first, groups, temperature, spatial)
        case NormalizeResponses(size=size, alpha=alpha, beta=beta, kappa=kappa):
            return first * (kappa + alpha * _running_squares(first, size)) ** -beta
        case PRelu():
            assert weights is not None
            return np.where(first > 0, first, first * weights.named["slope"].astype(np.float64))
        case MaxChannels(channels=channels):
            return np.stack([first[..., c::channels].max(axis=2) for c in range(channels)], axis=2)
        case Resize():
            return _resized(layer.operation, first)
        case Crop(height=h, width=w, top=top, left=left, factor=factor, shift=shift):
            return first[top : top + h, left : left + w] * factor + shift
        case Concatenate(parts=parts, part=part):
            taken = [np.split(each, parts, axis=2)[part] for each in inputs]
            return np.concatenate(taken, axis=2)
        case Upsample(scale=scale, factor=factor):
            return first.repeat(scale, axis=0).repeat(scale, axis=1) * factor
        case DepthToSpace(stride=s):
            result = np.empty(layer.shape)
            count = layer.shape.channels
            for y, x in np.ndindex(s, s):
                part = (y * s + x) * count
                result[y::s, x::s] = first[..., part : part + count]
            return result
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


def _transposed(layer: Layer, x: Map, groups: int, window: Sliding, parameters: Parameters) -> Map:
    """Each input position adds its window, scattered; the bias is everywhere."""
    down, across = window.vertical, window.horizontal
    result = np.zeros(layer.shape) + parameters.bias.astype(np.float64)
    by_group = np.split(parameters.weights.astype(np.float64), groups)
    for y, i in np.ndindex(*x.shape[:2]):
        for ky, kx in np.ndindex(down.kernel, across.kernel):
            row = y * down.stride - down.pad_before + ky * down.dilation
            column = i * across.stride - across.pad_before + kx * across.dilation
            if 0 <= row < layer.shape.height and 0 <= column < layer.shape.width:
                parts = zip(by_group, np.split(x[y, i], groups), strict=True)
                made = [own[..., ky, kx] @ value for own, value in parts]
                result[row, column] += np.concatenate(made)
    return result


def _local(layer: Layer, x: Map, window: Sliding, parameters: Parameters) -> Map:
    height, width, filters = layer.shape
    kernels = parameters.weights.astype(np.float64)
    kernels = kernels.reshape(height, width, filters, *kernels.shape[1:])
    result = parameters.bias.astype(np.float64).reshape(layer.shape).copy()
    for row, column, places, values in _windows(layer, x, window):
        for (ky, kx), value in zip(places, values, strict=True):
            result[row, column] += kernels[row, column, :, :, ky, kx] @ value
    return result


def _sum(inputs: list[Map], kept: float, added: float) -> Map:
    """Darknet's shortcut_cpu, position by position."""
    total = inputs[0].copy()
    height, width, channels = total.shape
    for other in inputs[1:]:
        stride = max(1, other.shape[1] // width)
        sample = max(1, width // other.shape[1])
        count = min(channels, other.shape[2])
        for y in range(min(height, other.shape[0])):
            for x in range(min(width, other.shape[1])):
                own = total[y * sample, x * sample, :count]
                own[:] = kept * own + added * other[y * stride, x * stride, :count]
    return total


def _weighted_sum(inputs: list[Map], parameters: Parameters) -> Map:
    total = np.zeros(inputs[0].shape) + parameters.bias.astype(np.float64)
    for number, each in enumerate(inputs):
        count = min(each.shape[2], total.shape[2])
        weights = parameters.weights.astype(np.float64)[:count, number, 0, 0]
        total[..., :count] += weights * each[..., :count]
    return total


def _softmax(x: Map, groups: int, temperature: float, spatial: bool) -> Map:
    parts = []
    for part in np.split(x, groups, axis=2):
        terms = np.exp((part - part.max()) / temperature)
        parts.append(terms / (terms.sum(axis=2, keepdims=True) if spatial else terms.sum()))
    return np.concatenate(parts, axis=2)


def _resized(resize: Resize, x: Map) -> Map:
    """Row by row and column by column, each mixed of those beside its place."""
    for side, made in enumerate((resize.height, resize.width)):
        parts = []
        for position in range(made):
            taps = resized_from(resize, side, x.shape[side], position)
            parts.append(sum(weight * x.take(tap, side) for tap, weight in taps))
        x = np.stack(parts, side)
    return x


def _running_squares(x: Map, size: int) -> Map:
    """The sums of squares that Darknet's normalization keeps from channel to channel."""
    channels = x.shape[2]
    total = sum((x[..., k] ** 2 for k in range(size // 2)), np.zeros(x.shape[:2]))
    sums = [total]
    for k in range(1, channels):
        before, after = k - (size - 1) // 2 - 1, k + size // 2
        total = total - (x[..., before] ** 2 if before >= 0 else 0)
        total = total + (x[..., after] ** 2 if after < channels else 0)
        sums.append(total)
    return np.stack(sums, axis=2)


def _pool(layer: Layer, x: Map, mode: str, window: Sliding, count_padding: bool) -> Map:
    area = window.vertical.kernel * window.horizontal.kernel
    result = np.empty(layer.shape)
    for row, column, places, values in _windows(layer, x, window):
        if mode == "max":
            result[row, column] = np.max(values, axis=0)
        else:
            result[row, column] = np.sum(values, axis=0) / (area if count_padding else len(places))
    return result
