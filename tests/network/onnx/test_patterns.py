"""What files spell out in primitives becomes the operator that it is, and keeps its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.network.operators.base import Activation
from ftdist.network.operators.channels import PRelu

CHANNELS = 5
Spell = Callable[[Nodes, str], str]


def number(nodes: Nodes, value: float) -> str:
    return nodes.constant(np.array(value, np.float32))


def model_of(tmp_path: Path, spell: Spell, **how: int):  # type: ignore[no-untyped-def]
    """The model of a convolution, then of what is spelled out; its values are onnxruntime's."""
    nodes = Nodes(seed=3, **how)
    x = nodes.input(1, 3, 6, 7)
    made = nodes.add("Conv", x, nodes.random(CHANNELS, 3, 1, 1, scale=1.0))
    nodes.output(spell(nodes, made))
    path = nodes.save(tmp_path / "net.onnx")
    model = imported(path)
    assert_agree(path, model, tolerance=2e-6)
    return model


def kinds_of(model) -> Counter[str]:  # type: ignore[no-untyped-def]
    return Counter(layer.operation.kind for layer in model.network.layers)


def product(nodes: Nodes, *names: str) -> str:
    found = names[0]
    for name in names[1:]:
        found = nodes.add("Mul", found, name)
    return found


def tanh_gelu(nodes: Nodes, x: str) -> str:
    cube = nodes.add("Pow", x, number(nodes, 3))
    inner = nodes.add("Add", x, product(nodes, cube, number(nodes, 0.044715)))
    bent = nodes.add("Tanh", product(nodes, inner, number(nodes, np.sqrt(2 / np.pi))))
    gate = nodes.add("Add", bent, number(nodes, 1))
    return product(nodes, number(nodes, 0.5), product(nodes, x, gate))


def tanh_gelu_by_squares(nodes: Nodes, x: str) -> str:
    square = product(nodes, number(nodes, 0.044715), x, x)
    outer = product(nodes, number(nodes, np.sqrt(2 / np.pi)), x)
    inner = product(nodes, outer, nodes.add("Add", square, number(nodes, 1)))
    gate = nodes.add("Add", number(nodes, 1), nodes.add("Tanh", inner))
    return product(nodes, product(nodes, x, number(nodes, 0.5)), gate)


def exact_gelu(nodes: Nodes, x: str) -> str:
    bent = nodes.add("Erf", nodes.add("Div", x, number(nodes, np.sqrt(2))))
    gate = nodes.add("Add", bent, number(nodes, 1))
    return product(nodes, product(nodes, x, gate), number(nodes, 0.5))


def exact_gelu_by_halves(nodes: Nodes, x: str) -> str:
    bent = nodes.add("Erf", product(nodes, number(nodes, np.sqrt(0.5)), x))
    half = product(nodes, bent, number(nodes, 0.5))
    return product(nodes, nodes.add("Add", number(nodes, 0.5), half), x)


def mish_by_logarithm(nodes: Nodes, x: str) -> str:
    inner = nodes.add("Log", nodes.add("Add", nodes.add("Exp", x), number(nodes, 1)))
    return product(nodes, x, nodes.add("Tanh", inner))


def swish_by_exponential(nodes: Nodes, x: str) -> str:
    below = nodes.add("Add", number(nodes, 1), nodes.add("Exp", nodes.add("Neg", x)))
    return nodes.add("Div", x, below)


def sigmoid_by_exponential(nodes: Nodes, x: str) -> str:
    below = nodes.add("Add", nodes.add("Exp", nodes.add("Neg", x)), number(nodes, 1))
    return nodes.add("Div", number(nodes, 1), below)


def hard_swish(nodes: Nodes, x: str) -> str:
    low, high = number(nodes, 0), number(nodes, 6)
    gate = nodes.add("Clip", nodes.add("Add", x, number(nodes, 3)), low, high)
    return nodes.add("Div", product(nodes, x, gate), number(nodes, 6))


def hard_swish_by_hard_sigmoid(nodes: Nodes, x: str) -> str:
    return product(nodes, nodes.add("HardSigmoid", x, alpha=1 / 6, beta=0.5), x)


def hard_swish_by_ends(nodes: Nodes, x: str) -> str:
    shifted = nodes.add("Add", product(nodes, x, number(nodes, 1 / 6)), number(nodes, 0.5))
    gate = nodes.add("Min", nodes.add("Max", shifted, number(nodes, 0)), number(nodes, 1))
    return product(nodes, gate, x)


ACTIVATIONS: dict[str, list[Spell]] = {
    "gelu_exact": [exact_gelu, exact_gelu_by_halves],
    "mish": [
        mish_by_logarithm,
        lambda nodes, x: product(nodes, nodes.add("Tanh", nodes.add("Softplus", x)), x),
    ],
    "gelu": [tanh_gelu, tanh_gelu_by_squares],
    "swish": [
        swish_by_exponential,
        lambda nodes, x: product(nodes, nodes.add("Sigmoid", x), x),
    ],
    "logistic": [
        sigmoid_by_exponential,
        lambda nodes, x: nodes.add(
            "Reciprocal",
            nodes.add("Add", number(nodes, 1), nodes.add("Exp", nodes.add("Neg", x))),
        ),
    ],
    "hardswish": [hard_swish, hard_swish_by_hard_sigmoid, hard_swish_by_ends],
    "leaky": [
        lambda nodes, x: nodes.add("Max", x, product(nodes, number(nodes, 0.1), x)),
        lambda nodes, x: nodes.add(
            "Sub",
            nodes.add("Relu", x),
            product(nodes, nodes.add("Relu", nodes.add("Neg", x)), number(nodes, 0.25)),
        ),
    ],
}


@pytest.mark.parametrize(
    ("kind", "spell"), [(kind, each) for kind, found in ACTIVATIONS.items() for each in found]
)
def test_an_activation_in_primitives_is_part_of_the_convolution(
    tmp_path: Path, kind: str, spell: Spell
) -> None:
    model = model_of(tmp_path, spell)
    (layer,) = model.network.layers
    assert layer.operation.activation.kind == kind


def prelu_by_magnitude(nodes: Nodes, x: str) -> str:
    """As Keras has it: relu(x) + a * (x - |x|) / 2."""
    slope = nodes.random(CHANNELS, 1, 1)
    beside = nodes.add("Sub", x, nodes.add("Abs", x))
    below = product(nodes, product(nodes, slope, beside), number(nodes, 0.5))
    return nodes.add("Add", nodes.add("Relu", x), below)


def prelu_by_negative_relu(nodes: Nodes, x: str) -> str:
    below = product(nodes, nodes.random(CHANNELS, 1, 1), nodes.add("Relu", nodes.add("Neg", x)))
    return nodes.add("Sub", nodes.add("Relu", x), below)


@pytest.mark.parametrize("spell", [prelu_by_magnitude, prelu_by_negative_relu])
def test_a_slope_for_each_channel_in_primitives_is_one_layer(tmp_path: Path, spell: Spell) -> None:
    model = model_of(tmp_path, spell)
    assert [type(layer.operation) for layer in model.network.layers][1:] == [PRelu]


def mean(nodes: Nodes, x: str, axes: tuple[int, ...]) -> str:
    return str(nodes.add("ReduceMean", x, axes=list(axes), keepdims=1))


def norm_by_differences(axes: tuple[int, ...], affine: tuple[int, ...]) -> Spell:
    def spell(nodes: Nodes, x: str) -> str:
        away = nodes.add("Sub", x, mean(nodes, x, axes))
        variance = mean(nodes, nodes.add("Pow", away, number(nodes, 2)), axes)
        root = nodes.add("Sqrt", nodes.add("Add", variance, number(nodes, 1e-5)))
        made = nodes.add("Div", away, root)
        return _affine(nodes, made, affine)

    return spell


def norm_by_squares(axes: tuple[int, ...], affine: tuple[int, ...]) -> Spell:
    """As TensorFlow folds it: x * a + (b - mean * a), and the variance from two means."""

    def spell(nodes: Nodes, x: str) -> str:
        middle = mean(nodes, x, axes)
        squares = mean(nodes, nodes.add("Mul", x, x), axes)
        variance = nodes.add("Sub", squares, nodes.add("Mul", middle, middle))
        root = nodes.add("Sqrt", nodes.add("Add", variance, number(nodes, 1e-3)))
        factor = nodes.add("Reciprocal", root)
        if affine:
            factor = nodes.add("Mul", factor, nodes.random(*affine))
        shift = nodes.random(*affine) if affine else number(nodes, 0.5)
        rest = nodes.add("Sub", shift, nodes.add("Mul", middle, factor))
        return str(nodes.add("Add", nodes.add("Mul", x, factor), rest))

    return spell


def _affine(nodes: Nodes, made: str, affine: tuple[int, ...]) -> str:
    if affine:
        made = nodes.add("Mul", made, nodes.random(*affine))
        made = nodes.add("Add", made, nodes.random(*affine))
    return made


PER_CHANNEL = (CHANNELS, 1, 1)


@pytest.mark.parametrize("how", [norm_by_differences, norm_by_squares])
@pytest.mark.parametrize("axes", [(1,), (2, 3), (1, 2, 3)])
@pytest.mark.parametrize("affine", [(), PER_CHANNEL])
def test_a_norm_in_primitives_is_one_layer(
    tmp_path: Path,
    how: Callable[..., Spell],
    axes: tuple[int, ...],
    affine: tuple[int, ...],
) -> None:
    whole = model_of(tmp_path, how(axes, affine))
    named = model_of(tmp_path, _named_norm(axes))
    assert kinds_of(whole) == kinds_of(named)
    assert kinds_of(whole)["normalize"] == (axes == (1,))


def _named_norm(axes: tuple[int, ...]) -> Spell:
    def spell(nodes: Nodes, x: str) -> str:
        if axes == (1,):
            last = nodes.add("Transpose", x, perm=[0, 2, 3, 1])
            made = nodes.add("LayerNormalization", last, nodes.random(CHANNELS))
            return str(nodes.add("Transpose", made, perm=[0, 3, 1, 2]))
        if axes == (2, 3):
            weights = nodes.random(CHANNELS), nodes.random(CHANNELS)
            return str(nodes.add("InstanceNormalization", x, *weights))
        flat = nodes.add("Reshape", x, nodes.constant(np.array([1, 1, -1])))
        ones = nodes.constant(np.ones(1, np.float32)), nodes.constant(np.zeros(1, np.float32))
        made = nodes.add("InstanceNormalization", flat, *ones)
        return str(nodes.add("Reshape", made, nodes.constant(np.array([1, CHANNELS, 6, 7]))))

    return spell


def root_mean_square_by_power(nodes: Nodes, x: str) -> str:
    square = mean(nodes, nodes.add("Pow", x, number(nodes, 2)), (1,))
    root = nodes.add("Pow", nodes.add("Add", square, number(nodes, 1e-6)), number(nodes, -0.5))
    return product(nodes, product(nodes, x, root), nodes.random(CHANNELS, 1, 1))


def root_mean_square_by_division(nodes: Nodes, x: str) -> str:
    square = mean(nodes, nodes.add("Mul", x, x), (1,))
    root = nodes.add("Sqrt", nodes.add("Add", number(nodes, 1e-6), square))
    return product(nodes, nodes.random(CHANNELS, 1, 1), nodes.add("Div", x, root))


@pytest.mark.parametrize("spell", [root_mean_square_by_power, root_mean_square_by_division])
def test_a_norm_by_the_root_of_the_mean_square_is_one_layer(tmp_path: Path, spell: Spell) -> None:
    assert kinds_of(model_of(tmp_path, spell)) == {"convolutional": 1, "normalize": 1}


def test_a_group_norm_by_reshapes_is_one_layer_with_the_factors_behind_it(tmp_path: Path) -> None:
    def spell(nodes: Nodes, x: str) -> str:
        wide = nodes.add("Conv", x, nodes.random(6, CHANNELS, 1, 1))
        groups = nodes.add("Reshape", wide, nodes.constant(np.array([0, 3, -1])))
        ones = nodes.constant(np.ones(3, np.float32)), nodes.constant(np.zeros(3, np.float32))
        made = nodes.add("InstanceNormalization", groups, *ones)
        back = nodes.add("Reshape", made, nodes.add("Shape", wide))
        return _affine(nodes, back, (6, 1, 1))

    def named(nodes: Nodes, x: str) -> str:
        wide = nodes.add("Conv", x, nodes.random(6, CHANNELS, 1, 1))
        weights = nodes.random(6), nodes.random(6)
        return str(nodes.add("GroupNormalization", wide, *weights, num_groups=3))

    wanted = kinds_of(model_of(tmp_path, named, opset=21))
    assert kinds_of(model_of(tmp_path, spell)) == wanted


def near_norm(nodes: Nodes, x: str) -> str:
    """Another mean is taken away than the variance has."""
    away = nodes.add("Sub", x, mean(nodes, x, (2, 3)))
    variance = mean(nodes, nodes.add("Mul", x, x), (2, 3))
    return str(nodes.add("Div", away, nodes.add("Sqrt", variance)))


def near_swish(nodes: Nodes, x: str) -> str:
    """The sigmoid of another value."""
    other = nodes.add("Sigmoid", product(nodes, x, number(nodes, 1.7)))
    return product(nodes, x, other)


def near_hard_swish(nodes: Nodes, x: str) -> str:
    ends = number(nodes, 0), number(nodes, 5)
    gate = nodes.add("Clip", nodes.add("Add", x, number(nodes, 3)), *ends)
    return nodes.add("Div", product(nodes, x, gate), number(nodes, 6))


def near_leaky(nodes: Nodes, x: str) -> str:
    return str(nodes.add("Max", x, product(nodes, number(nodes, 1.5), x)))


@pytest.mark.parametrize("spell", [near_norm, near_swish, near_hard_swish, near_leaky])
def test_what_only_looks_alike_keeps_its_values(tmp_path: Path, spell: Spell) -> None:
    model = model_of(tmp_path, spell)
    activations = {getattr(each.operation, "activation", None) for each in model.network.layers}
    assert not activations & {Activation("swish"), Activation("hardswish")}
    assert kinds_of(model)["normalize"] == 0


def test_an_l2_norm_over_channels_is_local_although_it_is_expanded(tmp_path: Path) -> None:
    def spell(nodes: Nodes, x: str) -> str:
        length = nodes.add("ReduceL2", x, axes=[1], keepdims=1)
        bounded = nodes.add("Clip", length, number(nodes, 1e-12))
        return str(nodes.add("Div", x, nodes.add("Expand", bounded, nodes.add("Shape", x))))

    model = model_of(tmp_path, spell)
    assert not model.network.whole_layers


@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceMax", "ReduceL2"])
def test_reductions_over_channels_are_local(tmp_path: Path, kind: str) -> None:
    model = model_of(tmp_path, lambda nodes, x: nodes.add(kind, x, axes=[1], keepdims=1))
    assert not model.network.whole_layers


def test_a_channel_shuffle_between_parts_of_the_channels_is_local(tmp_path: Path) -> None:
    """As ShuffleNet has it: shuffled channels are split, one half goes on as it is."""

    def spell(nodes: Nodes, x: str) -> str:
        wide = nodes.add("Conv", x, nodes.random(8, CHANNELS, 1, 1))
        shape = nodes.constant(np.array([1, 2, 4, 6, 7]))
        moved = nodes.add("Transpose", nodes.add("Reshape", wide, shape), perm=[0, 2, 1, 3, 4])
        shuffled = nodes.add("Reshape", moved, nodes.constant(np.array([1, 8, 6, 7])))
        one, other = nodes.add("Split", shuffled, outputs=2, axis=1)
        other = nodes.add("Conv", other, nodes.random(4, 4, 1, 1))
        return str(nodes.add("Concat", one, other, axis=1))

    model = model_of(tmp_path, spell)
    # One half is shuffled by the weights that read it, the other is taken as it is shuffled.
    assert kinds_of(model) == {"convolutional": 3, "gather": 1, "concatenate": 1}


def zeros_around(nodes: Nodes, x: str, fill: float = 0.0) -> str:
    pads = nodes.constant(np.array([0, 0, 1, 0, 0, 0, 1, 2]))
    return str(nodes.add("Pad", x, pads, number(nodes, fill)))


def padded_convolution(nodes: Nodes, x: str) -> str:
    weights = nodes.random(4, CHANNELS, 3, 3)
    return str(nodes.add("Conv", zeros_around(nodes, x), weights, pads=[0, 1, 0, 1]))


def padded_average(nodes: Nodes, x: str) -> str:
    return str(nodes.add("AveragePool", zeros_around(nodes, x), kernel_shape=[3, 3]))


def padded_maximum(nodes: Nodes, x: str) -> str:
    above = zeros_around(nodes, nodes.add("Relu", x))
    return str(nodes.add("MaxPool", above, kernel_shape=[3, 3], strides=[2, 2]))


def lowest_maximum(nodes: Nodes, x: str) -> str:
    around = zeros_around(nodes, x, float(np.finfo(np.float32).min))
    return str(nodes.add("MaxPool", around, kernel_shape=[3, 3]))


@pytest.mark.parametrize(
    "spell", [padded_convolution, padded_average, padded_maximum, lowest_maximum]
)
def test_a_border_of_zeros_goes_into_the_windows_that_read_it(tmp_path: Path, spell: Spell) -> None:
    assert kinds_of(model_of(tmp_path, spell))["pad"] == 0


def test_a_border_stays_where_windows_would_see_something_else(tmp_path: Path) -> None:
    def maximum(nodes: Nodes, x: str) -> str:
        return str(nodes.add("MaxPool", zeros_around(nodes, x), kernel_shape=[3, 3]))

    def average(nodes: Nodes, x: str) -> str:
        around = zeros_around(nodes, x)
        return str(nodes.add("AveragePool", around, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))

    for spell in (maximum, average):
        assert kinds_of(model_of(tmp_path, spell))["pad"] == 1
