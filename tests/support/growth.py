"""Networks that grow layer by layer, by hypothesis; ``networks`` has the strategies made of them.

The sizes aim at what is rare in real networks and easy to get wrong: channel counts that fill no
vector, windows that lie in the padding, skips, several outputs at different scales, aliases.
"""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.geometry import Shape, Window
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.heads import RegionHead, YoloHead
from ftdist.network.operators.base import Activation, ActivationKind, Identity, Sliding
from ftdist.network.operators.channels import (
    Activate,
    MaxChannels,
    NormalizeResponses,
    PRelu,
    Softmax,
)
from ftdist.network.operators.joining import Add, Concatenate, Multiply, Sum, WeightedSum, sampling
from ftdist.network.operators.resampling import (
    Crop,
    DepthToSpace,
    Reorg,
    Resize,
    Rounding,
    Transform,
    Upsample,
)
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.windows import Convolution, Local, Pool
from ftdist.network.ports import Input
from support.tensorgrowth import TENSOR_KINDS

MOST_SIDE, MOST_CHANNELS = 36, 40

activations = st.builds(
    Activation, st.sampled_from(get_args(ActivationKind)), st.sampled_from([0.1, 0.25, -0.5])
)


USUAL = (Window(3, 1, 1, 1, 1), Window(1), Window(3, 2, 1, 1, 1), Window(5, 1, 1, 2, 2))


@st.composite
def windows(draw: Any, size: int, *, wholly_in_padding: bool) -> Window:
    """A window that fits `size` positions; some of its places may lie beside the map."""
    if draw(st.booleans()):
        return draw(st.sampled_from([each for each in USUAL if each.output_size(size) > 0]))
    kernel, dilation = draw(st.sampled_from([3, 1, 2, 5])), draw(st.sampled_from([1, 1, 2]))
    most = (kernel - 1) * dilation + wholly_in_padding
    padding = draw(st.integers(0, most)), draw(st.integers(0, most))
    stride = draw(st.sampled_from([1, 1, 2, 3]))
    window = Window(kernel, stride, dilation, *padding)
    return window if window.output_size(size) > 0 else Window(1, stride)


@st.composite
def slidings(draw: Any, shape: Shape, *, wholly_in_padding: bool) -> Sliding:
    vertical = draw(windows(shape.height, wholly_in_padding=wholly_in_padding))
    if draw(st.booleans()) and vertical.output_size(shape.width) > 0:
        return Sliding(vertical, vertical)
    return Sliding(vertical, draw(windows(shape.width, wholly_in_padding=wholly_in_padding)))


turned_windows = st.builds(
    Window,
    kernel=st.sampled_from([2, 4, 3, 1, 5]),
    stride=st.sampled_from([2, 2, 1, 3]),
    dilation=st.sampled_from([1, 1, 1, 2]),
    pad_before=st.integers(0, 3),
    pad_after=st.integers(0, 3),
)


def _sees_nothing(window: Window, size: int) -> bool:
    """Whether all taps of some place of a (dilated) window lie beside the map."""
    starts = (y * window.stride - window.pad_before for y in range(window.output_size(size)))
    taps = range(0, window.extent, window.dilation)
    return any(all(not 0 <= start + tap < size for tap in taps) for start in starts)


def _divisors(count: int) -> list[int]:
    return [each for each in range(1, count + 1) if count % each == 0]


class Growth:
    """A network that grows layer by layer, one method a kind of layer."""

    activations = activations

    def __init__(self, draw: Any, inputs: Shape | list[Input]) -> None:
        self.draw = draw
        self.builder = NetworkBuilder("random", inputs)
        self.first = INPUT if isinstance(inputs, Shape) else -len(inputs)

    def source(self) -> int:
        """Mostly the layer before, else any layer or the input."""
        last = len(self.builder) - 1
        return last if self.draw(st.integers(0, 3)) else self.draw(st.integers(self.first, last))

    def like(self, number: int, channels: bool) -> list[int]:
        """Layers whose map is as large as that of `number`, in all three dimensions or in two."""
        dimensions = 3 if channels else 2
        wanted = self.builder.shape(number)[:dimensions]
        numbers = range(self.first, len(self.builder))
        return [n for n in numbers if self.builder.shape(n)[:dimensions] == wanted]

    def convolution(self) -> None:
        source = self.source()
        shape = self.builder.shape(source)
        groups = self.draw(st.sampled_from([1, 1, *_divisors(shape.channels)]))
        most = max(1, MOST_CHANNELS // groups)
        likely = st.sampled_from([4, 8, 9, 16, 32, 36]).map(lambda count: min(count, most))
        filters = groups * self.draw(st.integers(1, most) | likely)
        sliding = self.draw(slidings(shape, wholly_in_padding=True))
        activation = self.draw(activations)
        self.builder.add(Convolution(filters, sliding, groups, activation), [source])

    def convolution_that_adds(self) -> None:
        """To what it makes a map of that shape, which may be the one that it reads."""
        added = self.source()
        filters = self.builder.shape(added).channels
        source = self.draw(st.sampled_from(self.like(added, channels=False)))
        side = self.draw(st.sampled_from([1, 3]))
        window = Sliding.square(side, padding=side // 2)
        operation = Convolution(filters, window, 1, self.draw(activations))
        self.builder.add(operation, [source, added])

    def depthwise(self) -> None:
        source = self.source()
        shape = self.builder.shape(source)
        sliding = self.draw(slidings(shape, wholly_in_padding=True))
        count = shape.channels
        self.builder.add(Convolution(count, sliding, count, self.draw(activations)), [source])

    def transposed(self) -> None:
        """Also with gaps that no tap reaches, padding beyond the map, and rows behind it."""
        source = self.source()
        groups = self.draw(st.sampled_from(_divisors(self.builder.shape(source).channels)[:3]))
        filters = groups * self.draw(st.integers(1, max(1, 20 // groups)))
        axes = [self.draw(turned_windows) for _ in range(2)]
        more = [self.draw(st.sampled_from([0, 0, 1, 3])) for _ in range(2)]
        operation = TransposedConvolution(
            filters, Sliding(*axes), groups, self.draw(activations), *more
        )
        self.builder.add(operation, [source])

    def pool(self) -> None:
        source = self.source()
        shape = self.builder.shape(source)
        sliding = self.draw(slidings(shape, wholly_in_padding=False))
        if _sees_nothing(sliding.vertical, shape.height):
            return
        if _sees_nothing(sliding.horizontal, shape.width):
            return
        mode = self.draw(st.sampled_from(["max", "average"]))
        self.builder.add(Pool(mode, sliding, self.draw(st.booleans())), [source])

    def darknet_pool(self) -> None:
        """Darknet's pooling of stride 1: one more column and row, below and to the right only."""
        window = Window(2, pad_after=1)
        self.builder.add(Pool("max", Sliding(window, window)), [self.source()])

    def add(self) -> None:
        source = self.source()
        other = self.draw(st.sampled_from(self.like(source, channels=True)))
        self.builder.add(Add(self.draw(activations)), [source, other])

    def concatenate(self) -> None:
        source = self.source()
        others = st.sampled_from(self.like(source, channels=False))
        inputs = [source, *self.draw(st.lists(others, max_size=2))]
        parts = self.draw(st.sampled_from(_divisors(self.builder.shape(source).channels)[:3]))
        part = self.draw(st.integers(0, parts - 1))
        self.builder.add(Concatenate(parts, part), inputs)

    def upsample(self) -> None:
        factor = self.draw(st.sampled_from([1.0, 1.0, 0.5]))
        self.builder.add(Upsample(self.draw(st.integers(2, 3)), factor), [self.source()])

    def sum(self) -> None:
        """Maps of any channels and sizes that Darknet would add."""
        source = self.source()
        shape = self.builder.shape(source)
        numbers = []
        for number in range(self.first, len(self.builder)):
            try:
                sampling(shape, self.builder.shape(number))
            except InputError:
                continue
            numbers.append(number)
        others = self.draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=3))
        factors = [self.draw(st.sampled_from([1.0, 1.0, 0.5])) for _ in range(2)]
        self.builder.add(Sum(self.draw(activations), *factors), [source, *others])

    def weighted_sum(self) -> None:
        source = self.source()
        others = st.sampled_from(self.like(source, channels=False))
        inputs = [source, *self.draw(st.lists(others, min_size=1, max_size=3))]
        self.builder.add(WeightedSum(len(inputs), self.draw(activations)), inputs)

    def multiply(self) -> None:
        """By another map, often one of the sizes that stand for all rows, columns or channels."""
        source = self.source()
        shape = self.builder.shape(source)
        fitting = [
            number
            for number in range(self.first, len(self.builder))
            if all(b in (1, a) for a, b in zip(shape, self.builder.shape(number), strict=True))
        ]
        by = self.draw(st.sampled_from(fitting))
        self.builder.add(Multiply(self.draw(activations)), [source, by])

    def excite(self) -> None:
        """Squeeze and excite: factors for the channels that come from the whole map."""
        source = self.source()
        shape = self.builder.shape(source)
        window = Sliding(Window(shape.height), Window(shape.width))
        mean = self.builder.add(Pool("average", window), [source])
        gate = Convolution(shape.channels, Sliding.square(1), activation=Activation("logistic"))
        by = self.builder.add(gate, [mean])
        self.builder.add(Multiply(self.draw(activations)), [source, by])

    def connected(self) -> None:
        source = self.source()
        height, width, _ = self.builder.shape(source)
        window = Sliding(Window(height), Window(width))
        filters = self.draw(st.integers(1, MOST_CHANNELS))
        self.builder.add(Convolution(filters, window, 1, self.draw(activations)), [source])

    def local(self) -> None:
        source = self.source()
        sliding = self.draw(slidings(self.builder.shape(source), wholly_in_padding=True))
        filters = self.draw(st.integers(1, 20))
        self.builder.add(Local(filters, sliding, self.draw(activations)), [source])

    def softmax(self) -> None:
        source = self.source()
        groups = self.draw(st.sampled_from(_divisors(self.builder.shape(source).channels)[:3]))
        temperature = self.draw(st.sampled_from([1.0, 2.5]))
        operation = Softmax(groups, temperature, self.draw(st.booleans()))
        self.builder.add(operation, [source])

    def normalize(self) -> None:
        size, alpha = self.draw(st.integers(1, 7)), self.draw(st.sampled_from([1e-4, 0.01]))
        alpha = alpha if size > 2 else 1e-4  # Darknet's sums of so few turn negative: no power
        self.builder.add(NormalizeResponses(size, alpha), [self.source()])

    def prelu(self) -> None:
        self.builder.add(PRelu(), [self.source()])

    def max_channels(self) -> None:
        source = self.source()
        most = self.builder.shape(source).channels
        self.builder.add(MaxChannels(self.draw(st.integers(1, most))), [source])

    def crop(self) -> None:
        source = self.source()
        height, width, _ = self.builder.shape(source)
        size = self.draw(st.integers(1, height)), self.draw(st.integers(1, width))
        place = (
            self.draw(st.integers(0, height - size[0])),
            self.draw(st.integers(0, width - size[1])),
        )
        change = self.draw(st.sampled_from([(1.0, 0.0), (2.0, -1.0)]))
        self.builder.add(Crop(*size, *place, *change), [source])

    def reorg(self) -> None:
        source = self.source()
        height, width, channels = self.builder.shape(source)
        strides = [s for s in (2, 3) if height % s == width % s == 0]
        stride = self.draw(st.sampled_from(strides or [2]))
        orders = ["blocks"] if channels % stride**2 else ["darknet", "blocks"]
        self.builder.add(Reorg(stride, self.draw(st.sampled_from(orders))), [source])

    def resize(self) -> None:
        transform = self.draw(st.sampled_from(get_args(Transform)))
        rounding = self.draw(st.sampled_from([*(4 * ["linear"]), *get_args(Rounding)[1:]]))
        size = self.draw(st.integers(1, MOST_SIDE)), self.draw(st.integers(1, MOST_SIDE))
        self.builder.add(Resize(*size, transform, rounding), [self.source()])

    def depth_to_space(self) -> None:
        source = self.source()
        channels = self.builder.shape(source).channels
        strides = [s for s in (2, 3) if channels % s**2 == 0]
        self.builder.add(DepthToSpace(self.draw(st.sampled_from(strides or [1]))), [source])

    def activate(self) -> None:
        self.builder.add(Activate(self.draw(activations)), [self.source()])

    def alias(self) -> None:
        source = self.source()
        classes = self.builder.shape(source).channels - 5
        operations = [Identity(), Concatenate()]
        if classes >= 1:
            anchors = ((1.0, 2.0),)
            operations += [RegionHead(anchors, classes), YoloHead(anchors, (0,), classes)]
        self.builder.add(self.draw(st.sampled_from(operations)), [source])

    def grow(self) -> None:
        """One more layer of any kind; none where the kind does not fit or grows too large."""
        kinds = [
            *(4 * [self.convolution]),
            self.convolution_that_adds,
            self.depthwise,
            *(2 * [self.pool]),
            self.darknet_pool,
        ]
        kinds += [self.add, self.concatenate, self.upsample, *(2 * [self.reorg])]
        kinds += [self.activate, self.alias, self.sum, self.weighted_sum, self.multiply]
        kinds += [self.excite, self.connected, self.local, self.softmax, self.normalize]
        kinds += [self.prelu, self.max_channels, self.crop, self.depth_to_space, self.resize]
        kinds += [self.transposed, *(partial(each, self) for each in TENSOR_KINDS)]
        before, names = list(self.builder._layers), set(self.builder._names)
        try:
            kinds[self.draw(st.integers(0, len(kinds) - 1))]()
        except InputError:
            return
        height, width, channels = self.builder.shape(len(self.builder) - 1)
        if max(height, width) > MOST_SIDE or channels > 2 * MOST_CHANNELS:
            self.builder._layers[:] = before
            self.builder._names = names
