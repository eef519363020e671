"""The search, held to what it promises; and against every plan there is, on a small network."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, imported

from ftdist.geometry import Shape
from ftdist.kernels.program import OVERREAD_BYTES
from ftdist.network import architectures
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.joining import Add
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.cost.backward_pass import STRIPS
from ftdist.planning.cost.latency import plan_seconds
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import whole_maps
from ftdist.planning.lowering.predictor import live_maps
from ftdist.planning.lowering.programs import lay_out_group
from ftdist.planning.plan import GroupPlan, Plan, check
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.cutgraph import grids
from ftdist.planning.search.search import Search
from ftdist.planning.weights import resident_layers


def small_network():
    """Four layers; the last adds a map that skipped over two of them."""
    same = Sliding.square(3, padding=1)
    builder = NetworkBuilder("small", Shape(16, 16, 3))
    builder.add(Convolution(40, same), [INPUT])
    builder.add(Convolution(48, same), [0])
    builder.add(Convolution(40, Sliding.square(1)), [1])
    builder.add(Add(), [0, 2])
    builder.add(Pool("max", Sliding.square(2, 2)), [3])
    return builder.finish()


NETWORKS = {
    "small": small_network,
    "yolov2-first16": lambda: architectures.load("yolov2-first16").network,
    "yolov3-tiny": lambda: architectures.load("yolov3-tiny").network,
}


@cache
def searched(name, threads):
    """(network, its search, budgets between what is too little and what is plenty)."""
    network = NETWORKS[name]()
    search = Search(network, threads)
    fastest = search.fastest()
    assert fastest is not None
    least, most = search.smallest().peak_bytes, fastest.peak_bytes
    step = max(1, (most - least) // 7)
    return network, search, [least, *range(least + 1, most + step, step)]


cases = pytest.mark.parametrize(
    ("name", "threads"), [(name, threads) for name in NETWORKS for threads in (1, 3)]
)


@cases
def test_every_plan_found_covers_the_network_and_keeps_its_budget(name, threads) -> None:
    network, search, budgets = searched(name, threads)
    for budget in budgets:
        found = search.fastest(budget)
        check(found.plan, network)
        assert found.plan.threads == threads
        assert found.peak_bytes <= budget


@cases
def test_more_memory_never_makes_slower(name, threads) -> None:
    _, search, budgets = searched(name, threads)
    seconds = [search.fastest(budget).seconds for budget in budgets]
    assert seconds == sorted(seconds, reverse=True)
    assert search.fastest().seconds <= seconds[-1]


@cases
def test_the_smallest_plan_is_the_smallest(name, threads) -> None:
    network, search, _ = searched(name, threads)
    smallest = search.smallest()
    check(smallest.plan, network)
    assert search.fastest(smallest.peak_bytes).peak_bytes == smallest.peak_bytes
    assert search.fastest(smallest.peak_bytes - 1) is None


def every_group(network, threads):
    """For each (first, stop) all groups as (seconds, resident weights, the rest of its memory)."""
    layers = len(network.layers)
    groups: dict[tuple[int, int], list[Any]] = {}
    for first, stop in itertools.combinations(range(layers + 1), 2):
        height = network.shape(FusedGroup(network, first, stop).outputs[-1]).height
        outputs = {network.source(each) for each in network.outputs}
        maps = {**live_maps(network, first), **live_maps(network, stop)}
        alive = sum(size + OVERREAD_BYTES for source, size in maps.items() if source not in outputs)
        groups[first, stop] = []
        for (rows, columns), strip, streamed in itertools.product(
            grids(network, threads), STRIPS, (False, True)
        ):
            if strip is not None and strip >= -(-height // rows):
                continue
            plan = GroupPlan(first, stop, rows, columns, strip, streamed)
            group = FusedGroup(network, first, stop)
            outside = whole_maps(network, (*group.inputs, *group.outputs), picture=False)
            layout = lay_out_group(group, plan, outside)
            alone = Plan((plan,), threads)
            resident = sum(resident_layers(network, alone).values())
            arenas = min(threads, rows * columns) * layout.arena_bytes
            seconds = plan_seconds(network, alone, DEFAULT)
            groups[first, stop].append((seconds, resident, arenas + alive))
    return groups


def every_plan(network, threads):
    """(seconds, peak bytes) of every sequence of groups that covers the network."""
    groups, layers = every_group(network, threads), len(network.layers)
    for count in range(layers):
        for cuts in itertools.combinations(range(1, layers), count):
            edges = (0, *cuts, layers)
            choices = [groups[pair] for pair in itertools.pairwise(edges)]
            for chosen in itertools.product(*choices):
                seconds = sum(each[0] for each in chosen)
                weights = sum(each[1] for each in chosen)
                yield seconds, weights + max(each[2] for each in chosen)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_plan_at_all_is_better(threads) -> None:
    network, search, budgets = searched("small", threads)
    plans = list(every_plan(network, threads))
    assert search.smallest().peak_bytes == min(peak for _, peak in plans)
    assert search.fastest().seconds == pytest.approx(min(seconds for seconds, _ in plans))
    for budget in budgets:
        found = search.fastest(budget)
        best = min(seconds for seconds, peak in plans if peak <= budget)
        assert found.bound_s <= best * 1.000001, "the bound holds for every plan there is"
        assert best <= found.seconds * 1.000001, "the plan is one of them"


def test_maps_smaller_than_the_threads_are_planned_in_one_tile() -> None:
    builder = NetworkBuilder("narrowing", Shape(12, 12, 4))
    builder.add(Convolution(8, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Pool("max", Sliding.square(12, 12)), [0])
    builder.add(Convolution(6, Sliding.square(1)), [1])
    network = builder.finish()
    search = Search(network, 4)
    fastest, smallest = search.fastest(), search.smallest()
    assert fastest is not None
    for found in (fastest, smallest):
        check(found.plan, network)
        assert (found.plan.groups[-1].rows, found.plan.groups[-1].columns) == (1, 1)


def test_a_smallest_plan_that_no_price_finds_is_refined_all_the_same(tmp_path: Path) -> None:
    """Of four layers, all of which need whole maps."""
    nodes = Nodes()
    made = nodes.add("Conv", nodes.input(1, 3, 20, 24), nodes.random(4, 3, 1, 1))
    rows = nodes.add("Reshape", made, nodes.constant(np.array([1, 4, -1])))
    nodes.output(nodes.add("MatMul", rows, nodes.add("Transpose", rows, perm=[0, 2, 1])))
    network = imported(nodes.save(tmp_path / "graph.onnx")).network
    search = Search(network, 1)
    smallest, fastest = search.smallest(), search.fastest()
    assert fastest is not None
    assert smallest.peak_bytes <= fastest.peak_bytes
