"""What one node makes of what it reads: constants now, or steps of a draft by its translator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ftdist.network.onnx import translators  # noqa: F401 - they register themselves
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.constants import computed, computes, shape_of
from ftdist.network.onnx.kept import Kept, Places, Values
from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.nodes import Array, Node, Open, Unsupported, Value
from ftdist.network.onnx.reading.tensors import is_text
from ftdist.network.onnx.registry import OF_LISTS, OPERATORS, made
from ftdist.network.onnx.sequences import OF_SEQUENCES
from ftdist.network.onnx.translators.maps.unpooling import flat, unpooled, with_places
from ftdist.network.onnx.types import FLOAT, FLOAT16
from ftdist.network.onnx.views import Tensor

_Made = TypeVar("_Made")

_OF_MAPS = frozenset(("Conv", "ConvTranspose", "Resize", "Upsample", "GridSample"))
"""Operators that read maps, and are not computed at import where these are constants."""

_WEIGHTS = dict.fromkeys(("Conv", "ConvTranspose", "MatMul", "Gemm"), (1,))
"""Which inputs are read when a layer is written."""

_MOVES = ("Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")


def widened(node: Node, given: Sequence[Kept | None]) -> list[Kept | None]:
    """With half-wide floats as floats, but for weights that are read when their layer is written,
    and where values are only moved."""
    kept = range(len(given)) if node.kind in _MOVES else _WEIGHTS.get(node.kind, ())
    if node.kind == "Cast" and node.integer("to") in (FLOAT, FLOAT16):
        kept = (0,)
    return [
        each.astype(np.float32)
        if isinstance(each, np.ndarray) and each.dtype == np.float16 and at not in kept
        else each
        for at, each in enumerate(given)
    ]


def is_known(kind: str) -> bool:
    """Whether there is anything that nodes of that kind can be."""
    of_kept = kind in OF_SEQUENCES or kind in ("If", "Loop", "Scan", "MaxUnpool")
    return of_kept or kind in OPERATORS or kind in OF_LISTS or computes(kind)


def result_of(node: Node, building: Building, given: Sequence[Kept | None]) -> list[Kept]:
    """What a node makes; of sequences, and of where maxima lay, it is known here."""
    if node.kind in OF_SEQUENCES:
        found = sensible(partial(OF_SEQUENCES[node.kind], node, given, partial(_asked, building)))
        return [found]
    if node.kind == "MaxUnpool":
        return [sensible(partial(unpooled, building, node, given))]
    if node.kind == "MaxPool" and len([name for name in node.outputs if name]) > 1:
        return list(sensible(partial(with_places, building, node, given)))
    if node.kind == "Identity" and given and isinstance(given[0], Values | Places):
        return [given[0]]
    opened = [None if each is None else opened_value(building, each) for each in given]
    return _of_open(node, building, opened)


def opened_value(building: Building, value: Kept) -> Open:
    """A value as most operators read it."""
    if isinstance(value, Values):
        raise Unsupported("not supported of a sequence")
    return flat(building, value) if isinstance(value, Places) else value


def _asked(
    building: Building,
    kind: str,
    given: Sequence[Kept | None],
    attributes: Mapping[str, Any] | None = None,
) -> Kept:
    """What another operator makes of some values."""
    node = Node(building.name, kind, ("",) * len(given), ("",), attributes or {})
    return result_of(node, building, given)[0]


def _of_open(node: Node, building: Building, given: Sequence[Open | None]) -> list[Kept]:
    """What a node makes; where lengths are open it is translated as said for lists."""
    plain = [each for each in given if not isinstance(each, List | Lengths)]
    if len(plain) == len(given):
        makes = node.kind in _MAKES_LISTS and any(isinstance(each, Tensor) for each in plain)
        if not makes:
            return list(_of_fixed(node, building, plain))
    if node.kind not in OF_LISTS:
        raise Unsupported("not supported of lists whose length depends on the input")
    found = sensible(partial(OF_LISTS[node.kind], building, node, list(given)))
    return list(found) if isinstance(found, list) else [found]


_MAKES_LISTS = ("NonZero", "NonMaxSuppression", "Compress")


def _of_fixed(node: Node, building: Building, given: Sequence[Value | None]) -> list[Value]:
    if node.kind == "Shape" and isinstance(given[0], Tensor):
        return [np.array(shape_of(node, given[0].shape), np.int64)]
    if node.kind == "Size" and isinstance(given[0], Tensor):
        return [np.array(int(np.prod(given[0].shape)), np.int64)]
    constants = [each for each in given if not isinstance(each, Tensor)]
    if len(constants) < len(given) and any(e is not None and is_text(e) for e in constants):
        raise Unsupported("it reads text, which no map holds")
    if len(constants) == len(given) and computes(node.kind):
        return list(computed(node, constants))
    if node.kind not in OPERATORS:
        raise Unsupported("supported of constants only")
    if given and isinstance(given[0], np.ndarray) and node.kind in _OF_MAPS:
        given = [building.constant(given[0].astype(np.float32)), *given[1:]]
    if node.kind in _MAY_BE_INFINITE:
        given = [_sound(building, each) if isinstance(each, np.ndarray) else each for each in given]
    found = sensible(partial(OPERATORS[node.kind], building, node, list(given)))
    return found if isinstance(found, list) else [found]


_MOST = float(np.finfo(np.float32).max)
_MAY_BE_INFINITE = ("Where", "Add", "Sub", "Mul", "Max", "Min", "Concat", "Expand", "ScatterND")


def _sound(building: Building, constant: Array) -> Value:
    """With the largest numbers for infinite ones, which masks of attention have.

    Weights are finite, so what is no number, as medians have it beside values that are none, is
    the root of -1, computed whenever the network runs.
    """
    if constant.dtype.kind != "f" or np.isfinite(constant).all():
        return constant
    undefined = np.isnan(constant)
    finite = np.clip(np.where(undefined, np.zeros((), constant.dtype), constant), -_MOST, _MOST)
    if not undefined.any():
        return finite
    flags = building.constant(-undefined.astype(np.float32))
    roots = made(building, "Sqrt", [flags])
    return made(building, "Add", [roots, finite]) if finite.any() else roots


def sensible(translate: Callable[[], _Made]) -> _Made:
    """What a translator makes; Unsupported for whatever a hostile file brings about."""
    try:
        return translate()
    except (Unsupported, MemoryError):
        raise
    except IndexError:
        raise Unsupported("makes no sense (an input or a number is missing)") from None
    except Exception as error:
        raise Unsupported(f"makes no sense ({error or type(error).__name__})") from None
