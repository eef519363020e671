"""Random ONNX graphs of nearly all operators that are supported, with random attributes.

Values are maps (1, channels, height, width). What jumps (rounding, comparisons, the place of the
largest) is applied only to values that are exact, those that have come from the input by moving,
choosing and comparing: elsewhere two right answers may differ by a whole step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from support.graphtails import tail
from support.onnxgraphs import Nodes

MOST_SIDE, MOST_CHANNELS = 28, 24


@dataclass(frozen=True)
class Value:
    """A map (1, channels, height, width) by its name; whether it is exact."""

    name: str
    channels: int
    height: int
    width: int
    exact: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width


@dataclass
class Growth:
    """A graph that grows."""

    chance: Random
    nodes: Nodes
    values: list[Value]

    def pick(self) -> Value:
        return self.chance.choice(self.values[-4:])

    def node(self, like: Value, kind: str, *inputs: str, exact: bool = False, **how: Any) -> Value:
        """A node that makes a map of the same shape."""
        return replace(like, name=self.nodes.add(kind, *inputs, **how), exact=exact)

    def number(self, value: float) -> str:
        return self.nodes.constant(np.float32(value))

    def whole(self, *values: int) -> str:
        return self.nodes.constant(np.array(values, np.int64))


def random_graph(seed: int) -> Nodes:
    """A graph of one input and one or two outputs."""
    chance, nodes = Random(seed), Nodes(seed, opset=20)
    shape = chance.choice([1, 3, 8]), chance.randint(5, 16), chance.randint(5, 16)
    growth = Growth(chance, nodes, [Value(nodes.input(1, *shape), *shape)])
    wanted = chance.randint(3, 9)
    while len(growth.values) <= wanted:
        made = chance.choice(KINDS)(growth, growth.pick())
        if made is not None and max(made.shape[1:]) <= MOST_SIDE and made.channels <= MOST_CHANNELS:
            growth.values.append(made)
    last = growth.values[-1]
    nodes.output(last.name if last.name != "x" else nodes.add("Relu", last.name))
    if chance.random() < 0.6:
        nodes.output(tail(chance, nodes, last.name, last.shape, exact=last.exact))
    return nodes


Kind = Callable[[Growth, Value], Value | None]

_SMOOTH: dict[str, list[dict[str, Any]]] = {
    "Sigmoid": [{}],
    "Tanh": [{}],
    "HardSwish": [{}],
    "Erf": [{}],
    "Softplus": [{}],
    "Softsign": [{}],
    "Mish": [{}],
    "Gelu": [{}, {"approximate": "tanh"}],
    "LeakyRelu": [{}, {"alpha": 0.3}, {"alpha": -0.2}],
    "Elu": [{}, {"alpha": 0.4}],
    "Selu": [{}, {"alpha": 1.2, "gamma": 0.7}],
    "Celu": [{}, {"alpha": 0.6}],
    "HardSigmoid": [{}, {"alpha": 1 / 6}, {"alpha": 0.4, "beta": 0.3}],
}
_EXACT = ("Relu", "Abs", "Neg", "Identity")
_JUMPS = ("Sign", "Floor", "Ceil", "Round")


def _smooth(g: Growth, x: Value) -> Value:
    kind = g.chance.choice(sorted(_SMOOTH))
    return g.node(x, kind, x.name, **g.chance.choice(_SMOOTH[kind]))


def _plain(g: Growth, x: Value) -> Value:
    return g.node(x, g.chance.choice(_EXACT), x.name, exact=x.exact)


def _jump(g: Growth, x: Value) -> Value | None:
    if not x.exact:
        return None
    if g.chance.random() < 0.3:
        return g.node(x, "ThresholdedRelu", x.name, exact=True, alpha=g.chance.choice([0.3, 1.0]))
    scaled = g.nodes.add("Mul", x.name, g.number(4.0))  # exact: a power of two
    return g.node(x, g.chance.choice(_JUMPS), scaled, exact=True)


def _bounded(g: Growth, x: Value) -> Value:
    """Functions of a part of the numbers only."""
    kind = g.chance.choice(["Exp", "Log", "Sqrt", "Reciprocal", "Pow"])
    if kind == "Exp":
        return g.node(x, "Exp", g.nodes.add("Clip", x.name, g.number(-3.0), g.number(2.0)))
    shifted = g.nodes.add("Add", g.nodes.add("Abs", x.name), g.number(0.3))
    if kind == "Pow":
        return g.node(
            x, "Tanh", g.nodes.add("Pow", shifted, g.number(g.chance.choice([2, 3, 0.5])))
        )
    return g.node(x, kind, shifted)


def _clip(g: Growth, x: Value) -> Value:
    low, high = g.chance.choice([(0.0, 6.0), (-0.4, 0.7), (0.0, 1.0), (None, 0.3), (-0.2, None)])
    bounds = ["" if each is None else g.number(each) for each in (low, high)]
    return g.node(x, "Clip", x.name, *bounds, exact=x.exact)


def _compared(g: Growth, x: Value) -> Value | None:
    """A choice between two values by a comparison."""
    if not x.exact:
        return None
    kind = g.chance.choice(["Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"])
    truth = g.nodes.add(kind, x.name, g.number(g.chance.choice([0.0, 0.3])))
    if g.chance.random() < 0.4:
        other = g.nodes.add("Less", x.name, g.number(0.6))
        truth = g.nodes.add(g.chance.choice(["And", "Or", "Xor"]), truth, other)
    if g.chance.random() < 0.3:
        truth = g.nodes.add("Not", truth)
    if g.chance.random() < 0.3:
        return g.node(x, "Cast", truth, exact=True, to=1)
    second = g.number(-0.7) if g.chance.random() < 0.5 else g.nodes.random(x.channels, 1, 1)
    return g.node(x, "Where", truth, x.name, second, exact=True)


def _two(g: Growth, x: Value) -> Value | None:
    alike = [each for each in g.values if each.shape[1:] == x.shape[1:]]
    other = g.chance.choice(alike)
    if other.channels != x.channels and 1 not in (other.channels, x.channels):
        joined = g.nodes.add("Concat", x.name, other.name, axis=1)
        both = x.exact and other.exact
        return replace(x, name=joined, channels=x.channels + other.channels, exact=both)
    kind = g.chance.choice(["Add", "Mul", "Sub", "Max", "Min", "Mean", "Sum", "PRelu"])
    made = replace(x, channels=max(x.channels, other.channels))
    if kind == "PRelu":
        return g.node(x, "PRelu", x.name, g.nodes.random(x.channels, 1, 1))
    exact = kind in ("Max", "Min") and x.exact and other.exact
    return g.node(made, kind, x.name, other.name, exact=exact)


def _constant_operand(g: Growth, x: Value) -> Value:
    shape = g.chance.choice([(x.channels, 1, 1), (1,), (x.height, 1), (1, x.channels, 1, x.width)])
    kind = g.chance.choice(["Add", "Mul", "Sub", "Div", "Max", "Min"])
    operand = g.nodes.random(*shape)
    if kind == "Div":
        operand = g.nodes.constant((0.5 + g.nodes.generator.random(shape)).astype(np.float32))
    names = [x.name, operand]
    if kind == "Sub" and g.chance.random() < 0.5:
        names = names[::-1]
    return g.node(x, kind, *names, exact=x.exact and kind in ("Max", "Min"))


def _window(g: Growth, x: Value, most: int = 4) -> tuple[dict[str, Any], int, int] | None:
    """Attributes of a window, and the size that it makes."""
    c = g.chance
    kernel = [c.randint(1, most) for _ in "hw"]
    strides, dilations = [c.choice([1, 1, 2, 3]) for _ in "hw"], [c.choice([1, 1, 2]) for _ in "hw"]
    pads = [c.randint(0, max(0, kernel[at % 2] - 1)) for at in range(4)]
    sizes = []
    for at, length in enumerate(x.shape[1:]):
        extent = (kernel[at] - 1) * dilations[at] + 1
        sizes.append((length + pads[at] + pads[2 + at] - extent) // strides[at] + 1)
    if min(sizes) < 1:
        return None
    how = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    return how, sizes[0], sizes[1]


def _convolution(g: Growth, x: Value) -> Value | None:
    found = _window(g, x)
    if found is None:
        return None
    how, height, width = found
    groups = g.chance.choice([n for n in range(1, x.channels + 1) if x.channels % n == 0])
    filters = groups * g.chance.randint(1, max(1, 12 // groups))
    weights = g.nodes.random(filters, x.channels // groups, *how["kernel_shape"])
    inputs = [x.name, weights] + [g.nodes.random(filters)] * g.chance.randint(0, 1)
    made = g.nodes.add("Conv", *inputs, group=groups, **how)
    return Value(made, filters, height, width, exact=False)


def _turned_convolution(g: Growth, x: Value) -> Value | None:
    c = g.chance
    groups = c.choice([n for n in range(1, x.channels + 1) if x.channels % n == 0])
    filters, kernel = c.randint(1, max(1, 8 // groups)), [c.randint(1, 4) for _ in "hw"]
    strides, dilations = [c.choice([1, 2, 3]) for _ in "hw"], [c.choice([1, 1, 2]) for _ in "hw"]
    if c.random() < 0.5:
        strides, dilations = [2, 2], [1, 1]
    extra = [c.randint(0, stride - 1) for stride in strides]
    pads = [c.randint(0, (kernel[at % 2] - 1) * dilations[at % 2]) for at in range(4)]
    sizes = [
        (x.shape[1 + at] - 1) * strides[at]
        + (kernel[at] - 1) * dilations[at]
        + 1
        + extra[at]
        - pads[at]
        - pads[2 + at]
        for at in (0, 1)
    ]
    if min(sizes) < 1:
        return None
    weights = g.nodes.random(x.channels, filters, *kernel)
    made = g.nodes.add(
        "ConvTranspose",
        *(x.name, weights, g.nodes.random(filters * groups)),
        group=groups,
        strides=strides,
        dilations=dilations,
        pads=pads,
        output_padding=extra,
    )
    return Value(made, filters * groups, sizes[0], sizes[1], exact=False)


def _pool(g: Growth, x: Value) -> Value | None:
    found = _window(g, x, 3)
    kind = g.chance.choice(["MaxPool", "AveragePool", "LpPool", "GlobalAveragePool"])
    if kind == "GlobalAveragePool":
        whole = g.chance.choice([kind, "GlobalMaxPool"])
        exact = x.exact and whole == "GlobalMaxPool"
        return Value(g.nodes.add(whole, x.name), x.channels, 1, 1, exact=exact)
    if found is None:
        return None
    how, height, width = found
    if kind == "AveragePool":
        how["count_include_pad"] = g.chance.randint(0, 1)
    if kind == "LpPool":
        how["p"] = g.chance.choice([1, 2, 3])
        how["dilations"] = [1, 1]
        sizes = [
            (x.shape[1 + at] + how["pads"][at] + how["pads"][2 + at] - how["kernel_shape"][at])
            // how["strides"][at]
            + 1
            for at in (0, 1)
        ]
        height, width = sizes
    made = g.nodes.add(kind, x.name, **how)
    return Value(made, x.channels, height, width, exact=x.exact and kind == "MaxPool")


def _resize(g: Growth, x: Value) -> Value:
    c = g.chance
    mode = c.choice(["nearest", "linear", "cubic"])
    sizes = [max(1, round(length * c.choice([0.5, 0.7, 1.5, 2, 3]))) for length in x.shape[1:]]
    transform = c.choice(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
    how: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": transform}
    if mode == "nearest":
        # Where places lie just between two positions either may be taken.
        how["coordinate_transformation_mode"] = "asymmetric"
        how["nearest_mode"] = "floor"
        sizes = [length * c.choice([1, 2, 3]) for length in x.shape[1:]]
    if mode == "cubic":
        how["cubic_coeff_a"] = c.choice([-0.75, -0.5])
        how["exclude_outside"] = c.randint(0, 1)
    made = g.nodes.add("Resize", x.name, "", "", g.whole(1, x.channels, *sizes), **how)
    return Value(made, x.channels, sizes[0], sizes[1], exact=x.exact and mode == "nearest")


def _pad(g: Growth, x: Value) -> Value | None:
    c = g.chance
    mode = c.choice(["constant", "edge", "reflect", "wrap"])
    most = 3 if mode == "constant" else min(3, x.height - 1, x.width - 1)
    if most < 0:
        return None
    before, after = [[c.randint(0, most) for _ in "hw"] for _ in range(2)]
    channels = c.choice([0, 0, 2]) if mode == "constant" else 0
    pads = g.whole(0, channels, *before, 0, 0, *after)
    values = [g.number(c.choice([0.0, 0.5]))] if mode == "constant" else []
    made = g.nodes.add("Pad", x.name, pads, *values, mode=mode)
    height, width = (n + a + b for n, a, b in zip(x.shape[1:], before, after, strict=True))
    return Value(made, x.channels + channels, height, width, x.exact)


def _part(g: Growth, x: Value) -> Value | None:
    """A slice of one axis, with steps, from either end; or positions by their numbers."""
    c = g.chance
    axis = c.choice([1, 2, 3])
    length = x.shape[axis - 1]
    if c.random() < 0.4:
        places = [c.randrange(-length, length) for _ in range(c.randint(1, length + 2))]
        made = g.nodes.add("Gather", x.name, g.whole(*places), axis=axis)
        count = len(places)
    else:
        start, stop, step = c.randrange(-length, length), c.randint(-length - 1, length + 3), 1
        step = c.choice([1, 1, 2, -1, -2])
        count = len(range(length)[start:stop:step])
        if not count:
            return None
        inputs = [g.whole(each) for each in (start, stop, axis, step)]
        made = g.nodes.add("Slice", x.name, *inputs)
    sizes = [n if at != axis - 1 else count for at, n in enumerate(x.shape)]
    return Value(made, sizes[0], sizes[1], sizes[2], x.exact)


def _moved(g: Growth, x: Value) -> Value | None:
    c = g.chance
    kind = c.choice(["shuffle", "to_space", "to_depth", "transpose", "tile", "split"])
    n, name = g.nodes, x.name
    if kind == "to_space" and x.channels % 4 == 0:
        made = n.add("DepthToSpace", name, blocksize=2, mode=c.choice(["DCR", "CRD"]))
        return Value(made, x.channels // 4, x.height * 2, x.width * 2, x.exact)
    if kind == "to_depth" and x.height % 2 == x.width % 2 == 0:
        made = n.add("SpaceToDepth", name, blocksize=2)
        return Value(made, x.channels * 4, x.height // 2, x.width // 2, x.exact)
    if kind == "shuffle" and x.channels % 2 == 0:
        split = n.add("Reshape", name, g.whole(1, 2, x.channels // 2, x.height, x.width))
        moved = n.add("Transpose", split, perm=[0, 2, 1, 3, 4])
        return replace(x, name=n.add("Reshape", moved, g.whole(1, *x.shape)))
    if kind == "transpose":
        order = c.choice([(0, 1, 3, 2), (0, 2, 1, 3), (0, 3, 2, 1), (0, 2, 3, 1)])
        sizes = [(1, *x.shape)[at] for at in order]
        return Value(n.add("Transpose", name, perm=order), sizes[1], sizes[2], sizes[3], x.exact)
    if kind == "tile":
        times = c.choice([(1, 2, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2), (1, 2, 2, 1)])
        sizes = [a * b for a, b in zip((1, *x.shape), times, strict=True)]
        made = n.add("Tile", name, g.whole(*times))
        return Value(made, sizes[1], sizes[2], sizes[3], x.exact)
    if kind == "split" and x.channels > 1:
        first = c.randint(1, x.channels - 1)
        parts = n.add("Split", name, g.whole(first, x.channels - first), axis=1, outputs=2)
        return replace(x, name=parts[0], channels=first)
    return None


def _norm(g: Growth, x: Value) -> Value | None:
    c, n, name = g.chance, g.nodes, x.name
    kind = c.choice(["BatchNormalization", "InstanceNormalization", "LRN", "LpNormalization"])
    if kind == "BatchNormalization":
        variance = n.constant((0.2 + n.generator.random(x.channels)).astype(np.float32))
        return g.node(x, kind, name, *(n.random(x.channels) for _ in range(3)), variance)
    if kind == "InstanceNormalization":
        return g.node(
            x, kind, name, n.random(x.channels), n.random(x.channels), epsilon=c.choice([0.1, 0.01])
        )
    if kind == "LRN":
        return g.node(
            x, kind, name, size=c.choice([1, 3, 5]), alpha=0.3, beta=c.choice([0.75, 0.5])
        )
    axis = c.choice([1, -1])
    shifted = n.add("Add", n.add("Abs", name), g.number(0.1))
    return g.node(x, kind, shifted, axis=axis, p=c.choice([1, 2]))


def _softmax(g: Growth, x: Value) -> Value:
    kind = g.chance.choice(["Softmax", "LogSoftmax"])
    return g.node(x, kind, x.name, axis=g.chance.choice([1, 2, 3]))


_REDUCTIONS = (
    *("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL1", "ReduceL2"),
    *("ReduceSumSquare", "ReduceLogSumExp"),
)


def _reduced(g: Growth, x: Value) -> Value:
    """A reduction that keeps its dims, beside what it was made of."""
    c = g.chance
    kind = c.choice(_REDUCTIONS)
    axes = sorted(c.sample([1, 2, 3], c.randint(1, 3)))
    made = g.nodes.add(kind, x.name, g.whole(*axes))
    return g.node(x, "Mul", x.name, g.nodes.add("Tanh", made))


def _sampled(g: Growth, x: Value) -> Value:
    c = g.chance
    height, width = c.randint(1, 9), c.randint(1, 9)
    grid = (g.nodes.generator.random((1, height, width, 2)) * 2.4 - 1.2).astype(np.float32)
    how: dict[str, Any] = {
        "mode": c.choice(["linear", "cubic"]),
        "padding_mode": c.choice(["zeros", "border", "reflection"]),
        "align_corners": c.randint(0, 1),
    }
    made = g.nodes.add("GridSample", x.name, g.nodes.constant(grid), **how)
    return Value(made, x.channels, height, width, exact=False)


def _quantised(g: Growth, x: Value) -> Value | None:
    if not x.exact:
        return None
    scale, zero = g.number(0.25), g.nodes.constant(np.uint8(7))
    whole = g.nodes.add("QuantizeLinear", x.name, scale, zero)
    return g.node(x, "DequantizeLinear", whole, scale, zero, exact=True)


def _scattered(g: Growth, x: Value) -> Value:
    """Some rows of some channels are set to other values."""
    c = g.chance
    count = c.randint(1, 3)
    taken = c.sample(range(x.channels * x.height), min(count, x.channels * x.height))
    places = [(0, *divmod(each, x.height)) for each in taken]
    updates = g.nodes.random(len(places), x.width)
    made = g.nodes.add("ScatterND", x.name, g.nodes.constant(np.array(places)), updates)
    return replace(x, name=made)


KINDS: tuple[Kind, ...] = (
    *(_convolution, _convolution, _convolution, _turned_convolution, _pool, _pool),
    *(_smooth, _smooth, _plain, _jump, _bounded, _clip, _compared, _two, _two),
    *(_constant_operand, _resize, _resize, _pad, _pad, _part, _moved, _norm, _softmax),
    *(_reduced, _sampled, _quantised, _scattered),
)
"""What grows; some comes more often."""
