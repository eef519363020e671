"""What some detectors' files ask for beside the picture: its size, and how it was scaled.

Their decoding divides boxes by `scale_factor`, as PaddleDetection's does, or multiplies them by
sides, to bring them to the picture as it was before it was fitted. Here boxes are brought back by
whoever fitted it, so the factor is 1, and all else the size of the input; they are constants.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ftdist.network.onnx.nodes import Array
from ftdist.network.onnx.reading.file import Dims, Graph

_ACROSS_FIRST = "orig_target_sizes"
"""RT-DETR's and its kin's: width and height."""

_NAMES = ("scale_factor", "im_shape", "image_shape", _ACROSS_FIRST)
"""`image_shape` is that of Keras' YOLOv3."""

_PICTURE_RANK = 4
_WHOLE: dict[int, type] = {6: np.int32, 7: np.int64}


def apart(graph: Graph) -> Graph:
    """The graph with such inputs among its measures, where all others are one picture."""
    names = tuple(n for n, dims in graph.inputs.items() if n in _NAMES and _is_pair(dims))
    others = {name: dims for name, dims in graph.inputs.items() if name not in names}
    if not names or [len(dims) for dims in others.values()] != [_PICTURE_RANK]:
        return graph
    return replace(graph, inputs=others, measures=names)


def measured(graph: Graph, size: tuple[int, int] | None) -> Graph:
    """The graph with its measures as constants; `size` (rows, columns) where it is left open."""
    found: dict[str, Array] = {
        name: np.array(
            [_value(name, graph, size)], _WHOLE.get(graph.types.get(name, 0), np.float32)
        )
        for name in graph.measures
    }
    return replace(graph, constants={**graph.constants, **found})


def told(graph: Graph) -> tuple[str, ...]:
    """What is said about them, if there are any."""
    if not graph.measures:
        return ()
    return (f"{' and '.join(graph.measures)} taken as of a picture that is not scaled",)


def _value(name: str, graph: Graph, size: tuple[int, int] | None) -> tuple[float, float]:
    if name == "scale_factor":
        return 1.0, 1.0
    (dims,) = graph.inputs.values()
    given = size if size is not None else (0, 0)
    sides = [
        own if isinstance(own, int) and not (graph.is_resized and size) else side
        for own, side in zip(dims[1:3] if dims[3] == 3 else dims[2:], given, strict=True)
    ]
    rows, columns = float(sides[0]), float(sides[1])
    return (columns, rows) if name == _ACROSS_FIRST else (rows, columns)


def _is_pair(dims: Dims) -> bool:
    return len(dims) == 2 and dims[1] == 2 and (isinstance(dims[0], str) or dims[0] == 1)
