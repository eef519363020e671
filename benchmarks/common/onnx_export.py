"""Our networks as ONNX files, so that other engines can run the very same weights.

Batch norm is folded already; activations become the nodes that stand for them. The layers that the
yardstick networks have are covered, others are an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ftdist.network.graph import INPUT, Network, is_alias
from ftdist.network.operators.base import Operation, Sliding
from ftdist.network.operators.joining import Add, Concatenate
from ftdist.network.operators.resampling import Reorg, Upsample
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.parameters import Parameters

_ACTIVATIONS = {"leaky": "LeakyRelu", "relu": "Relu", "logistic": "Sigmoid", "mish": "Mish"}


def export(network: Network, parameters: Iterable[Parameters], path: Path) -> None:
    """Writes the network as ONNX (opset 18) with outputs named as ours."""
    nodes: list[NodeProto] = []
    tensors: list[TensorProto] = []
    for each in parameters:
        tensors.append(numpy_helper.from_array(each.weights, f"w{each.layer}"))
        tensors.append(numpy_helper.from_array(each.bias, f"b{each.layer}"))
    for number, layer in enumerate(network.layers):
        if is_alias(layer):
            continue
        names = [_name(each) for each in network.reads(number)]
        if isinstance(layer.operation, Reorg):
            nodes += _reorg(number, network, names[0])
            tensors += _reorg_shapes(number, network)
        elif isinstance(layer.operation, Upsample) and layer.operation.factor == 1:
            nodes.append(_upsample(number, names[0]))
            scales = np.array([1, 1, layer.operation.scale, layer.operation.scale], np.float32)
            tensors.append(numpy_helper.from_array(scales, f"{_name(number)}_scales"))
        else:
            nodes += _nodes(number, layer.operation, names)
    outputs = []
    for number in network.outputs:
        layer = network.layers[number]
        shape = [1, layer.shape.channels, layer.shape.height, layer.shape.width]
        nodes.append(helper.make_node("Identity", [_name(network.source(number))], [layer.name]))
        outputs.append(helper.make_tensor_value_info(layer.name, TensorProto.FLOAT, shape))
    height, width, channels = network.input
    given = helper.make_tensor_value_info(
        _name(INPUT), TensorProto.FLOAT, [1, channels, height, width]
    )
    graph = helper.make_graph(nodes, network.name, [given], outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, path)


def _name(number: int) -> str:
    return "input" if number == INPUT else f"map{number}"


def _nodes(number: int, operation: Operation, inputs: list[str]) -> list[NodeProto]:
    output = _name(number)
    if isinstance(operation, Convolution):
        before = f"{output}_linear"
        attributes: dict[str, Any] = _window(operation.window)
        names = [inputs[0], f"w{number}", f"b{number}"]
        node = helper.make_node("Conv", names, [before], group=operation.groups, **attributes)
        kind, slope = operation.activation.kind, operation.activation.slope
        if kind == "linear":
            return [node, helper.make_node("Identity", [before], [output])]
        extra: dict[str, Any] = {"alpha": slope} if kind == "leaky" else {}
        return [node, helper.make_node(_ACTIVATIONS[kind], [before], [output], **extra)]
    if isinstance(operation, Pool) and operation.mode == "max":
        window: dict[str, Any] = _window(operation.window)
        return [helper.make_node("MaxPool", inputs, [output], **window)]
    if isinstance(operation, Add):
        return [helper.make_node("Add", inputs, [output])]
    if isinstance(operation, Concatenate) and operation.parts == 1:
        return [helper.make_node("Concat", inputs, [output], axis=1)]
    raise ValueError(f"{operation.kind} is not exported")


def _upsample(number: int, source: str) -> NodeProto:
    """Each value so many times in both directions."""
    name = _name(number)
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    inputs = [source, "", f"{name}_scales"]
    return helper.make_node("Resize", inputs, [name], nearest_mode="floor", **how)


def _reorg(number: int, network: Network, source: str) -> list[NodeProto]:
    """Darknet's reorg: the flat map as fewer, larger channels, space to depth, and back."""
    operation = network.layers[number].operation
    assert isinstance(operation, Reorg)
    name, stride = _name(number), operation.stride
    if operation.order == "blocks":
        return [helper.make_node("SpaceToDepth", [source], [name], blocksize=stride)]
    wide, deep = f"{name}_wide", f"{name}_deep"
    return [
        helper.make_node("Reshape", [source, f"{wide}_shape"], [wide]),
        helper.make_node("SpaceToDepth", [wide], [deep], blocksize=stride),
        helper.make_node("Reshape", [deep, f"{deep}_shape"], [name]),
    ]


def _reorg_shapes(number: int, network: Network) -> list[TensorProto]:
    layer, name = network.layers[number], _name(number)
    assert isinstance(layer.operation, Reorg)
    if layer.operation.order == "blocks":
        return []
    height, width, channels = network.shape(network.reads(number)[0])
    stride = layer.operation.stride
    wide = [1, channels // stride**2, height * stride, width * stride]
    made = [1, layer.shape.channels, layer.shape.height, layer.shape.width]
    return [
        numpy_helper.from_array(np.array(wide, np.int64), f"{name}_wide_shape"),
        numpy_helper.from_array(np.array(made, np.int64), f"{name}_deep_shape"),
    ]


def _window(window: Sliding) -> dict[str, list[int]]:
    y, x = window.vertical, window.horizontal
    return {
        "kernel_shape": [y.kernel, x.kernel],
        "strides": [y.stride, x.stride],
        "dilations": [y.dilation, x.dilation],
        "pads": [y.pad_before, x.pad_before, y.pad_after, x.pad_after],
    }
