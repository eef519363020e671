"""The inputs of a graph as maps: which axis each dim is, how long, and in which order it lies.

Most files are for pictures, of which each is run by itself (*frames*): the first of several dims
counts them. Others are functions of tensors, whose dims are all there at once (*whole*).
"""

from __future__ import annotations

import math
from typing import Literal

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.onnx.nodes import Node
from ftdist.network.onnx.reading.file import Graph
from ftdist.network.onnx.views import Atom, Dim, Tensor, joined
from ftdist.network.ports import Input, Layout

Batch = Literal["frames", "whole"]
"""Whether the first of several dims counts frames, each of which is run by itself."""


def frame_inputs(
    graph: Graph, nodes: list[Node], file: str, size: tuple[int, int] | None
) -> tuple[tuple[Input, ...], list[Tensor]]:
    """The inputs that nodes read, of one frame; what lies before rows and columns are channels."""
    read = {name for node in nodes for name in node.reads}
    found: list[Input] = []
    tensors: list[Tensor] = []
    for name, dims in graph.inputs.items():
        if name not in read:
            continue
        own = bool(found) and not _counts_frames(dims, graph)
        names = _whole_names(len(dims)) if own else _axis_names(name, dims, nodes)
        lengths: dict[str, int] = {}
        fixed = []
        for axis, dim in zip(names, dims, strict=True):
            length = (
                1
                if axis == "-"
                else _length(axis, dim, size, resized=graph.is_resized and not found)
            )
            if length is None:
                what = "an open number of channels" if axis == "c" else "open sizes"
                todo = "" if axis == "c" else "; give --size HxW"
                raise InputError(f"{file}: input {name} has {what}, {_told(dims)}{todo}")
            if length > LARGEST_SIDE:
                raise InputError(f"{file}: input {name} of {_told(dims)} is too large")
            lengths[axis] = lengths.get(axis, 1) * length
            fixed.append(length)
        shape = Shape(*(lengths.get(axis, 1) for axis in "hwc"))
        standard = not own and names in ("-chw", "-hwc")
        planar = names != "wc" and not names.endswith("hwc")
        layout = Layout(planar, () if standard else tuple(fixed))
        found.append(Input(name, shape, layout))
        tensors.append(_spread(-1 - len(tensors), tuple(fixed), names))
    if not found:
        raise InputError(f"{file}: nothing in it depends on an input")
    return tuple(found), tensors


def _counts_frames(dims: tuple[int | str, ...], graph: Graph) -> bool:
    """Whether the first dim of an input that is not the first one may count frames: where it is a
    length of its own, as of a list of regions beside a picture, it does not."""
    first = next(iter(graph.inputs.values()), ())
    own = dims[0] if dims else 1
    return len(first) < 4 or isinstance(own, str) or own == 1 or own == first[0]


def _whole_names(count: int) -> str:
    """The axis of each dim where none counts frames: the last two of three or more are rows and
    columns, those before them channels; two dims are columns of channels."""
    return "c" * (count - 2) + "hw" if count > 2 else "wc"[2 - count :]


def written_batch(graph: Graph) -> int:
    """How many frames the file was made for; constants among its shapes may count them."""
    first = next(iter(graph.inputs.values()), ())
    return first[0] if len(first) == 4 and isinstance(first[0], int) and first[0] > 0 else 1


def whole_inputs(
    graph: Graph, nodes: list[Node], file: str
) -> tuple[tuple[Input, ...], list[Tensor]]:
    """The inputs that nodes read with all their dims."""
    read = {name for node in nodes for name in node.reads}
    inputs: list[Input] = []
    tensors: list[Tensor] = []
    for name, dims in graph.inputs.items():
        if name not in read:
            continue
        lengths = tuple(each for each in dims if isinstance(each, int))
        before = _whole_names(len(lengths))
        sides = {
            side: math.prod(n for n, s in zip(lengths, before, strict=True) if s == side)
            for side in "hwc"
        }
        if (
            len(lengths) < len(dims)
            or not 0 < min(sides.values()) <= max(sides.values()) <= LARGEST_SIDE
        ):
            raise InputError(
                f"{file}: input {name} of {_told(dims)} is too large, or has an open size"
            )
        tensors.append(_spread(-1 - len(inputs), lengths, before))
        layout = Layout(len(lengths) > 2, lengths or (1,))
        inputs.append(Input(name, Shape(sides["h"], sides["w"], sides["c"]), layout))
    if not inputs:
        raise InputError(f"{file}: nothing in it depends on an input")
    return tuple(inputs), tensors


def _spread(step: int, lengths: tuple[int, ...], sides: str) -> Tensor:
    """A tensor whose dims are factors of the sides of a map, outermost first."""
    dims: list[Dim] = []
    for at, (length, side) in enumerate(zip(lengths, sides, strict=True)):
        behind = math.prod(
            n for n, s in zip(lengths[at + 1 :], sides[at + 1 :], strict=True) if s == side
        )
        dims.append(joined([Atom(side, length, behind)]))  # type: ignore[arg-type]
    return Tensor(step, tuple(dims))


def _length(
    axis: str, dim: int | str, size: tuple[int, int] | None, *, resized: bool
) -> int | None:
    """The length of a dim, None where nobody says it; where it is `resized` the size counts."""
    if isinstance(dim, int) and not (resized and size is not None and axis in "hw" and dim > 1):
        return dim
    if size is None or axis == "c":
        return None
    return size[0] if axis == "h" else size[1]


def _told(dims: tuple[int | str, ...]) -> str:
    return "x".join(map(str, dims))


def _axis_names(name: str, dims: tuple[int | str, ...], nodes: list[Node]) -> str:
    """Which axis each dim is: "-chw", or "-hwc" as TensorFlow has it; three dims of a picture."""
    if len(dims) == 4:
        readers = [node for node in nodes if name in node.inputs]
        moved = [n.attributes.get("perm") for n in readers if n.kind == "Transpose"]
        if moved and all(each == (0, 3, 1, 2) for each in moved):
            return "-hwc"
        if any(node.kind in ("Conv", "MaxPool", "BatchNormalization") for node in readers):
            return "-chw"
        last_is_small = isinstance(dims[3], int) and dims[3] <= 4
        first_is_small = isinstance(dims[1], int) and dims[1] <= 4
        return "-hwc" if last_is_small and not first_is_small else "-chw"
    if len(dims) == 3 and 3 in (dims[0], dims[2]) and dims[0] != dims[2]:
        return "chw" if dims[0] == 3 else "hwc"  # a picture that is in no batch
    return {0: "", 1: "c", 2: "-c", 3: "-cw"}.get(len(dims), "-" + "c" * (len(dims) - 3) + "hw")
