"""How a .weights file has the parameters of layers other than convolutions.

Each form says how many floats a layer has in the file and turns them into weights and bias as the
network's operation has them; sums are folded in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.darknet.cfg import Section, shown
from ftdist.network.darknet.keys import canonical_kind
from ftdist.network.darknet.numbers import Floats, Form, Take, Unstored
from ftdist.network.darknet.operators import weights_type
from ftdist.network.graph import Network
from ftdist.network.operators.base import Operation
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.scaling import batch_norm

EPSILON = 1e-5
"""Added to the variance under the root."""

_SUM_EPSILON = 1e-4
"""What Darknet adds to the sum that normalizes a shortcut's weights."""

_LEAST_SHARE = 1e-3
"""What a smaller weight of a shortcut counts for where ``relu`` normalizes them: no map is lost."""


def fold(weights: Floats, bias: Floats, scaling: Floats) -> Floats:
    """Folds (scales, means, variances) into weights, in place; returns the new bias."""
    with np.errstate(all="ignore"):  # broken values are found by whoever reads
        scale, mean, variance = scaling
        factor, shift = batch_norm(scale, bias, mean, variance, EPSILON)
        # Multiplied in float64, piece by piece, and rounded into where the weights were.
        np.multiply(weights, factor[:, None, None, None], out=weights, casting="same_kind")
        return np.asarray(shift, np.float32)


@dataclass(frozen=True, slots=True)
class Connected:
    """Biases, weights (outputs, inputs), then scales, means and variances where normalized."""

    normalized: bool

    def floats(self, operation: Operation, source: Shape) -> int:
        outputs, *each = operation.weights(source)["weights"]
        return outputs * ((4 if self.normalized else 1) + int(np.prod(each)))

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        shape = operation.weights(source)["weights"]
        bias = take((shape[0],))
        if flagged:
            turned = take((int(np.prod(shape[1:])), shape[0]))
            weights = np.ascontiguousarray(turned.T).reshape(shape)
        else:
            weights = take(shape)
        if self.normalized:
            bias = fold(weights, bias, take((3, shape[0])))
        return weights, bias


@dataclass(frozen=True, slots=True)
class Flipped:
    """A convolution whose weights stand (inputs, filters), after all vectors (flipped=1)."""

    normalized: bool

    def floats(self, operation: Operation, source: Shape) -> int:
        return Connected(self.normalized).floats(operation, source)

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        shape = operation.weights(source)["weights"]
        vectors = take((4 if self.normalized else 1, shape[0]))
        turned = take((int(np.prod(shape[1:])), shape[0]))
        weights = np.ascontiguousarray(turned.T).reshape(shape)
        bias = fold(weights, vectors[0], vectors[1:]) if self.normalized else vectors[0]
        return weights, bias


@dataclass(frozen=True, slots=True)
class Deconvolution:
    """All vectors, then weights (channels, filters, rows, columns): each input's window."""

    normalized: bool

    def floats(self, operation: Operation, source: Shape) -> int:
        return Connected(self.normalized).floats(operation, source)

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        filters, depth, *kernel = operation.weights(source)["weights"]
        vectors = take((4 if self.normalized else 1, filters))
        weights = np.ascontiguousarray(take((depth, filters, *kernel)).swapaxes(0, 1))
        bias = fold(weights, vectors[0], vectors[1:]) if self.normalized else vectors[0]
        return weights, bias


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Biases, which pjreddie's Darknet leaves out, scales, means and variances."""

    biased: bool = True

    def floats(self, operation: Operation, source: Shape) -> int:
        return (4 if self.biased else 3) * source.channels

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        count = source.channels
        bias = take((count,)) if self.biased else np.zeros(count, np.float32)
        weights = np.ones((count, 1, 1, 1), np.float32)
        return weights, fold(weights, bias, take((3, count)))


@dataclass(frozen=True, slots=True)
class LocalForm:
    """Biases as a map (filters, rows, columns), then the weights of one position after another."""

    def floats(self, operation: Operation, source: Shape) -> int:
        outputs, *each = operation.weights(source)["weights"]
        return outputs * (1 + int(np.prod(each)))

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        shape, positions = operation.weights(source)["weights"], operation.weight_groups(source)
        bias = take((shape[0] // positions, positions))
        return take(shape), np.ascontiguousarray(bias.T).reshape(-1)


@dataclass(frozen=True, slots=True)
class ShortcutForm:
    """A weight for each map, or for each map and channel, and how they are normalized."""

    per_channel: bool
    normalization: Literal["none", "relu", "softmax"]

    def floats(self, operation: Operation, source: Shape) -> int:
        channels, maps, _, _ = operation.weights(source)["weights"]
        return maps * (channels if self.per_channel else 1)

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        channels, maps, _, _ = operation.weights(source)["weights"]
        stored = take((maps, channels if self.per_channel else 1)).astype(np.float64)
        shares = self._normalized(stored).astype(np.float32)
        weights = np.broadcast_to(shares, (maps, channels)).T.reshape(channels, maps, 1, 1)
        return np.ascontiguousarray(weights), np.zeros(channels, np.float32)

    def _normalized(self, stored: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.normalization == "none":
            return stored
        if self.normalization == "relu":
            shares = np.maximum(stored, _LEAST_SHARE)
        else:
            shares = np.exp(stored - stored.max(axis=0))
        return np.asarray(shares / (shares.sum(axis=0) + _SUM_EPSILON))


@dataclass(frozen=True, slots=True)
class Flat(Unstored):
    """Nothing: the filters of a convolution that makes a list of a map, and zeros behind it."""

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        filters, *each = operation.weights(source)["weights"]
        weights = np.eye(filters, int(np.prod(each)), dtype=np.float32)
        return weights.reshape(filters, *each), np.zeros(filters, np.float32)


@dataclass(frozen=True, slots=True)
class Shared(Unstored):
    """Nothing: the layer has the weights of convolution `of`."""

    of: int

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        raise NotImplementedError("the convolution that shares its weights is read instead")


def forms(
    layers: Sequence[Section], numbers: Sequence[int], network: Network
) -> Mapping[int, Form]:
    """The forms of all layers that are stored in another way than a convolution of their own.

    `numbers` are those of the layers in the network that have the sections' weights.
    """
    found = {number: _form(layers, index, numbers, network) for index, number in enumerate(numbers)}
    return {number: form for number, form in found.items() if form is not None}


def _form(
    layers: Sequence[Section], index: int, numbers: Sequence[int], network: Network
) -> Form | None:
    section = layers[index]
    match canonical_kind(section):
        case "connected":
            return Connected(section.flag("batch_normalize"))
        case "deconvolutional":
            return Deconvolution(section.flag("batch_normalize"))
        case "batchnorm":
            return BatchNorm()
        case "local":
            return LocalForm()
        case "reorg" if section.integer("extra", 0):
            return Flat()
        case "shortcut" if (kind := weights_type(section)) is not None:
            return ShortcutForm(kind == "per_channel", _normalization(section))
        case "convolutional" if section.flag("flipped"):
            return _flipped(section)
        case "convolutional" if section.has("share_index"):
            return _shared(section, index, numbers, network)
    return None


def _normalization(section: Section) -> Literal["none", "relu", "softmax"]:
    match section.string("weights_normalization", "none"):
        case "none":
            return "none"
        case "relu" | "avg_relu":
            return "relu"
        case "softmax":
            return "softmax"
        case other:
            message = f"{shown(other)} is not one of none, relu and softmax"
            raise section.error(message, "weights_normalization")


def _flipped(section: Section) -> Flipped:
    if section.has("share_index") or section.integer("filters", 1) % section.integer("groups", 1):
        raise section.error("is not supported with shared weights or uneven groups", "flipped")
    return Flipped(section.flag("batch_normalize") or section.flag("cbn"))


_NOT_SHARED = -1_000_000_000


def _shared(
    section: Section, number: int, numbers: Sequence[int], network: Network
) -> Shared | None:
    index = section.integer("share_index", _NOT_SHARED)
    if index == _NOT_SHARED:
        return None
    of = index if index >= 0 else number + index
    if not 0 <= of < number:
        raise section.error(f"{index} means layer {of}, which is not before this", "share_index")
    own, other = network.layers[numbers[number]], network.layers[numbers[of]]
    shapes = [
        each.operation.weights(network.shape(each.inputs[0]))["weights"]
        for each in (own, other)
        if isinstance(each.operation, Convolution)
    ]
    if len(shapes) < 2 or shapes[0] != shapes[1]:
        raise section.error(f"layer {of} ({other.name}) has other weights", "share_index")
    return Shared(numbers[of])
