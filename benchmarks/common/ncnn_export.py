"""Our networks in ncnn's own format: a .param text and a .bin of float32 weights.

ncnn's converters are programs of their own that its wheel does not bring; the format is simple
enough to be written: a line a layer with its blobs and numbered parameters, and for each
convolution a flag (0: plain float32), its weights (filters, channels, rows, columns) and its bias.
A blob with several readers needs a Split. The input is called `input`, the outputs as ours.

Numbers of parameters: https://github.com/Tencent/ncnn/wiki/operation-param-weight-table
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ftdist.network.graph import INPUT, Network, is_alias
from ftdist.network.operators.base import Activation, Operation, Sliding
from ftdist.network.operators.joining import Add, Concatenate
from ftdist.network.operators.resampling import Reorg, Upsample
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.parameters import Parameters

_MAGIC = 7767517
_ACTIVATIONS = {"linear": "9=0", "relu": "9=1", "logistic": "9=4", "mish": "9=5"}


def export(network: Network, parameters: Iterable[Parameters], path: Path) -> None:
    """Writes `path` with suffixes .param and .bin."""
    lines = _Lines(network)
    for number, layer in enumerate(network.layers):
        if not is_alias(layer):
            lines.take_in(number)
    for number in network.outputs:
        source = lines.read(network.source(number))
        lines.add("Noop", network.layers[number].name, [source], [network.layers[number].name], "")
    path.with_suffix(".param").write_text(lines.text())
    with path.with_suffix(".bin").open("wb") as file:
        for each in parameters:
            file.write(bytes(4))  # the flag: plain float32
            file.write(each.weights.astype("<f4").tobytes())
            file.write(each.bias.astype("<f4").tobytes())


class _Lines:
    """The lines of a .param file; counts blobs, and splits those with several readers."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._lines: list[str] = []
        self._blobs = 0
        self._readers: dict[int, int] = {}
        for number, layer in enumerate(network.layers):
            for source in () if is_alias(layer) else network.reads(number):
                self._readers[source] = self._readers.get(source, 0) + 1
        for source in map(network.source, network.outputs):
            self._readers[source] = self._readers.get(source, 0) + 1
        self._given: dict[int, int] = {}
        height, width, channels = network.input
        self.add("Input", "input", [], ["input"], f"0={width} 1={height} 2={channels}")
        self._split(INPUT)

    def take_in(self, number: int) -> None:
        """Adds a layer of the network; ValueError for a convolution that adds a map."""
        layer, name = self._network.layers[number], _name(number)
        sources = self._network.reads(number)
        if isinstance(layer.operation, Convolution) and len(sources) > 1:
            raise ValueError(f"layer {number} adds a map to what it makes")
        inputs = [self.read(source) for source in sources]
        if isinstance(layer.operation, Reorg):
            self._add_reorg(number, layer.operation, inputs[0])
        else:
            kind, text = _described(layer.operation, self._network, sources[0])
            self.add(kind, name, inputs, [name], text)
        self._split(number)

    def read(self, source: int) -> str:
        """The blob that the next reader of a source reads."""
        count = self._given[source] = self._given.get(source, -1) + 1
        return f"{_name(source)}_{count}" if self._readers[source] > 1 else _name(source)

    def add(self, kind: str, name: str, inputs: list[str], outputs: list[str], text: str) -> None:
        words = [kind, name, str(len(inputs)), str(len(outputs)), *inputs, *outputs, text]
        self._lines.append(" ".join(words).rstrip())
        self._blobs += len(outputs)

    def text(self) -> str:
        head = [str(_MAGIC), f"{len(self._lines)} {self._blobs}"]
        return "\n".join([*head, *self._lines]) + "\n"

    def _split(self, source: int) -> None:
        count = self._readers.get(source, 0)
        if count > 1:
            name = _name(source)
            outputs = [f"{name}_{each}" for each in range(count)]
            self.add("Split", f"{name}_split", [name], outputs, "")

    def _add_reorg(self, number: int, operation: Reorg, source: str) -> None:
        """Darknet's reorg: the flat map as fewer, larger channels, space to depth, and back."""
        name, stride = _name(number), operation.stride
        if operation.order == "blocks":
            self.add("Reorg", name, [source], [name], f"0={stride} 1=1")
            return
        height, width, channels = self._network.shape(self._network.reads(number)[0])
        made = self._network.shape(number)
        wide = f"0={width * stride} 1={height * stride} 2={channels // stride**2}"
        back = f"0={made.width} 1={made.height} 2={made.channels}"
        self.add("Reshape", f"{name}_wide", [source], [f"{name}_wide"], wide)
        self.add("Reorg", f"{name}_deep", [f"{name}_wide"], [f"{name}_deep"], f"0={stride} 1=1")
        self.add("Reshape", name, [f"{name}_deep"], [name], back)


def _name(number: int) -> str:
    return "input" if number == INPUT else f"map{number}"


def _described(operation: Operation, network: Network, source: int) -> tuple[str, str]:
    """ncnn's type and parameters of a layer."""
    if isinstance(operation, Convolution):
        filters, depth, height, width = operation.weights(network.shape(source))["weights"]
        size = filters * depth * height * width
        text = f"0={filters} {_window(operation.window)} 5=1 6={size}"
        text += f" {_activation(operation.activation)}"
        if operation.groups > 1:
            return "ConvolutionDepthWise", f"{text} 7={operation.groups}"
        return "Convolution", text
    if isinstance(operation, Pool) and operation.mode == "max":
        y, x = operation.window.vertical, operation.window.horizontal
        pads = f"3={x.pad_before} 14={x.pad_after} 13={y.pad_before} 15={y.pad_after}"
        shape = f"1={x.kernel} 11={y.kernel} 2={x.stride} 12={y.stride}"
        return "Pooling", f"0=0 {shape} {pads} 5=1"
    if isinstance(operation, Add) and operation.activation.kind == "linear":
        return "Eltwise", "0=1"
    if isinstance(operation, Concatenate) and operation.parts == 1:
        return "Concat", "0=0"
    if isinstance(operation, Upsample) and operation.factor == 1:
        return "Interp", f"0=1 1={operation.scale}.0 2={operation.scale}.0"
    raise ValueError(f"{operation.kind} is not exported")


def _window(window: Sliding) -> str:
    y, x = window.vertical, window.horizontal
    size = f"1={x.kernel} 11={y.kernel} 2={x.dilation} 12={y.dilation} 3={x.stride} 13={y.stride}"
    return f"{size} 4={x.pad_before} 15={x.pad_after} 14={y.pad_before} 16={y.pad_after}"


def _activation(activation: Activation) -> str:
    if activation.kind == "leaky":
        return f"9=2 -23310=1,{activation.slope!r}"
    if activation.kind not in _ACTIVATIONS:
        raise ValueError(f"{activation.kind} is not exported")
    return _ACTIVATIONS[activation.kind]
