"""Parts computed from regions alone are, put together, what a session computes, to the bit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.command import GUARD_S
from support.networks import cut_networks, model_of, networks, random_input
from support.oracles.poison import poisoned_memory
from support.parts import Stages, interleaved, lowered_parts, run_in_parts, stages
from support.smallmodels import CHAIN, TWO_OUTPUTS, random_image, write_small_model

from ftdist.errors import FtdistError, InputError
from ftdist.geometry import Region, Shape
from ftdist.kernels import native
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model, load
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.joining import Add
from ftdist.network.operators.windows import Convolution
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.predictor import footprint
from ftdist.planning.lowering.regions import region_bytes
from ftdist.planning.plan import GroupPlan, Plan, untiled
from ftdist.runtime.local import Kernels, Session
from ftdist.runtime.runner import Runner


def whole(model: Model, image: np.ndarray, kernels: Kernels = "native") -> dict[str, np.ndarray]:
    with Session(model, untiled(model.network), kernels) as session:
        return session.run(image)


def assert_same_bits(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(
            np.ascontiguousarray(found[name]).view(np.int32), array.view(np.int32), name
        )


@st.composite
def cut_up(draw: Any) -> tuple[Network, Stages]:
    network = draw(networks())
    return network, draw(stages(network))


@settings(max_examples=150)
@given(cut_up())
def test_parts_give_the_bits_of_the_whole(case: tuple[Network, Stages]) -> None:
    network, parts = case
    model, image = model_of(network), random_input(network)
    expected = whole(model, image)
    with poisoned_memory(), Runner(model, threads=3) as runner:
        assert_same_bits(run_in_parts(runner, lowered_parts(model, parts), image), expected)


@settings(max_examples=40)
@given(cut_up())
def test_parts_of_the_reference_agree(case: tuple[Network, Stages]) -> None:
    """Its sums have NumPy's order, which cuts change in the last bits."""
    network, parts = case
    model, image = model_of(network), random_input(network)
    expected = whole(model, image, "reference")
    with poisoned_memory(), Runner(model, "reference", 2) as runner:
        found = run_in_parts(runner, lowered_parts(model, parts), image)
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, rtol=0, atol=1e-5 * np.abs(array).max(), err_msg=name
        )


@settings(max_examples=40)
@given(cut_up())
def test_parts_take_pictures(case: tuple[Network, Stages]) -> None:
    network, parts = case
    model = model_of(network)
    picture = np.random.default_rng(0).integers(0, 256, network.input, np.uint8)
    expected = whole(model, picture)
    with poisoned_memory(), Runner(model) as runner:
        lowered = lowered_parts(model, parts, picture=True)
        assert_same_bits(run_in_parts(runner, lowered, picture), expected)


@settings(max_examples=40)
@given(cut_networks(), st.integers(1, 3))
def test_the_part_of_everything_is_the_plan(case: Any, threads: int) -> None:
    network, plan = case
    model, image = model_of(network), random_input(network)
    with Session(model, plan) as session:
        expected = session.run(image)
    groups = plan.groups
    last = max(network.output_sources)
    height, width, _ = network.shape(last)
    part = Plan(groups, threads, region=Region(0, height, 0, width))
    with Runner(model, threads=threads) as runner:
        assert_same_bits(run_in_parts(runner, lowered_parts(model, [[part]]), image), expected)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("two") / "two.ftd", TWO_OUTPUTS))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


@pytest.fixture
def runner(chain: Model) -> Iterator[Runner]:
    with Runner(chain, threads=2) as runner:
        yield runner


def chain_part(chain: Model, *region: int, **options: Any) -> Lowered:
    """All layers of CHAIN as one group; its output is 32x32x7."""
    groups = (GroupPlan(0, 4, **options),)
    part = Plan(groups, options.get("rows", 1), region=Region(*region))
    return lower(chain.network, part, chain.offsets, picture=False)


def inputs_of(lowered: Lowered, seed: int = 0) -> dict[int, np.ndarray]:
    top, bottom, left, right = lowered.inputs[INPUT]
    return {INPUT: interleaved(random_image(64, seed))[top:bottom, left:right]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda array: array[1:], r"reads float32 \(\d+, \d+, 3\) of layer -1, not float32 \("),
        (lambda array: array.transpose(2, 0, 1), "not float32"),
        (lambda array: array.astype(np.float64), "not float64"),
        (lambda array: (array * 255).astype(np.uint8), "not uint8"),
        (lambda array: None, "not nothing"),
    ],
)
def test_inputs_that_the_part_does_not_read_are_refused(
    chain: Model, runner: Runner, change: Any, message: str
) -> None:
    lowered = chain_part(chain, 0, 9, 0, 32)
    changed = {source: change(array) for source, array in inputs_of(lowered).items()}
    given = {source: array for source, array in changed.items() if array is not None}
    with pytest.raises(InputError, match=message):
        runner.run(lowered, given)


def test_outputs_of_a_part_are_left_alone_by_the_next(chain: Model, runner: Runner) -> None:
    lowered = chain_part(chain, 3, 9, 0, 32)
    first = runner.run(lowered, inputs_of(lowered, 1))[3]
    kept = first.copy()
    second = runner.run(lowered, inputs_of(lowered, 2))[3]
    np.testing.assert_array_equal(first, kept)
    assert not np.shares_memory(first, second) and not np.array_equal(first, second)
    assert first.flags.c_contiguous and first.flags.writeable and first.dtype == np.float32


def test_an_output_that_the_part_reads_again_comes_out_as_its_own_share() -> None:
    """Layer 0 is wanted for itself and, with a row more on each side, by layer 1.

    Layer 2 runs when nobody reads layer 0 any more, and must leave it alone.
    """
    builder = NetworkBuilder("skip", Shape(12, 12, 4))
    for source, filters in ((INPUT, 4), (0, 32), (1, 4)):
        builder.add(Convolution(filters, Sliding.square(3, padding=1)), [source])
    builder.add(Add(), [0, 2])
    network = builder.finish()
    model, image = model_of(network), random_input(network)
    groups = tuple(GroupPlan(n, n + 1) for n in range(3))
    region = Region(4, 8, 3, 12)
    lowered = lower(network, Plan(groups, region=region), model.offsets, picture=False)
    assert lowered.outputs == {0: region, 2: region}
    assert lowered.map_regions == {0: Region(2, 10, 1, 12), 1: Region(3, 9, 2, 12)}
    top, bottom, left, right = lowered.inputs[INPUT]
    last = lowered.arenas[2][0], lowered.arenas[2][0] + lowered.programs[2].arena_bytes
    assert last[1] <= lowered.maps[0] or lowered.maps[0] + 4 * 8 * 11 * 4 <= last[0]
    with Runner(model) as runner:
        found = runner.run(lowered, {INPUT: interleaved(image)[top:bottom, left:right]})
        assert not np.shares_memory(found[0], runner._engine._block)
    for output in (0, 2):
        cut = network.until(output)
        expected = whole(model_of(cut), image)[f"convolutional{output}"].transpose(1, 2, 0)
        assert found[output].flags.c_contiguous and found[output].flags.owndata
        np.testing.assert_array_equal(found[output], expected[4:8, 3:12])


def test_the_block_and_weights_are_kept_for_the_next_part(chain: Model, runner: Runner) -> None:
    large, small = chain_part(chain, 0, 32, 0, 32), chain_part(chain, 0, 2, 0, 32)
    assert small.block_bytes < large.block_bytes
    assert runner.held == {"weights": 0, "block": 0}
    runner.run(small, inputs_of(small))
    assert runner.held == {"weights": chain.weight_bytes, "block": small.block_bytes}
    runner.run(large, inputs_of(large))
    assert runner.held["block"] == large.block_bytes
    block = runner._engine._block
    runner.run(small, inputs_of(small))
    assert runner._engine._block is block, "it is large enough"
    runner.prepare(small, most_block_bytes=large.block_bytes)
    assert runner._engine._block is block
    runner.prepare(small, most_block_bytes=small.block_bytes + 1)
    assert runner.held["block"] == small.block_bytes
    runner.run(small, inputs_of(small))
    assert runner.held["block"] == small.block_bytes
    runner.close()
    assert runner.held == {"weights": 0, "block": 0}


def test_weights_of_other_layers_stay_only_if_they_are_to(two: Model) -> None:
    network = two.network
    first, second = (
        lower(network, Plan((group,), region=Region(0, 32, 0, 32)), two.offsets, picture=False)
        for group in (GroupPlan(0, 2), GroupPlan(2, 4))
    )
    maps = {INPUT: interleaved(random_image(64))}
    with Runner(two) as runner:
        maps |= runner.run(first, maps)
        assert runner._engine.resident == {0, 1}
        runner.run(second, maps)
        assert runner._engine.resident == {3}
        runner.prepare(first, keep=frozenset(range(9)))
        runner.run(first, maps)
        assert runner._engine.resident == {0, 1, 3}
        runner.prepare(second, keep=frozenset({0}))
        runner.run(second, maps)
        assert runner._engine.resident == {0, 3}


def test_the_footprint_is_what_is_held_and_handed_over(chain: Model, runner: Runner) -> None:
    lowered = chain_part(chain, 5, 20, 3, 32, rows=2, strip=3)
    inputs = inputs_of(lowered)
    outputs = runner.run(lowered, inputs)
    expected = {
        **runner.held,
        "programs": lowered.program_bytes,
        "input": sum(array.nbytes for array in inputs.values()),
        "output": sum(array.nbytes for array in outputs.values()),
    }
    taken = footprint(lowered, chain.network)
    parts = taken.parts | {"block": taken.block_bytes}
    assert {name: parts[name] for name in expected} == expected
    assert taken.peak_bytes == sum(expected.values()) + taken.slack
    picture = region_bytes(chain.network, lowered.inputs, picture=True)
    assert 4 * picture == expected["input"]


def test_progress_grows_while_kernels_work(chain: Model, monkeypatch: Any) -> None:
    lowered = chain_part(chain, 0, 32, 0, 32, rows=3)
    seen: list[int] = []
    look, go_on = threading.Barrier(2, timeout=GUARD_S), threading.Barrier(2, timeout=GUARD_S)
    monkeypatch.setattr(native, "_STAY_NS", 0)  # each tile is told at once

    def watched(*_: object) -> None:
        look.wait()
        go_on.wait()

    with Runner(chain) as runner:
        runner.watch(watched)
        task = threading.Thread(target=runner.run, args=(lowered, inputs_of(lowered)))
        task.start()
        for _ in range(3):
            look.wait()
            seen.append(runner.progress)
            go_on.wait()
        task.join()
        seen.append(runner.progress)
        runner.watch(None)
        other = chain_part(chain, 0, 3, 0, 32)
        runner.run(other, inputs_of(other))
        seen.append(runner.progress)
    assert 0 < seen[0] < seen[1] < seen[2] == seen[3] < seen[4]


def test_a_runner_recovers_from_a_failed_part(chain: Model, runner: Runner) -> None:
    lowered = chain_part(chain, 0, 32, 0, 32, rows=4)
    expected = runner.run(lowered, inputs_of(lowered))[3]

    def failing(*_: object) -> None:
        raise FtdistError("no more")

    runner.watch(failing)
    with pytest.raises(FtdistError, match="no more"):
        runner.run(lowered, inputs_of(lowered))
    runner.watch(None)
    np.testing.assert_array_equal(runner.run(lowered, inputs_of(lowered))[3], expected)
