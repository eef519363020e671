"""Networks of others as ONNX files with random weights, by their published shapes: ResNet-50,
MobileNetV2, YOLOv8n without its last decoding, a U-Net, and ESPCN for a picture of 1080 lines.

Batch norm is folded, as exporters leave it. Weights are He-scaled normal ones, always the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

INPUT = "input"


class _Graph:
    """An ONNX graph that grows; maps are named by the node that makes them."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.shape = [1, channels, height, width]
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []
        self.channels = {INPUT: channels}
        self._generator = np.random.default_rng(1)

    def add(self, kind: str, inputs: list[str], channels: int, **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        self.channels[name] = channels
        return name

    def constant(self, values: object, kind: type = np.float32) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.array(values, kind), name))
        return name

    def conv(
        self,
        source: str,
        filters: int,
        size: int = 3,
        stride: int = 1,
        groups: int = 1,
        activation: str = "Relu",
    ) -> str:
        depth = self.channels[source] // groups
        deviation = math.sqrt(2 / (depth * size * size))
        weights = self._generator.standard_normal((filters, depth, size, size), np.float32)
        names = [self.constant(weights * deviation), self.constant(np.zeros(filters))]
        window = {"kernel_shape": [size, size], "strides": [stride, stride]}
        pads = [size // 2] * 4
        made = self.add("Conv", [source, *names], filters, pads=pads, group=groups, **window)
        if activation == "Silu":
            gate = self.add("Sigmoid", [made], filters)
            return self.add("Mul", [made, gate], filters)
        if activation == "Clip":
            return self.add("Clip", [made, self.constant(0.0), self.constant(6.0)], filters)
        return self.add(activation, [made], filters) if activation else made

    def join(self, sources: list[str]) -> str:
        return self.add("Concat", sources, sum(self.channels[each] for each in sources), axis=1)

    def sum(self, a: str, b: str) -> str:
        return self.add("Add", [a, b], self.channels[a])

    def pool(self, source: str, size: int = 2, stride: int = 2, pad: int = 0) -> str:
        window = {"kernel_shape": [size, size], "strides": [stride, stride], "pads": [pad] * 4}
        return self.add("MaxPool", [source], self.channels[source], **window)

    def twice(self, source: str) -> str:
        scales = self.constant([1.0, 1.0, 2.0, 2.0])
        modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
        inputs = [source, "", scales]
        return self.add("Resize", inputs, self.channels[source], nearest_mode="floor", **modes)

    def classes(self, source: str, count: int) -> str:
        mean = self.add("GlobalAveragePool", [source], self.channels[source])
        flat = self.add("Flatten", [mean], self.channels[source])
        weights = self._generator.standard_normal((count, self.channels[source]), np.float32)
        scaled = self.constant(weights / math.sqrt(self.channels[source]))
        return self.add("Gemm", [flat, scaled, self.constant(np.zeros(count))], count, transB=1)

    def write(self, path: Path, outputs: list[str]) -> None:
        given = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, self.shape)
        made = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in outputs]
        graph = helper.make_graph(self.nodes, path.stem, [given], made, self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.save(onnx.shape_inference.infer_shapes(model), path)


def _resnet50(path: Path) -> None:
    graph = _Graph(3, 224, 224)
    last = graph.pool(graph.conv(INPUT, 64, 7, 2), 3, 2, 1)
    for number, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            stride = 2 if number and not block else 1
            inner = graph.conv(graph.conv(last, width, 1), width, 3, stride)
            # smaller, so that what skips add up stays in range
            made = graph.conv(inner, 4 * width, 1, activation="")
            beside = last if block else graph.conv(last, 4 * width, 1, stride, activation="")
            last = graph.add("Relu", [graph.sum(made, beside)], 4 * width)
    graph.write(path, [graph.classes(last, 1000)])


def _mobilenetv2(path: Path) -> None:
    graph = _Graph(3, 224, 224)
    last = graph.conv(INPUT, 32, 3, 2, activation="Clip")
    settings = (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    )
    for expansion, filters, count, stride in settings:
        for block in range(count):
            width, before = graph.channels[last] * expansion, last
            inner = graph.conv(last, width, 1, activation="Clip") if expansion > 1 else last
            step = 1 if block else stride
            inner = graph.conv(inner, width, 3, step, groups=width, activation="Clip")
            last = graph.conv(inner, filters, 1, activation="")
            if block:
                last = graph.sum(last, before)
    graph.write(path, [graph.classes(graph.conv(last, 1280, 1, activation="Clip"), 1000)])


def _yolov8n(path: Path) -> None:
    graph = _Graph(3, 640, 640)

    def conv(source: str, filters: int, size: int = 3, stride: int = 1) -> str:
        return graph.conv(source, filters, size, stride, activation="Silu")

    def split(source: str, filters: int, blocks: int, *, adds: bool) -> str:
        """C2f: halves by a convolution each, the second through bottlenecks, all joined."""
        parts = [conv(source, filters // 2, 1), conv(source, filters // 2, 1)]
        for _ in range(blocks):
            made = conv(conv(parts[-1], filters // 2), filters // 2)
            parts.append(graph.sum(made, parts[-1]) if adds else made)
        return conv(graph.join(parts), filters, 1)

    last, kept = conv(conv(INPUT, 16, 3, 2), 32, 3, 2), []
    for filters, blocks, down in ((32, 1, False), (64, 2, True), (128, 2, True), (256, 1, True)):
        last = split(conv(last, filters, 3, 2) if down else last, filters, blocks, adds=True)
        kept.append(last)
    pooled = [conv(last, 128, 1)]
    for _ in range(3):
        pooled.append(graph.pool(pooled[-1], 5, 1, 2))
    deep = conv(graph.join(pooled), 256, 1)
    middle = split(graph.join([graph.twice(deep), kept[2]]), 128, 1, adds=False)
    fine = split(graph.join([graph.twice(middle), kept[1]]), 64, 1, adds=False)
    coarse = split(graph.join([conv(fine, 64, 3, 2), middle]), 128, 1, adds=False)
    coarsest = split(graph.join([conv(coarse, 128, 3, 2), deep]), 256, 1, adds=False)
    outputs = []
    for each in (fine, coarse, coarsest):
        boxes = graph.conv(conv(conv(each, 64), 64), 64, 1, activation="")
        scores = graph.conv(conv(conv(each, 80), 80), 80, 1, activation="")
        outputs.append(graph.join([boxes, scores]))
    graph.write(path, outputs)


def _unet(path: Path) -> None:
    graph = _Graph(3, 512, 512)
    last, kept = INPUT, []
    for filters in (32, 64, 128, 256):
        last = graph.conv(graph.conv(last, filters), filters)
        kept.append(last)
        last = graph.pool(last)
    last = graph.conv(graph.conv(last, 512), 512)
    for filters, beside in zip((256, 128, 64, 32), reversed(kept), strict=True):
        up = graph.conv(graph.twice(last), filters)
        last = graph.conv(graph.conv(graph.join([up, beside]), filters), filters)
    graph.write(path, [graph.conv(last, 2, 1, activation="")])


def _espcn(path: Path) -> None:
    graph = _Graph(1, 360, 640)
    last = graph.conv(graph.conv(graph.conv(INPUT, 64, 5), 64), 32)
    last = graph.conv(last, 9, activation="")
    graph.write(path, [graph.add("DepthToSpace", [last], 1, blocksize=3, mode="CRD")])


NETWORKS: Mapping[str, Callable[[Path], None]] = {
    "resnet50": _resnet50,
    "mobilenetv2": _mobilenetv2,
    "yolov8n": _yolov8n,
    "unet": _unet,
    "espcn": _espcn,
}
"""What writes each of them to a file; ESPCN makes 1080 lines of 360."""
