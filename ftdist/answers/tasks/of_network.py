"""The task of a network: told by its outputs, or by whoever knows better (``--task``)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ftdist.answers.names import NUMBERED_COCO
from ftdist.answers.tasks.lines import line_of_text
from ftdist.answers.tasks.recognise import recognise
from ftdist.answers.tasks.text_maps import text_map
from ftdist.answers.tasks.two_channels import two_channels
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.channels import Softmax
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.windows import Pool
from ftdist.network.task import ARRAYS, Kind, Task

_AROUND = Sliding.square(3, padding=1)


def task_of_outputs(
    network: Network, words: str, labels: Sequence[str], kind: Kind | None = None
) -> Task:
    """What the outputs are; with `kind` the best fit of that kind, InputError when none fits."""
    height, width, channels = network.input
    outputs = {
        network.layers[each].name: network.layout(each).of(network.shape(each))
        for each in network.outputs
    }
    last = network.layers[network.source(network.outputs[0])].operation
    shares = frozenset(
        network.layers[each].name
        for each in network.outputs
        if isinstance(network.layers[network.source(each)].operation, Softmax)
    )
    found = (
        line_of_text(network, words)
        or two_channels(network, words)
        or text_map(network, words)
        or recognise(
            *((channels, height, width), outputs, words, labels),
            probabilities=isinstance(last, Softmax),
            scored=_scored(network),
            peaks=_peaks(network),
            shares=shares,
        )
    )
    if kind is None or found.kind == kind:
        return found
    forced = _forced(kind, network, words)
    if forced is None:
        shapes = "; ".join(f"{name} {'x'.join(map(str, dims))}" for name, dims in outputs.items())
        raise InputError(f"--task {kind}: none of the outputs can be that ({shapes})")
    return forced


def _scored(network: Network) -> int:
    """How many classes a network tells apart that hands on lists: known of COCO's own numbers."""
    numbered = len(NUMBERED_COCO)
    shapes = [each.shape for each in network.layers]
    told = any(numbered in (each.channels, each.height * each.width) for each in shapes)
    return numbered if told else 0


def _peaks(network: Network) -> tuple[int, ...]:
    """(channels, height, width) of the map that some layer compares with the largest of the 3x3
    around each of its positions; () where none does."""
    for number, layer in enumerate(network.layers):
        if not isinstance(layer.operation, Pair) or layer.operation.how != "equal":
            continue
        for around, own in itertools.permutations(map(network.source, layer.inputs)):
            pool = network.layers[around] if around >= 0 else None
            if pool is None or not isinstance(pool.operation, Pool) or pool.operation.mode != "max":
                continue
            if pool.operation.window == _AROUND and network.source(pool.inputs[0]) == own:
                height, width, channels = network.shape(number)
                return channels, height, width
    return ()


def _forced(kind: Kind, network: Network, words: str) -> Task | None:
    """The output that suits a kind best, by its shape alone."""
    if kind == "arrays":
        return ARRAYS
    if kind == "text":
        return line_of_text(network, words, asked=True)
    if kind == "detect":
        return text_map(network, words, asked=True)
    shapes = {network.layers[each].name: network.shape(each) for each in network.outputs}
    lists = {name: shape for name, shape in shapes.items() if shape.height == shape.width == 1}
    maps = {name: shape for name, shape in shapes.items() if min(shape.height, shape.width) > 1}
    if kind == "classify" and lists:
        name = max(lists, key=lambda each: lists[each].channels)
        return Task(kind, classes=lists[name].channels, outputs=(name,))
    if kind == "segment" and maps:
        name = max(maps, key=lambda each: maps[each].height * maps[each].width)
        return Task(kind, classes=maps[name].channels, outputs=(name,))
    if kind == "image":
        drawable = [name for name in maps if maps[name].channels in (1, 3)]
        if drawable:
            name = max(drawable, key=lambda each: maps[each].height * maps[each].width)
            return Task(kind, outputs=(name,))
    if kind == "points":
        name = max(shapes, key=lambda each: shapes[each].elements)
        even = shapes[name].elements % 2 == 0 or shapes[name].elements % 3 == 0
        return Task(kind, outputs=(name,)) if even else None
    return None
