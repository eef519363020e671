"""Plans: how a network is cut. Pure data, with a notation, JSON and a digest.

The notation is that of the literature with strips added::

    5x5/8/2x2            5x5 tiles up to layer 8 (layers 0..7), then 2x2 tiles
    1x1s4/8/2x2s2        the same cut; strips of 4 rows of the group's output, then of 2
    1x1                  untiled: one group, one tile, one strip
    1x1s4/8/1x1w         the second group's weights are streamed, not kept in memory
    2x1/8/1x1c2/9/2x1    layer 8 in two slices of its output channels

Each group is a grid (rows x columns of tiles), perhaps slices of channels, perhaps a strip height,
perhaps a `w`; between two groups stands the first layer of the second. Layers that need whole maps
are steps of their own (``steps``), which the notation does not name: they are no choice. Behind an
`@` each stand the algorithms by which layers are computed that are not computed directly, where
there are any, as in `1x1@winograd4=2-14:2,19` (``layer_lists``).
"""

from __future__ import annotations

import itertools
import json
import re
from _blake2 import blake2b
from dataclasses import dataclass
from typing import Any

from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.graph import Network
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Arithmetic
from ftdist.planning.group import FusedGroup
from ftdist.planning.layer_lists import as_text, from_text
from ftdist.planning.steps import GroupPlan, most_slices, notation_of, split

__all__ = ["GroupPlan", "Plan", "check", "parse_json", "parse_notation", "untiled"]

_GROUP = re.compile(r"([0-9]{1,6})x([0-9]{1,6})(?:c([0-9]{1,6}))?(?:s([0-9]{1,6}))?(w?)")


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps that follow one another, fused groups and whole-map steps, for a number of threads.

    Without a region they cover the network and make its outputs. With one the plan is a *part*: its
    groups cover layers [first, stop), of whose last output it makes the region, and of the others
    the proportional one; the grid of each group then cuts what the part needs of it, and one with
    more rows (columns) than there are to cut counts as one with as many as there are.

    Threads share the tiles of a group; they change memory and time, never a bit, so they are no
    part of the notation and the digest.

    `arithmetic` names the algorithm of each layer that is not computed directly. It changes bits,
    and is part of both.
    """

    groups: tuple[GroupPlan, ...]
    threads: int = 1
    region: Region | None = None
    arithmetic: Arithmetic = ()

    @property
    def first(self) -> int:
        """The first of its layers."""
        return self.groups[0].first

    @property
    def stop(self) -> int:
        """One past the last of its layers."""
        return self.groups[-1].stop

    def __str__(self) -> str:
        return self.notation

    @property
    def notation(self) -> str:
        algorithms = (f"@{name}={as_text(layers)}" for name, layers in self.computed_by.items())
        return notation_of(self.groups) + "".join(algorithms)

    @property
    def computed_by(self) -> dict[str, list[int]]:
        """Of each algorithm but the direct one its layers, in the order of the first ones."""
        layers: dict[str, list[int]] = {}
        for layer, name in self.arithmetic:
            layers.setdefault(name, []).append(layer)
        return layers

    @property
    def error_classes(self) -> dict[str, float]:
        """The largest errors of a layer, relative to its largest value, by algorithm in use."""
        names = DIRECT.name, *self.computed_by
        return {name: IMPLEMENTATIONS[name].error for name in names}

    def applied_to(self, network: Network) -> Network:
        """The network as this plan computes it; InputError when its arithmetic does not suit."""
        return network.computed_by(self.arithmetic)

    def digest(self, model_digest: str) -> str:
        """Names this plan for this very model: a plan file for another model is refused by it."""
        text = f"{model_digest} {self.notation}"
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def to_json(self, model_digest: str) -> dict[str, Any]:
        """`{"notation", "groups", "threads", "digest", "error_classes"}`, and the `arithmetic`
        where not all layers are direct; a group has kind, layers, grid, slices, strip."""
        groups = [
            {
                "kind": "whole" if group.whole else "fused",
                "layers": [group.first, group.stop - 1],
                "grid": [group.rows, group.columns],
                "slices": group.slices,
                "strip": group.strip,
                "weights": "streamed" if group.streamed else "resident",
            }
            for group in self.groups
        ]
        return {
            "notation": self.notation,
            "groups": groups,
            "threads": self.threads,
            "digest": self.digest(model_digest),
            **({"arithmetic": dict(self.arithmetic)} if self.arithmetic else {}),
            "error_classes": self.error_classes,
        }


def untiled(network: Network) -> Plan:
    """The whole network as one group, one tile, one strip; in more where layers need whole maps."""
    return Plan(split(network, [GroupPlan(0, len(network.layers))]))


def shortened(notation: str, most: int = 60) -> str:
    """A plan's notation or, where it has more than `most` characters, its beginning: whole groups
    where one fits."""
    if len(notation) <= most:
        return notation
    groups, slash, _ = notation[:most].rpartition("/")
    return f"{groups}/..." if slash else f"{notation[:most]}..."


def parse_notation(notation: str, network: Network, threads: int = 1) -> Plan:
    """The plan that a notation means for a network; InputError says what does not fit."""
    tiling, *algorithms = notation.strip().split("@")
    parts = tiling.split("/")
    if len(parts) % 2 == 0:
        raise InputError(f"tiling '{notation}': expected GRID or GRID/LAYER/GRID..., as 5x5/8/2x2")
    cuts = [0]
    for part in parts[1::2]:
        if not re.fullmatch(r"[0-9]{1,6}", part):
            raise InputError(f"tiling '{notation}': '{part}' is not a layer number")
        if not cuts[-1] < int(part) < len(network.layers):
            raise InputError(
                f"tiling '{notation}': cannot cut before layer {part}; cuts must ascend "
                f"between 1 and {len(network.layers) - 1}"
            )
        cuts.append(int(part))
    cuts.append(len(network.layers))
    groups = []
    for part, first, stop in zip(parts[::2], cuts, cuts[1:], strict=False):
        match = _GROUP.fullmatch(part)
        if not match or 0 in (int(match[1]), int(match[2]), int(match[3] or 1)):
            raise InputError(f"tiling '{notation}': '{part}' is not a grid such as 5x5 or 2x2s4")
        if match[4] is not None and int(match[4]) == 0:
            raise InputError(f"tiling '{notation}': a strip has at least one row")
        strip = None if match[4] is None else int(match[4])
        grid = int(match[1]), int(match[2])
        slices = int(match[3] or 1)
        groups.append(GroupPlan(first, stop, *grid, strip, bool(match[5]), slices=slices))
    arithmetic = _arithmetic(notation, algorithms, len(network.layers))
    plan = Plan(split(network, groups), threads, arithmetic=arithmetic)
    check(plan, network)
    return plan


def _arithmetic(notation: str, algorithms: list[str], count: int) -> Arithmetic:
    """What stands behind each `@` of a notation, ALGORITHM=LAYERS, in the order of layers."""
    found: dict[int, str] = {}
    for each in algorithms:
        name, _, layers = each.partition("=")
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise InputError(
                f"tiling '{notation}': '@{each}' is not an algorithm and its layers, such as "
                "@winograd4=3,5-9"
            )
        try:
            numbers = from_text(layers, count)
        except InputError as error:
            raise InputError(f"tiling '{notation}': {error}") from None
        for number in numbers:
            if found.setdefault(number, name) != name:
                raise InputError(f"tiling '{notation}': two algorithms for layer {number}")
    return tuple((layer, name) for layer, name in sorted(found.items()) if name != DIRECT.name)


def parse_json(text: str, network: Network, model_digest: str, threads: int | None = None) -> Plan:
    """The plan in a JSON text (`plan --json` or `run --json` wrote it), for this very model.

    `threads` overrides the number in the text.
    """
    try:
        value = json.loads(text)
        value = value.get("plan", value)
        notation, digest = str(value["notation"]), str(value["digest"])
        threads = threads or value.get("threads", 1)
        if type(threads) is not int:
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("no plan in that file: expected JSON with 'notation', 'digest'") from None
    try:
        plan = parse_notation(notation, network, threads)
    except InputError as error:
        raise InputError(f"was made for another model, or changed; plan again: {error}") from None
    if plan.digest(model_digest) != digest:
        raise InputError(f"the plan {notation} was made for another model; plan again")
    return plan


def check(plan: Plan, network: Network) -> None:
    """InputError when it is no plan of the network."""
    network.check_arithmetic(plan.arithmetic)
    if plan.region is None:
        _check_whole(plan, network)
    else:
        _check_part(plan, plan.region, network)
    for step in plan.groups:
        if step.whole and split(network, [step]) != (step,):
            raise InputError(f"layers {step.first}..{step.stop - 1} are not a whole-map step")


def _check_whole(plan: Plan, network: Network) -> None:
    """InputError when the groups do not cover the network or a grid is larger than a map."""
    stops = [0] + [group.stop for group in plan.groups]
    if [group.first for group in plan.groups] != stops[:-1] or stops[-1] != len(network.layers):
        raise InputError(f"the plan's groups do not cover layers 0..{len(network.layers) - 1}")
    if plan.threads < 1:
        raise InputError(f"a plan for {plan.threads} threads: it needs at least one")
    for group in plan.groups:
        for output in FusedGroup(network, group.first, group.stop).outputs:
            shape = network.shape(output)
            if group.rows > shape.height or group.columns > shape.width:
                raise InputError(
                    f"grid {group} does not fit: layer {output} "
                    f"({network.layers[output].name}) makes a map of {shape}"
                )
        _check_slices(group, network)


def _check_slices(group: GroupPlan, network: Network) -> None:
    """InputError when the output channels of a group cannot be cut so."""
    most = most_slices(network, group.first, group.stop)
    if not 1 <= group.slices <= most:
        can = f"into {most} slices at most" if most > 1 else "into no slices of channels"
        raise InputError(
            f"grid {group} does not fit: layers {group.first}..{group.stop - 1} can be cut {can}"
        )


def _check_part(part: Plan, region: Region, network: Network) -> None:
    """InputError when the network has no such part."""
    count = len(network.layers)
    stops = [part.first, *(group.stop for group in part.groups)]
    ascends = all(a < b for a, b in itertools.pairwise(stops))
    if [group.first for group in part.groups] != stops[:-1] or not ascends or stops[-1] > count:
        raise InputError(f"a part of groups that are not consecutive layers of 0..{count - 1}")
    if part.first < 0 or part.threads < 1:
        raise InputError(f"a part from layer {part.first} for {part.threads} threads")
    for group in part.groups:
        if min(group.rows, group.columns, group.strip or 1) < 1 or group.strip == 0:
            raise InputError(f"a part with a group in the grid {group}")
        _check_slices(group, network)
    outputs = FusedGroup(network, part.first, part.stop).outputs
    if not outputs:
        raise InputError(f"layers {part.first}..{part.stop - 1} make no map that is needed")
    height, width, _ = network.shape(outputs[-1])
    top, bottom, left, right = region
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(f"a part for {region} of a map of {network.shape(outputs[-1])}")
