"""Whether cutting changes a bit: random plans of real networks against the untiled run.

Grids to 6x6, strips from one row to the whole tile, up to four groups cut anywhere, weights
resident or streamed, 1 to 4 threads; native kernels. ::

    python benchmarks/bits.py MODEL.ftd [MODEL.ftd ...] [--plans 40]
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator

import numpy as np

import ftdist
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.planning.plan import GroupPlan, Plan, check, untiled


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
        with ftdist.Session(model, untiled(model.network)) as session:
            expected = session.run(image)
        same = 0
        for plan in _plans(model.network, rng, arguments.plans):
            with ftdist.Session(model, plan) as session:
                outputs = session.run(image)
            differing = [name for name in expected if _bits(outputs[name]) != _bits(expected[name])]
            same += not differing
            if differing:
                print(f"  differs: {plan.notation}, {plan.threads} threads: {differing}")
        print(f"{model.network.name}: {same} of {arguments.plans} plans identical to the bit")


def _bits(array: np.ndarray) -> bytes:
    return array.tobytes()


def _plans(network: Network, rng: np.random.Generator, count: int) -> Iterator[Plan]:
    """Random plans that fit the network."""
    layers = len(network.layers)
    while count:
        cuts = rng.choice(np.arange(1, layers), size=rng.integers(0, min(4, layers)), replace=False)
        edges = [0, *sorted(int(cut) for cut in cuts), layers]
        groups = tuple(
            GroupPlan(first, stop, *_grid(rng), _strip(rng), bool(rng.integers(2)))
            for first, stop in itertools.pairwise(edges)
        )
        plan = Plan(groups, int(rng.integers(1, 5)))
        try:
            check(plan, network)
        except InputError:
            continue
        count -= 1
        yield plan


def _grid(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(1, 7)), int(rng.integers(1, 7))


def _strip(rng: np.random.Generator) -> int | None:
    return None if rng.random() < 0.25 else int(2 ** rng.integers(0, 6))


if __name__ == "__main__":
    main()
