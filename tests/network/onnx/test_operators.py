"""Each operator as onnxruntime has it, on small graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, assert_agree, imported

Build = Callable[[Nodes, str], str]


def convolution(groups: int = 1, kernel: tuple[int, int] = (3, 3), **attributes: Any) -> Build:
    def build(n: Nodes, x: str) -> str:
        weights = n.random(8, 8 // groups, *kernel)
        return str(n.add("Conv", x, weights, n.random(8), group=groups, **attributes))

    return build


def transposed(kernel: int, filters: int = 5, groups: int = 1, **attributes: Any) -> Build:
    def build(n: Nodes, x: str) -> str:
        weights = n.random(8, filters // groups, kernel, kernel)
        return str(
            n.add("ConvTranspose", x, weights, n.random(filters), group=groups, **attributes)
        )

    return build


def one(kind: str, *constants: Any, **attributes: Any) -> Build:
    def build(n: Nodes, x: str) -> str:
        given = [n.constant(np.array(each)) if each is not None else "" for each in constants]
        return str(n.add(kind, x, *given, **attributes))

    return build


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def batch_norm(n: Nodes, x: str) -> str:
    variance = n.constant(n.generator.random(8).astype(np.float32) + 0.1)
    made = n.add("Conv", x, n.random(8, 8, 1, 1))
    return str(n.add("BatchNormalization", made, n.random(8), n.random(8), n.random(8), variance))


def swish(n: Nodes, x: str) -> str:
    made = n.add("Conv", x, n.random(8, 8, 1, 1))
    return str(n.add("Mul", made, n.add("Sigmoid", made)))


def hard_swish(n: Nodes, x: str) -> str:
    shifted = n.add("Add", x, n.constant(f32(3)))
    clipped = n.add("Clip", shifted, n.constant(np.float32(0)), n.constant(np.float32(6)))
    return str(n.add("Div", n.add("Mul", x, clipped), n.constant(np.float32(6))))


def excited(n: Nodes, x: str) -> str:
    mean = n.add("GlobalAveragePool", x)
    gate = n.add("Sigmoid", n.add("Conv", mean, n.random(8, 8, 1, 1)))
    return str(n.add("Mul", gate, x))


def pixel_shuffle(n: Nodes, x: str) -> str:
    made = n.add("Conv", x, n.random(12, 8, 1, 1))
    split = n.add("Reshape", made, n.constant(np.array([1, 3, 2, 2, 6, 8])))
    moved = n.add("Transpose", split, perm=[0, 1, 4, 2, 5, 3])
    return str(n.add("Reshape", moved, n.constant(np.array([1, 3, 12, 16]))))


def channel_shuffle(n: Nodes, x: str) -> str:
    split = n.add("Reshape", x, n.constant(np.array([0, 2, 4, 6, 8])))
    moved = n.add("Transpose", split, perm=[0, 2, 1, 3, 4])
    joined = n.add("Reshape", moved, n.constant(np.array([0, -1, 6, 8])))
    return str(n.add("Conv", joined, n.random(4, 8, 3, 3)))


def island(n: Nodes, x: str) -> str:
    """NHWC between transposes: nothing of it is left."""
    last = n.add("Transpose", x, perm=[0, 2, 3, 1])
    added = n.add("Mul", n.add("Add", last, n.random(8)), n.random(1, 1, 1, 8))
    joined = n.add("Concat", n.add("Relu", added), last, axis=3)
    return str(n.add("Transpose", joined, perm=[0, 3, 1, 2]))


def focus(n: Nodes, x: str) -> str:
    parts = []
    for top in (0, 1):
        for left in (0, 1):
            starts, ends = n.constant(np.array([top, left])), n.constant(np.array([99, 99]))
            axes, steps = n.constant(np.array([2, 3])), n.constant(np.array([2, 2]))
            parts.append(n.add("Slice", x, starts, ends, axes, steps))
    return str(n.add("Concat", *parts, axis=1))


def split(n: Nodes, x: str) -> str:
    a, b, c = n.add("Split", x, n.constant(np.array([2, 5, 1])), axis=1, outputs=3)
    return str(n.add("Concat", c, a, b, a, axis=1))


def padded_channels(n: Nodes, x: str) -> str:
    zeros = n.add("ConstantOfShape", n.constant(np.array([1, 4, 6, 8])))
    return str(n.add("Concat", x, zeros, axis=1))


def shaped_by_arithmetic(n: Nodes, x: str) -> str:
    """A flat list by what the shape of a map says, as exporters write it."""
    shape = n.add("Shape", x)
    batch = n.add("Gather", shape, n.constant(np.array(0)), axis=0)
    first = n.add("Unsqueeze", batch, n.constant(np.array([0])))
    wanted = n.add("Concat", first, n.constant(np.array([-1])), axis=0)
    flat = n.add("Reshape", x, wanted)
    return str(n.add("Gemm", flat, n.random(8 * 6 * 8, 5), n.random(5)))


def last_flattened(n: Nodes, x: str) -> str:
    """A list in TensorFlow's order times a matrix."""
    flat = n.add("Flatten", n.add("Transpose", x, perm=[0, 2, 3, 1]))
    return str(n.add("Softmax", n.add("MatMul", flat, n.random(8 * 6 * 8, 5)), axis=1))


def head(n: Nodes, x: str) -> str:
    """What SSD heads end with."""
    last = n.add("Transpose", x, perm=[0, 2, 3, 1])
    return str(n.add("Reshape", last, n.constant(np.array([1, -1, 4]))))


def heads(n: Nodes, x: str) -> str:
    """Boxes of two scales in one list, and a softmax of each."""
    small = n.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    lists = [
        n.add("Reshape", n.add("Transpose", m, perm=[0, 2, 3, 1]), n.constant(np.array([1, -1, 2])))
        for m in (x, small)
    ]
    return str(n.add("Softmax", n.add("Concat", *lists, axis=1), axis=2))


def scrambled(n: Nodes, x: str) -> str:
    """Rows become channels, and nothing fits any more."""
    moved = n.add("Transpose", x, perm=[0, 2, 1, 3])
    made = n.add("Conv", moved, n.random(4, 6, 3, 3))
    flat = n.add("Reshape", made, n.constant(np.array([1, 9, -1])))
    return str(n.add("MatMul", n.add("Transpose", flat, perm=[0, 2, 1]), n.random(9, 5)))


def uneven(n: Nodes, x: str) -> str:
    flat = n.add("Reshape", x, n.constant(np.array([1, 12, 2, 16])))
    return str(
        n.add("Add", flat, n.add("Reshape", n.add("Relu", x), n.constant(np.array([12, 2, 16]))))
    )


CASES: dict[str, Build] = {
    "heads": heads,
    "divided": lambda n, x: n.add("Div", x, n.add("Add", x, n.constant(f32(1)))),
    "divided by channels": lambda n, x: n.add("Div", n.add("GlobalMaxPool", x), x),
    "constant divided": lambda n, x: n.add(
        "Div", n.random(8, 1, 1), n.add("Add", x, n.constant(f32(1)))
    ),
    "largest of three": lambda n, x: n.add("Max", x, n.add("Neg", x), n.constant(f32(0.3))),
    "least": lambda n, x: n.add("Min", x, n.random(8, 1, 1)),
    "power": lambda n, x: n.add("Pow", x, n.constant(f32(2.5))),
    "square": lambda n, x: n.add("Pow", x, n.constant(f32(2))),
    "constant of positions": lambda n, x: n.add(
        "Mul", n.add("Add", x, n.random(6, 1)), n.random(8)
    ),
    "wider constant": lambda n, x: n.add("Add", n.add("GlobalMaxPool", x), n.random(1, 8, 3, 2)),
    "sum of unlike maps": lambda n, x: n.add("Add", n.add("GlobalMaxPool", x), x),
    "difference of unlike maps": lambda n, x: n.add("Sub", x, n.add("GlobalMaxPool", x)),
    "product of unlike maps": lambda n, x: n.add(
        "Mul", n.add("ReduceMean", x, axes=[2]), n.add("ReduceMean", x, axes=[3])
    ),
    "expanded": lambda n, x: n.add(
        "Expand", n.add("GlobalMaxPool", x), n.constant(np.array([1, 8, 3, 2]))
    ),
    "sum of rows": lambda n, x: n.add("ReduceSum", x, n.constant(np.array([2]))),
    "least of all": one("ReduceMin", axes=[1, 2, 3], keepdims=0),
    "mean of groups": lambda n, x: n.add(
        "ReduceMean", n.add("Reshape", x, n.constant(np.array([1, 2, 4, 6, 8]))), axes=[2, 3, 4]
    ),
    "scrambled": scrambled,
    "uneven reshape": uneven,
    "joined rows": lambda n, x: n.add("Concat", x, n.add("Relu", x), axis=2),
    "turned round": one("Slice", np.array([-1]), np.array([-99]), np.array([3]), np.array([-1])),
    "softmax of columns": one("Softmax", axis=3),
    "mean of columns": one("ReduceMean", axes=[3]),
    "mean of channels": one("ReduceMean", axes=[1], keepdims=0),
    "mean of all": one("ReduceMean", axes=[1, 2, 3]),
    "conv": convolution(),
    "conv groups, stride, uneven pads": convolution(2, strides=[2, 1], pads=[1, 0, 2, 3]),
    "conv depthwise, dilated": convolution(8, dilations=[1, 2], pads=[1, 2, 1, 2]),
    "conv 1x5": convolution(kernel=(1, 5)),
    "conv same upper": convolution(kernel=(2, 4), auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv same lower": convolution(kernel=(2, 4), auto_pad="SAME_LOWER", strides=[1, 2]),
    "transposed 2/2": transposed(2, strides=[2, 2]),
    "transposed 3/2, output padding": transposed(
        3, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    "transposed 4/2": transposed(4, strides=[2, 2], pads=[1, 1, 1, 1]),
    "transposed 5/3, uneven": transposed(5, strides=[3, 3], pads=[2, 0, 1, 1]),
    "transposed 3/1": transposed(3, strides=[1, 1], pads=[1, 1, 1, 1]),
    "transposed 2/3, wider than its kernel": transposed(2, strides=[3, 3]),
    "transposed depthwise": transposed(4, 8, 8, strides=[2, 2], pads=[1, 1, 1, 1]),
    "transposed output shape": transposed(3, strides=[2, 2], output_shape=[12, 16]),
    "batch norm": batch_norm,
    "swish": swish,
    "hard swish": hard_swish,
    "squeeze and excite": excited,
    "pixel shuffle": pixel_shuffle,
    "depth to space dcr": one("DepthToSpace", blocksize=2),
    "depth to space crd": one("DepthToSpace", blocksize=2, mode="CRD"),
    "space to depth": one("SpaceToDepth", blocksize=2),
    "channel shuffle": channel_shuffle,
    "island": island,
    "focus": focus,
    "split": split,
    "padded channels": padded_channels,
    "shape arithmetic": shaped_by_arithmetic,
    "list in another order": last_flattened,
    "head": head,
    "clip": one("Clip", np.float32(0.2), np.float32(0.7)),
    "clip below": one("Clip", np.float32(0.2)),
    "clip above": one("Clip", None, np.float32(0.7)),
    "leaky": one("LeakyRelu", alpha=0.2),
    "prelu": one("PRelu", np.linspace(-1, 1, 8, dtype=np.float32).reshape(8, 1, 1)),
    "hard sigmoid": one("HardSigmoid", alpha=0.3, beta=0.1),
    "abs": one("Abs"),
    "neg": one("Neg"),
    "sub from": lambda n, x: n.add("Sub", n.constant(f32(1)), x),
    "sub": lambda n, x: n.add("Sub", x, n.add("Relu", n.add("Neg", x))),
    "div": one("Div", f32(3)),
    "max pool": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0]),
    "max pool ceil": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "max pool ceil past the end": one(
        "MaxPool", kernel_shape=[1, 2], strides=[4, 3], pads=[0, 1, 0, 1], ceil_mode=1
    ),
    "average pool": one("AveragePool", kernel_shape=[3, 3], strides=[1, 2], pads=[1, 1, 1, 1]),
    "average pool with padding": one(
        "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "average pool ceil": one("AveragePool", kernel_shape=[4, 3], strides=[3, 3], ceil_mode=1),
    "global max": one("GlobalMaxPool"),
    "mean": one("ReduceMean", axes=[2, 3], keepdims=0),
    "pad": one("Pad", np.array([0, 0, 1, 2, 0, 0, 3, 0])),
    "pad by less than nothing": one("Pad", np.array([0, 0, -1, 0, 0, -2, 0, 1])),
    "nearest": one("Resize", None, f32(1, 1, 3, 3), mode="nearest"),
    "nearest asymmetric": one(
        *("Resize", None, f32(1, 1, 2, 2)),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    **{
        f"linear {transform}": one(
            *("Resize", None, f32(1, 1, 2, 1.5)),
            mode="linear",
            coordinate_transformation_mode=transform,
        )
        for transform in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
    },
    **{
        f"nearest {rounding}": one(
            *("Resize", None, f32(1, 1, 1.5, 0.75)), mode="nearest", nearest_mode=rounding
        )
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    },
    "linear by sizes": one("Resize", None, None, np.array([1, 8, 5, 21]), mode="linear"),
    "linear of uneven scale": one("Resize", None, f32(1, 1, 1.4, 1), mode="linear"),
    "nearest by sizes": one("Resize", None, None, np.array([1, 8, 12, 16]), mode="nearest"),
    "crop": one("Slice", np.array([1, -5]), np.array([-1, 7]), np.array([2, 3])),
    "gather": one("Gather", np.array([3, 5, 7]), axis=1),
    "squeezed": lambda n, x: n.add(
        "Squeeze", n.add("Unsqueeze", x, n.constant(np.array([1]))), n.constant(np.array([1]))
    ),
    "mean beside": lambda n, x: n.add(
        "Concat", n.add("GlobalAveragePool", x), n.add("GlobalMaxPool", x), axis=1
    ),
    "softmax of channels": one("Softmax", axis=1),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_as_onnxruntime_has_it(name: str, tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(CASES[name](nodes, nodes.input(1, 8, 6, 8)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
def test_opsets_agree(opset: int, tmp_path: Path) -> None:
    nodes = Nodes(opset=opset)
    x = nodes.input("batch", 4, 6, 8)
    made = nodes.add("Conv", x, nodes.random(4, 4, 3, 3), pads=[1, 1, 1, 1])
    if opset < 11:
        made = nodes.add("Clip", made, min=0.0, max=0.5)
    else:
        bounds = nodes.constant(np.float32(0)), nodes.constant(np.float32(0.5))
        made = nodes.add("Clip", made, *bounds)
    if opset < 9:
        made = nodes.add("Upsample", made, scales=[1.0, 1.0, 2.0, 2.0])
    elif opset < 10:
        made = nodes.add("Upsample", made, nodes.constant(f32(1, 1, 2, 2)))
    else:
        scales = nodes.constant(f32(1, 1, 2, 2))
        region = [] if opset < 11 else [nodes.constant(f32()) if opset < 13 else ""]
        made = nodes.add("Resize", made, *region, scales)
    nodes.output(nodes.add("Softmax", made, axis=1 if opset > 12 else 3))
    if opset < 13:
        nodes.nodes[-1].attribute[0].i = 1
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
