"""The steps of a plan: fused groups, and whole-map steps between them.

A *whole-map step* is one layer that needs whole maps of what it reads (softmax over space, fully
connected layers, global pooling). The network implies them, so notations do not name them: a run of
layers that is to be a group is split at such layers here. A whole-map step reads its inputs where
they lie and writes its output where it belongs; it shares with groups what a step has: layers, and
whether its weights are streamed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ftdist.kernels.program import BLOCK, CHUNK_BLOCKS
from ftdist.network.graph import Network, is_alias

SHARED_CHANNELS = BLOCK * CHUNK_BLOCKS
"""Output channels are shared in chunks of so many, as weights are streamed."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Layers [first, stop) as one step: a fused group, in a grid of tiles, each made in strips.

    `strip` counts rows of the group's output; None makes each tile in one strip. `streamed`: the
    step's weights are read from the model file in chunks, whenever a strip needs them, and given
    back; otherwise they stay resident. `whole`: a whole-map step, without grid and strips.
    `slices`: tiles are cut by output channels too, into so many; only a group that is one
    convolution can be (``most_slices``).
    """

    first: int
    stop: int
    rows: int = 1
    columns: int = 1
    strip: int | None = None
    streamed: bool = False
    whole: bool = False
    slices: int = 1

    def __str__(self) -> str:
        strip = "" if self.strip is None else f"s{self.strip}"
        return f"{self.grid}{strip}{'w' * self.streamed}"

    @property
    def grid(self) -> str:
        """How it is cut into tiles, as `2x1`, or `1x1c2` with two slices of channels."""
        slices = f"c{self.slices}" if self.slices > 1 else ""
        return f"{self.rows}x{self.columns}{slices}"

    @property
    def tiles(self) -> int:
        return self.rows * self.columns * self.slices


def split(network: Network, groups: Iterable[GroupPlan]) -> tuple[GroupPlan, ...]:
    """Groups as steps: each is split at the layers that need whole maps.

    What is left of a group keeps its grid as far as its maps allow. Weights of a whole-map step are
    streamed if those of its group are; one without weights goes with the step before it.
    """
    found: list[GroupPlan] = []
    for group in groups:
        for first, stop, whole in _kinds(network, group.first, group.stop):
            if found and found[-1].whole and not whole and _computes_nothing(network, first, stop):
                found[-1] = replace(found[-1], stop=stop)
            elif whole:
                begin = _begin_whole(network, found, first, stop)
                found.append(GroupPlan(begin, stop, streamed=group.streamed, whole=True))
            elif (first, stop, whole) == (group.first, group.stop, group.whole):
                found.append(group)
            else:
                found.append(_fitting(network, replace(group, first=first, stop=stop, whole=False)))
    for number, step in enumerate(found):
        if number and step.whole and not _has_weights(network, step):
            found[number] = replace(step, streamed=found[number - 1].streamed)
    return tuple(found)


def most_slices(network: Network, first: int, stop: int) -> int:
    """Into how many slices of output channels a group of these layers can be cut.

    More than one where it is a single convolution, which sums each of its channels on its own.
    """
    members = [n for n in range(first, stop) if not is_alias(network.layers[n])]
    if len(members) != 1:
        return 1
    operation, inputs = network.asked(members[0])
    if not operation.splits_channels(inputs) or not operation.weights(inputs[0]):
        return 1
    return -(-network.shape(members[0]).channels // SHARED_CHANNELS)


def whole_layer(network: Network, step: GroupPlan) -> int:
    """The layer of a whole-map step; the others of its layers compute nothing."""
    (layer,) = network.whole_layers.intersection(range(step.first, step.stop))
    return layer


def _begin_whole(network: Network, steps: list[GroupPlan], first: int, stop: int) -> int:
    """Where the whole-map step of layers [first, stop) begins, after the `steps` so far.

    Layers before it that compute nothing go with the last step that computes something.
    """
    while steps and _computes_nothing(network, steps[-1].first, steps[-1].stop):
        first = steps.pop().first
    if not steps:
        return first
    begin = min(network.whole_layers.intersection(range(first, stop)))
    steps[-1] = replace(steps[-1], stop=begin)
    return begin


def _computes_nothing(network: Network, first: int, stop: int) -> bool:
    return all(is_alias(layer) for layer in network.layers[first:stop])


def _has_weights(network: Network, step: GroupPlan) -> bool:
    layer = whole_layer(network, step)
    return bool(network.layers[layer].operation.weights(network.shape(network.reads(layer)[0])))


def _kinds(network: Network, first: int, stop: int) -> Iterator[tuple[int, int, bool]]:
    """(first, stop, whether it is a whole-map step) of the steps that layers [first, stop) are.

    Layers that compute nothing go with those before them, if there are some.
    """
    members = [n for n in range(first, stop) if not is_alias(network.layers[n])]
    cuts = [first]
    for before, member in itertools.pairwise(members):
        if not network.whole_layers.isdisjoint((before, member)):
            cuts.append(member)
    cuts.append(stop)
    for begin, end in itertools.pairwise(cuts):
        yield begin, end, not network.whole_layers.isdisjoint(range(begin, end))


def _fitting(network: Network, group: GroupPlan) -> GroupPlan:
    """A group cut no finer than the maps that it makes for others."""
    made = [n for n, last in network.last_use.items() if group.first <= n < group.stop <= last]
    shapes = [network.shape(number) for number in made]
    rows = min([group.rows, *(shape.height for shape in shapes)])
    columns = min([group.columns, *(shape.width for shape in shapes)])
    slices = min(group.slices, most_slices(network, group.first, group.stop))
    return replace(group, rows=rows, columns=columns, slices=slices)


def notation_of(steps: Iterable[GroupPlan]) -> str:
    """What names these steps: `split` makes them of it again."""
    parts: list[str] = []
    last: GroupPlan | None = None
    own: GroupPlan | None = None  # the fused group that the part so far stands for
    for step in steps:
        goes_on = last is not None and (step.whole or last.whole)
        goes_on = goes_on and last is not None and step.streamed == last.streamed
        if goes_on and not step.whole and own is not None:
            goes_on = str(step) == str(own)
        if not goes_on:
            parts += [str(step.first), str(step)]
            own = None
        if not step.whole:
            if own is None:
                parts[-1] = str(step)
            own = step
        last = step
    return "/".join(parts[1:])
