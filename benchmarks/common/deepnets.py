"""Deep networks for Darknet, written layer by layer: a plain chain, DenseNet-201, YOLOv3 and
YOLOv4 as detectors. Only their shapes are of interest; their weights are random."""

from __future__ import annotations

_ANCHORS = "12,16, 19,36, 40,28, 36,75, 76,55, 72,146, 142,110, 192,243, 459,401"


class _Text:
    """A .cfg that grows; `layers` counts its layers."""

    def __init__(self, size: int, activation: str) -> None:
        self._parts = [f"[net]\nwidth={size}\nheight={size}\nchannels=3\n"]
        self._activation = activation
        self.layers = 0

    def add(self, section: str, **keys: object) -> int:
        """A section; returns the number of its layer."""
        lines = [f"[{section}]", *(f"{key.rstrip('_')}={value}" for key, value in keys.items())]
        self._parts.append("\n".join(lines) + "\n")
        self.layers += 1
        return self.layers - 1

    def conv(self, filters: int, size: int, stride: int = 1, activation: str = "") -> int:
        keys = {"batch_normalize": 1, "filters": filters, "size": size, "stride": stride, "pad": 1}
        return self.add("convolutional", **keys, activation=activation or self._activation)

    def route(self, *layers: int) -> int:
        return self.add("route", layers=",".join(map(str, layers)))

    def head(self, classes: int, mask: str) -> None:
        """The last convolution of a scale, and what reads boxes from it."""
        filters = 3 * (classes + 5)
        self.add("convolutional", size=1, stride=1, pad=1, filters=filters, activation="linear")
        self.add("yolo", mask=mask, anchors=_ANCHORS, classes=classes, num=9)

    def __str__(self) -> str:
        return "\n".join(self._parts)


def chain(length: int = 300) -> str:
    """So many small convolutions, one after another."""
    text = _Text(64, "leaky")
    for _ in range(length):
        text.add("convolutional", filters=8, size=3, stride=1, pad=1, activation="leaky")
    text.head(2, "0,1,2")
    return str(text)


def densenet201(size: int = 416) -> str:
    """DenseNet-201 before a head of YOLO: 98 pairs of convolutions, each of which reads all before.

    Huang et al., "Densely Connected Convolutional Networks" (2017), table 1.
    """
    text = _Text(size, "leaky")
    text.conv(64, 7, 2)
    text.add("maxpool", size=2, stride=2)
    channels = 64
    for block, pairs in enumerate((6, 12, 48, 32)):
        for _ in range(pairs):
            text.conv(128, 1)
            text.conv(32, 3)
            text.route(-1, -3)
            channels += 32
        if block < 3:
            channels //= 2
            text.conv(channels, 1)
            text.add("maxpool", size=2, stride=2)
    text.conv(1024, 3)
    text.head(80, "0,1,2")
    return str(text)


def yolov4(size: int = 608) -> str:
    """CSPDarknet53 with spatial pyramid pooling, a path aggregation network and three heads.

    Bochkovskiy, Wang and Liao, "YOLOv4" (2020).
    """
    text = _Text(size, "mish")
    text.conv(32, 3)
    ends = [_stage(text, width, count) for width, count in _STAGES]
    text = _leaky(text)
    _three(text, 512, 1024)
    pools = [text.layers - 1]
    for kernel, back in ((5, 1), (9, 3), (13, 5)):
        if back > 1:
            text.route(pools[0])
        pools.append(text.add("maxpool", stride=1, size=kernel))
    text.route(*reversed(pools))
    top = _three(text, 512, 1024)
    middle = _up(text, 256, ends[3], 512)
    bottom = _up(text, 128, ends[2], 256)
    text.conv(256, 3)
    text.head(80, "0,1,2")
    text.route(bottom)
    middle = _down(text, 256, middle)
    text.conv(512, 3)
    text.head(80, "3,4,5")
    text.route(middle)
    _down(text, 512, top)
    text.conv(1024, 3)
    text.head(80, "6,7,8")
    return str(text)


_STAGES = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))


def yolov3(size: int = 416) -> str:
    """YOLOv3: Darknet-53 and three scales.

    Redmon and Farhadi, "YOLOv3: An Incremental Improvement" (2018), table 1.
    """
    text = _Text(size, "leaky")
    text.conv(32, 3)
    kept = []
    for width, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        text.conv(width, 3, 2)
        for _ in range(blocks):
            text.conv(width // 2, 1)
            text.conv(width, 3)
            last = text.add("shortcut", from_=-3, activation="linear")
        kept.append(last)
    for width, beside, mask in (
        (512, None, "6,7,8"),
        (256, kept[3], "3,4,5"),
        (128, kept[2], "0,1,2"),
    ):
        if beside is not None:
            text.route(-4)
            text.conv(width, 1)
            text.add("upsample", stride=2)
            text.route(-1, beside)
        for _ in range(3):
            text.conv(width, 1)
            text.conv(2 * width, 3)
        text.head(80, mask)
    return str(text)


def _leaky(text: _Text) -> _Text:
    text._activation = "leaky"
    return text


def _stage(text: _Text, width: int, count: int) -> int:
    """A cross-stage partial stage at half the size; the number of its last layer."""
    half = width if count == 1 else width // 2
    start = text.conv(width, 3, 2)
    side = text.conv(half, 1)
    text.route(start)
    text.conv(half, 1)
    for _ in range(count):
        text.conv(width // 2, 1)
        text.conv(half, 3)
        text.add("shortcut", from_=-3, activation="linear")
    last = text.conv(half, 1)
    text.route(last, side)
    return text.conv(width, 1)


def _three(text: _Text, narrow: int, wide: int) -> int:
    text.conv(narrow, 1)
    text.conv(wide, 3)
    return text.conv(narrow, 1)


def _up(text: _Text, width: int, beside: int, wide: int) -> int:
    """Joins a map at twice the size; the number of the last layer."""
    text.conv(width, 1)
    above = text.add("upsample", stride=2)
    text.route(beside)
    side = text.conv(width, 1)
    text.route(side, above)
    _three(text, width, wide)
    text.conv(wide, 3)
    return text.conv(width, 1)


def _down(text: _Text, width: int, beside: int) -> int:
    """Joins a map at half the size; the number of the last layer."""
    below = text.conv(width, 3, 2)
    text.route(below, beside)
    _three(text, width, 2 * width)
    text.conv(2 * width, 3)
    return text.conv(width, 1)
