"""Where the functions that translate operators register, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Open, Unsupported, Value, tensor
from ftdist.network.onnx.views import Tensor

Translate = Callable[[Building, Node, list[Value | None]], Value | list[Value]]

OPERATORS: dict[str, Translate] = {}
"""What translates each operator, by its name in ONNX."""

TranslateOpen = Callable[[Building, Node, list[Open | None]], Open | list[Open]]

OF_LISTS: dict[str, TranslateOpen] = {}
"""What translates operators where something that they read or make is of open length."""


def translates_lists(*kinds: str) -> Callable[[TranslateOpen], TranslateOpen]:
    """Registers a function as what translates these operators where lengths are open."""

    def register(function: TranslateOpen) -> TranslateOpen:
        for kind in kinds:
            if kind in OF_LISTS:
                raise ValueError(f"{kind} of lists is translated twice")
            OF_LISTS[kind] = function
        return function

    return register


def translates(*kinds: str) -> Callable[[Translate], Translate]:
    """Registers a function as what translates these operators."""

    def register(function: Translate) -> Translate:
        for kind in kinds:
            if kind in OPERATORS:
                raise ValueError(f"{kind} is translated twice")
            OPERATORS[kind] = function
        return function

    return register


MOST_FRAMES = 64
"""Frames of a batch within a network that are each a layer by themselves."""


def frame_by_frame(translate: Translate) -> Translate:
    """The same where there is a batch within the network: each frame by itself, then joined."""

    def of_frames(building: Building, node: Node, given: list[Value | None]) -> Value | list[Value]:
        value = given[0]
        if not isinstance(value, Tensor) or value.rank < 3 or value.shape[0] == 1:
            return translate(building, node, given)
        if value.shape[0] > MOST_FRAMES:
            raise Unsupported(f"its input is {value.shape}; {MOST_FRAMES} frames are possible")
        found: list[Value | None] = []
        for at in range(value.shape[0]):
            place = np.array([at]), np.array([at + 1]), np.array([0])
            frame = made(building, "Slice", [value, *place])
            one = translate(building, node, [frame, *given[1:]])
            found.append(one[0] if isinstance(one, list) else one)
        return made(building, "Concat", found, {"axis": 0})

    return of_frames


def channel_by_channel(translate: Translate) -> Translate:
    """The same where there is a batch within the network, of what does the same to each channel:
    those of all frames are the channels of one."""

    def of_frames(building: Building, node: Node, given: list[Value | None]) -> Value | list[Value]:
        value = given[0]
        if not isinstance(value, Tensor) or value.rank < 3 or value.shape[0] == 1:
            return translate(building, node, given)
        frames, channels, *sides = value.shape
        flat = building.reshaped(value, (1, frames * channels, *sides))
        found = translate(building, node, [flat, *given[1:]])
        found = tensor(found[0] if isinstance(found, list) else found)
        return building.reshaped(found, (frames, channels, *found.shape[2:]))

    return of_frames


def made(
    building: Building,
    kind: str,
    given: list[Value | None],
    attributes: Mapping[str, Any] | None = None,
) -> Tensor:
    """What another operator makes of some values: how one is said by means of others."""
    node = Node(building.name, kind, (), ("",), attributes or {})
    found = OPERATORS[kind](building, node, given)
    return tensor(found[0] if isinstance(found, list) else found)
