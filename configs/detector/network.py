"""Builds the detector from its Darknet configuration and reads and writes its weights (PyTorch).

detector.cfg is the only description of the network: layers, anchors and classes are read from it.
Just the sections it needs are known here: [net], [convolutional], [maxpool], [region]; anything
else is an error.

The weights file is Darknet's: three int32 (version 0, 2, 0), one int64 (pictures seen), then for
each convolution its biases and, with batch normalisation, scales, rolling means and rolling
variances, and last its kernels (filter, channel, row, column), all float32, little endian.
Darknet's versions disagree on the epsilon of the normalisation; `save_weights` raises small
variances, changing scale alike, until the choice no longer shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scoring import Detection, overlaps
from torch import nn

SMALLEST_VARIANCE = 1.0
EPSILON = 1e-5
LEAK = 0.1
FIRST_OBJECTNESS = -4.0

Sections = list[tuple[str, dict[str, str]]]


@dataclass(frozen=True)
class Region:
    """The region head: anchors in cells, (n, 2) width and height, and the number of classes."""

    anchors: torch.Tensor
    classes: int


def read_sections(path: Path) -> Sections:
    """The sections of a Darknet configuration, in order, with their options as text."""
    sections: Sections = []
    for line in path.read_text().splitlines():
        text = line.split("#")[0].strip()
        if text.startswith("["):
            sections.append((text.strip("[]"), {}))
        elif text:
            key, _, value = text.partition("=")
            sections[-1][1][key.strip()] = value.strip()
    return sections


def convolution(channels: int, options: dict[str, str]) -> list[nn.Module]:
    """A convolution with its normalisation and activation."""
    size, filters = int(options["size"]), int(options["filters"])
    normalised = options.get("batch_normalize") == "1"
    padding = size // 2 if options.get("pad") == "1" else 0
    stride = int(options["stride"])
    layers: list[nn.Module] = [
        nn.Conv2d(channels, filters, size, stride, padding, bias=not normalised)
    ]
    if normalised:
        layers.append(nn.BatchNorm2d(filters, eps=EPSILON))
    if options["activation"] == "leaky":
        layers.append(nn.LeakyReLU(LEAK, inplace=True))
    return layers


def parse_region(options: dict[str, str]) -> Region:
    numbers = [float(number) for number in options["anchors"].split(",")]
    return Region(torch.tensor(numbers).reshape(int(options["num"]), 2), int(options["classes"]))


class Detector(nn.Module):
    """The network of a configuration: (n, 3, h, w) in 0..1 to (n, anchors, h', w', 5 + classes)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, self.stride = 3, 1
        for name, options in read_sections(path):
            if name == "net":
                channels = int(options["channels"])
            elif name == "convolutional":
                layers += convolution(channels, options)
                channels = int(options["filters"])
                self.stride *= int(options["stride"])
            elif name == "maxpool":
                layers.append(nn.MaxPool2d(int(options["size"]), int(options["stride"])))
                self.stride *= int(options["stride"])
            elif name == "region":
                self.region = parse_region(options)
            else:
                raise ValueError(f"{path}: section [{name}] is not supported")
        self.layers = nn.Sequential(*layers)
        self.doubt()

    @torch.no_grad()
    def doubt(self) -> None:
        """Starts with hardly any anchor claiming an object, as is the case in most cells."""
        head = self.layers[-1]
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        head.bias.reshape(len(self.region.anchors), -1)[:, 4] = FIRST_OBJECTNESS

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        raw: torch.Tensor = self.layers(pictures)
        count, _, rows, columns = raw.shape
        split = raw.reshape(count, len(self.region.anchors), -1, rows, columns)
        return split.permute(0, 1, 3, 4, 2)


def decode(raw: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Box centres and sizes in cells, (..., rows, columns, 4), from a head's raw output."""
    rows, columns = raw.shape[2:4]
    grid = torch.stack(
        torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy"), dim=-1
    )
    centre = raw[..., :2].sigmoid() + grid
    extent = raw[..., 2:4].clamp(-6, 6).exp() * anchors[:, None, None]
    return torch.cat([centre, extent], dim=-1)


def suppress(boxes: np.ndarray, scores: np.ndarray, most_overlap: float) -> list[int]:
    """The indices that survive non-maximum suppression, surest first."""
    order = list(np.argsort(-scores, kind="stable"))
    kept = []
    while order:
        first = order.pop(0)
        kept.append(int(first))
        if order:
            shared = overlaps(boxes[first : first + 1], boxes[order])[0]
            order = [
                index for index, share in zip(order, shared, strict=True) if share <= most_overlap
            ]
    return kept


@torch.no_grad()
def detect(
    network: Detector,
    image: np.ndarray,
    names: list[str],
    threshold: float,
    most_overlap: float = 0.45,
) -> list[Detection]:
    """The objects on a picture, uint8 (height, width, 3), that score at least `threshold`."""
    pictures = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    raw = network(pictures)
    boxes = decode(raw, network.region.anchors).reshape(-1, 4).numpy() * network.stride
    scores = (raw[..., 4:5].sigmoid() * raw[..., 5:].softmax(dim=-1)).reshape(-1, len(names))
    edges = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
    detections = []
    for index, name in enumerate(names):
        score = scores[:, index].numpy()
        sure = np.flatnonzero(score >= threshold)
        for kept in sure[suppress(edges[sure], score[sure], most_overlap)]:
            left, top, right, bottom = (float(edge) for edge in edges[kept])
            detections.append(Detection(name, float(score[kept]), left, top, right, bottom))
    return detections


def stored_tensors(network: Detector) -> Iterator[torch.Tensor]:
    """The tensors of a weights file in their order."""
    layers = list(network.layers)
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            following = layers[index + 1] if index + 1 < len(layers) else None
            if isinstance(following, nn.BatchNorm2d):
                yield from (following.bias, following.weight)
                assert following.running_mean is not None
                assert following.running_var is not None
                yield from (following.running_mean, following.running_var)
            else:
                assert layer.bias is not None
                yield layer.bias
            yield layer.weight


@torch.no_grad()
def raise_variances(network: Detector) -> None:
    """Rewrites channels of tiny variance to the same function with a larger one."""
    for layer in network.layers:
        if isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None:
            raised = layer.running_var.clamp(min=SMALLEST_VARIANCE)
            layer.weight.mul_(((raised + EPSILON) / (layer.running_var + EPSILON)).sqrt())
            layer.running_var.copy_(raised)


def save_weights(network: Detector, path: Path, pictures_seen: int) -> None:
    raise_variances(network)
    header = np.array([0, 2, 0], "<i4").tobytes() + np.array([pictures_seen], "<i8").tobytes()
    values = [
        tensor.numpy(force=True).astype("<f4").tobytes("C") for tensor in stored_tensors(network)
    ]
    path.write_bytes(header + b"".join(values))


@torch.no_grad()
def load_weights(network: Detector, path: Path) -> None:
    """Fills the network; ValueError if the file is not of exactly its length."""
    stored = path.read_bytes()[20:]
    values = np.frombuffer(stored[: len(stored) // 4 * 4], "<f4")
    tensors = list(stored_tensors(network))
    expected = sum(tensor.numel() for tensor in tensors)
    if len(stored) != 4 * expected:
        raise ValueError(f"{path}: {len(stored)} bytes of weights, expected {4 * expected}")
    start = 0
    for tensor in tensors:
        part = values[start : start + tensor.numel()].reshape(tensor.shape)
        tensor.copy_(torch.from_numpy(part.copy()))
        start += tensor.numel()
