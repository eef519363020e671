"""A network as `ftdist show` lists it: what each layer does, and in which step of the plan.

Layers follow one another as they are computed, so a step is a run of neighbouring lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.network.graph import Layer, Network
from ftdist.network.operators.windows import Convolution
from ftdist.planning.fused_pools import fused_pools
from ftdist.planning.plan import Plan
from ftdist.planning.steps import GroupPlan
from ftdist.planning.weights import layer_weights
from ftdist.wording import counted

_LONGEST_NAME, _LONGEST_WHAT = 36, 34
_HIDDEN_ACTIVATIONS = ("linear",)
_CALLED = {
    "convolutional": "convolution",
    "transposed_convolution": "transposed convolution",
    "region": "region head",
    "yolo": "yolo head",
    "gaussian_yolo": "gaussian yolo head",
    "detection": "grid head",
}


@dataclass(frozen=True, slots=True)
class ListedLayer:
    """A layer in words: `work` in floating-point operations, `weights` in bytes."""

    number: int
    name: str
    what: str
    reads: tuple[int, ...]
    shape: str
    work: int
    weights: int
    is_output: bool


@dataclass(frozen=True, slots=True)
class ListedStep:
    """A step of a plan with its layers; `told` says in a few words how it is computed."""

    number: int
    kind: str
    told: str
    layers: tuple[ListedLayer, ...]


def listed(network: Network, plan: Plan) -> tuple[ListedStep, ...]:
    """The steps of a plan, with all layers of the network."""
    network = plan.applied_to(network)
    weights = layer_weights(network)
    fused = {pool: into for into, pool in fused_pools(network).items()}
    found = []
    for number, group in enumerate(plan.groups, 1):
        layers = tuple(
            _layer(network, each, weights[each].whole if each in weights else 0, fused)
            for each in range(group.first, group.stop)
        )
        kind = "whole" if group.whole else "fused"
        found.append(ListedStep(number, kind, _told(group, layers), layers))
    return tuple(found)


def listing_lines(steps: tuple[ListedStep, ...]) -> list[str]:
    """The table: a line a step, and below it one a layer."""
    layers = [each for step in steps for each in step.layers]
    wide = max(map(len, (each.name for each in layers)), default=4)
    what = max(map(len, (each.what for each in layers)), default=4)
    shape = max(map(len, (each.shape for each in layers)), default=5)
    lines = []
    for step in steps:
        lines.append(f"step {step.number}: {step.told}")
        before = step.layers[0].number - 1
        for each in step.layers:
            reads = () if each.reads == (before,) else each.reads
            before = each.number
            told = f"from {', '.join(map(source_name, reads))}" if reads else ""
            marks = ["output"] if each.is_output else []
            columns = (
                f"{each.number:5}  {each.name:{wide}}  {each.what:{what}}  {each.shape:>{shape}}"
                f"  {work_told(each.work):>11}  {weights_told(each.weights):>9}"
            )
            lines.append("  ".join((columns, *filter(None, (told, *marks)))).rstrip())
    return lines


def source_name(number: int) -> str:
    """A layer by its number; inputs have none."""
    return str(number) if number >= 0 else "input" if number == -1 else f"input {-number}"


def work_told(operations: int) -> str:
    """Floating-point operations of a frame."""
    if not operations:
        return "-"
    if operations < 50_000:
        return f"{operations / 1e3:.1f} kFLOP"
    if operations < 50_000_000:
        return f"{operations / 1e6:.1f} MFLOP"
    return f"{operations / 1e9:.2f} GFLOP"


def weights_told(size: int) -> str:
    if not size:
        return "-"
    return f"{size / 1024:.1f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MiB"


def _layer(network: Network, number: int, weights: int, fused: dict[int, int]) -> ListedLayer:
    layer = network.layers[number]
    height, width, _ = layer.shape
    work = 2 * network.macs(number) * height * width
    what = _what(layer, network)
    if number in fused:
        what = f"{what}, in the kernel of {fused[number]}"
    name = "".join(c if c.isprintable() else "?" for c in layer.name)
    return ListedLayer(
        *(number, shortened(name, _LONGEST_NAME), what, layer.inputs, str(layer.shape)),
        *(work, weights, number in network.outputs),
    )


def shortened(text: str, most: int) -> str:
    """The end of a long name, which is what tells it from others."""
    return text if len(text) <= most else f"..{text[2 - most :]}"


def _what(layer: Layer, network: Network) -> str:
    """What a layer does: its kind, window, stride, and activation."""
    operation = layer.operation
    kind = str(operation.kind)
    words = _CALLED.get(kind, kind.replace("_", " "))
    if kind in ("function", "pair", "reduce"):
        words = str(getattr(operation, "how", words)).replace("_", " ")
    mode = getattr(operation, "mode", None)
    if kind == "pool":
        words = f"{mode} pool"
    source = network.shape(layer.inputs[0])
    if isinstance(operation, Convolution):
        if operation.is_depthwise(source):
            words = "depthwise"
        elif operation.groups > 1:
            words = f"{words} in {operation.groups} groups"
    window = getattr(operation, "window", None)
    if window is not None and hasattr(window, "vertical"):
        down, across = window.vertical, window.horizontal
        words += f" {down.kernel}x{across.kernel}"
        if getattr(down, "stride", 1) != 1 or getattr(across, "stride", 1) != 1:
            words += f"/{down.stride}"
            words += "" if down.stride == across.stride else f"x{across.stride}"
        if getattr(down, "dilation", 1) != 1:
            words += f" dilated {down.dilation}"
    activation = getattr(operation, "activation", None)
    applied = str(getattr(activation, "kind", "linear"))
    if applied not in _HIDDEN_ACTIVATIONS:
        words = applied if kind == "activate" else f"{words}, {applied}"
    return words[:_LONGEST_WHAT]


def _told(group: GroupPlan, layers: tuple[ListedLayer, ...]) -> str:
    """How a step is computed: what it is, its tiles and strips, and its weights."""
    first, last = layers[0].number, layers[-1].number
    span = f"layer {first}" if first == last else f"layers {first}..{last}"
    if group.whole:
        told = [f"{span} on whole maps"]
    else:
        told = [f"{span} fused" if first != last else span]
        tiles = group.rows * group.columns
        told.append("1 tile" if tiles == 1 else f"{group.rows}x{group.columns} tiles")
        if group.slices > 1:
            told.append(f"in {group.slices} slices of its channels")
        elif group.strip is None:
            told.append("in one piece" if tiles == 1 else "each in one piece")
        else:
            told.append(f"in strips of {counted(group.strip, 'row')}")
    weights = sum(each.weights for each in layers)
    if weights:
        told.append(f"weights {weights_told(weights)} {_kept(group)}")
    return ", ".join(told)


def _kept(group: GroupPlan) -> str:
    return "streamed" if group.streamed else "resident"
