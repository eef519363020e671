"""Whether cutting changes a bit: random plans of real networks against the untiled run.

Grids to 6x6, slices of channels, strips from one row to the whole tile, up to four groups cut
anywhere or one a layer, weights resident or streamed, 1 to 4 threads; each layer by any algorithm
that suits it; native kernels. ::

    python benchmarks/bits.py MODEL.ftd [MODEL.ftd ...] [--plans 40]
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import ftdist
from ftdist.errors import InputError
from ftdist.network.graph import Network, weighted_layers
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Arithmetic
from ftdist.planning.group import FusedGroup
from ftdist.planning.plan import GroupPlan, Plan, check, untiled
from ftdist.planning.steps import most_slices, split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL.ftd")
    parser.add_argument("--plans", type=int, default=40)
    arguments = parser.parse_args()
    for path in arguments.models:
        model = ftdist.load(path)
        shape = model.network.input
        rng = np.random.default_rng(0)
        image = rng.random((shape.channels, shape.height, shape.width), np.float32)
        arithmetic = _arithmetic(model.network, rng)
        whole = replace(untiled(model.network), arithmetic=arithmetic)
        with ftdist.Session(model, whole) as session:
            expected = session.run(image)
        same = 0
        for plan in _plans(model.network, rng, arithmetic, arguments.plans):
            with ftdist.Session(model, plan) as session:
                outputs = session.run(image)
            differing = [name for name in expected if _bits(outputs[name]) != _bits(expected[name])]
            same += not differing
            if differing:
                print(f"  differs: {plan.notation}, {plan.threads} threads: {differing}")
        print(f"{model.network.name}: {same} of {arguments.plans} plans identical to the bit")


def _bits(array: np.ndarray) -> bytes:
    return array.tobytes()


def _arithmetic(network: Network, rng: np.random.Generator) -> Arithmetic:
    """For each layer with weights an algorithm that suits it."""
    found = []
    for number, _, _ in weighted_layers(network):
        suited = [n for n, each in IMPLEMENTATIONS.items() if each.suits(*network.asked(number))]
        name = str(rng.choice(suited))
        if name != DIRECT.name:
            found.append((number, name))
    return tuple(found)


def _plans(
    network: Network, rng: np.random.Generator, arithmetic: Arithmetic, count: int
) -> Iterator[Plan]:
    """Random plans that fit the network."""
    layers = len(network.layers)
    while count:
        inner = np.arange(1, layers)
        some = rng.choice(inner, size=rng.integers(0, min(4, layers)), replace=False)
        cuts = inner if rng.random() < 0.25 else some
        edges = [0, *sorted(int(cut) for cut in cuts), layers]
        groups = [_group(network, rng, *pair) for pair in itertools.pairwise(edges)]
        plan = Plan(split(network, groups), int(rng.integers(1, 5)), arithmetic=arithmetic)
        try:
            check(plan, network)
        except InputError:
            continue
        count -= 1
        yield plan


def _group(network: Network, rng: np.random.Generator, first: int, stop: int) -> GroupPlan:
    """In any grid, or as many rows and columns as its maps have; slices where it can be cut so."""
    most = [network.shape(o)[:2] for o in FusedGroup(network, first, stop).outputs]
    rows, columns = (min([side, *sizes]) for side, *sizes in zip(_grid(rng), *most, strict=True))
    slices = int(rng.integers(1, min(4, most_slices(network, first, stop)) + 1))
    return GroupPlan(first, stop, rows, columns, _strip(rng), bool(rng.integers(2)), slices=slices)


def _grid(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(1, 7)), int(rng.integers(1, 7))


def _strip(rng: np.random.Generator) -> int | None:
    return None if rng.random() < 0.25 else int(2 ** rng.integers(0, 6))


if __name__ == "__main__":
    main()
