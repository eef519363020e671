"""Cutting never changes a bit: random networks under random plans, on every executor.

All memory that a run may use is NaN before it: rows that were never made, or that another layer
left behind, show as a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import (
    cut_networks,
    model_of,
    networks,
    plans,
    random_input,
    reads_nothing_but_padding,
)
from oracle import evaluate

from ftdist.geometry import Shape
from ftdist.kernels import native, reference
from ftdist.kernels.program import COUNTERS, Program
from ftdist.network.graph import INPUT, NetworkBuilder
from ftdist.network.layers import Activation, Concatenate, Convolution, Pool, Sliding
from ftdist.network.parameters import random_parameters
from ftdist.planning.plan import GroupPlan, Plan, parse_notation, untiled
from ftdist.planning.predictor import lower
from ftdist.runtime import local
from ftdist.runtime.local import Session

FUSED = [each for each in native.available() if each.fused]
OTHERS = [each for each in native.available() if not each.fused]
TOLERANCE = 1e-5
"""Allowed difference of sums in another order, relative to the largest value of the output."""


@contextmanager
def poisoned_memory() -> Iterator[list[np.ndarray]]:
    """Everything that a session takes from the system is NaN; yields the blocks that it took."""
    taken: list[np.ndarray] = []
    empty = np.empty

    def poisoned_block(size: int) -> np.ndarray:
        # No byte of slack behind the block, and not even one float's worth of anything but NaN.
        taken.append(np.full(-(-size // 4), np.nan, np.float32).view(np.uint8)[:size])
        return taken[-1]

    def poisoned_empty(shape: Any, dtype: Any = float, **others: Any) -> np.ndarray:
        array = empty(shape, dtype, **others)
        if array.dtype == np.float32:
            array.fill(np.nan)
        return array

    with (
        patch.object(local, "page_block", poisoned_block),
        patch.object(np, "empty", poisoned_empty),
    ):
        yield taken


def run(model: Any, plan: Plan, image: np.ndarray, kernels: Any = "native") -> dict[str, Any]:
    with poisoned_memory() as taken, Session(model, plan, kernels) as session:
        outputs = session.run(image)
        picture = image.dtype == np.uint8
        assert [each.nbytes for each in taken] == [session.lowered(picture=picture).block_bytes]
    return outputs


@contextmanager
def instruction_set(wanted: native.InstructionSet) -> Iterator[None]:
    with patch.object(native, "chosen", lambda: wanted):
        yield


def assert_same_bits(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name].view(np.int32), array.view(np.int32), name)


def assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, rtol=0, atol=TOLERANCE * np.abs(array).max(), err_msg=name
        )


@settings(max_examples=100)
@given(st.data(), networks())
def test_no_cut_changes_a_bit(data, network):
    model, image = model_of(network), random_input(network)
    whole = run(model, untiled(network), image)
    for array in whole.values():
        assert np.isfinite(array).all()
    for plan in data.draw(st.lists(plans(network), min_size=2, max_size=2)):
        assert_same_bits(run(model, plan, image), whole)


@settings(max_examples=60)
@given(cut_networks())
@example(reads_nothing_but_padding())
def test_native_computes_what_the_layers_say(case):
    """Against an oracle that knows nothing of lowering: native and reference share one program."""
    network, plan = case
    image = random_input(network)
    expected = evaluate(network, random_parameters(network, 0), image)
    assert_close(run(model_of(network), plan, image), expected)


@settings(max_examples=60)
@given(cut_networks())
@example(reads_nothing_but_padding())
def test_native_agrees_with_the_reference(case):
    network, plan = case
    model, image = model_of(network), random_input(network)
    expected = run(model, untiled(network), image, "reference")
    assert_close(run(model, plan, image), expected)
    assert_close(run(model, plan, image, "reference"), expected)


@settings(max_examples=40)
@given(cut_networks())
def test_instruction_sets_agree(case):
    """Those with fused multiply-add to the bit, all others to rounding."""
    network, plan = case
    model, image = model_of(network), random_input(network)
    with instruction_set(native.available()[-1]):
        expected = run(model, plan, image)
    for each in native.available():
        with instruction_set(each):
            assert_close(run(model, plan, image), expected)
    if FUSED:
        with instruction_set(FUSED[0]):
            fused = run(model, plan, image)
        for each in FUSED[1:]:
            with instruction_set(each):
                assert_same_bits(run(model, plan, image), fused)


@settings(max_examples=40)
@given(cut_networks())
@pytest.mark.parametrize("other", OTHERS, ids=lambda each: each.name)
def test_no_cut_changes_a_bit_without_fused_multiply_add_either(other, case):
    network, plan = case
    model, image = model_of(network), random_input(network)
    with instruction_set(other):
        assert_same_bits(run(model, plan, image), run(model, untiled(network), image))


@settings(max_examples=40)
@given(cut_networks(), st.sampled_from(["native", "reference"]))
def test_a_picture_is_its_values_over_255(case, kernels):
    network, plan = case
    model = model_of(network)
    picture = np.random.default_rng(0).integers(0, 256, network.input, np.uint8)
    scaled = (picture / np.float32(255)).transpose(2, 0, 1)
    expected = run(model, plan, np.ascontiguousarray(scaled), kernels)
    assert_same_bits(run(model, plan, picture, kernels), expected)


@settings(max_examples=40)
@given(cut_networks(), st.data())
def test_nan_passes_through_and_cuts_do_not_change_where(case, data):
    network, plan = case
    model, image = model_of(network), random_input(network)
    flat = image.reshape(-1)
    flat[data.draw(st.lists(st.integers(0, flat.size - 1), min_size=1, max_size=3))] = np.nan
    whole = run(model, untiled(network), image)
    cut = run(model, plan, image)
    defined = run(model, untiled(network), image, "reference")
    for name, array in whole.items():
        np.testing.assert_array_equal(cut[name], array, name)
        np.testing.assert_array_equal(np.isnan(array), np.isnan(defined[name]), name)


def test_nan_wins_every_activation_and_both_pools():
    builder = NetworkBuilder("nan", Shape(2, 2, 1))
    kinds = ("linear", "leaky", "relu", "relu6", "logistic", "swish", "mish", "hardswish")
    for kind in kinds:
        builder.add(Convolution(1, Sliding.square(1), activation=Activation(kind)), [INPUT])
    for mode in ("max", "average"):
        builder.add(Pool(mode, Sliding.square(2)), [INPUT])
    network = builder.finish()
    for position in range(4):
        image = np.ones((1, 2, 2), np.float32)
        image.reshape(-1)[position] = np.nan
        outputs = run(model_of(network), untiled(network), image)
        for number, array in enumerate(outputs.values()):
            expected = np.isnan(image) if number < len(kinds) else np.ones((1, 1, 1), bool)
            np.testing.assert_array_equal(np.isnan(array), expected)


@settings(max_examples=20)
@given(cut_networks())
def test_a_session_carries_nothing_from_run_to_run(case):
    network, plan = case
    model = model_of(network)
    first, second = random_input(network, 1), random_input(network, 2)
    expected = run(model, plan, first)
    with Session(model, plan) as session:
        session.run(second)
        assert_same_bits(session.run(first), expected)


def test_the_poison_is_seen():
    """Where a line buffer is not restored, the outputs differ: the check above can fail."""
    builder = NetworkBuilder("two", Shape(12, 12, 3))
    builder.add(Convolution(5, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(5, Sliding.square(3, padding=1)), [0])
    network = builder.finish()
    model, image = model_of(network), random_input(network)
    plan = parse_notation("1x1s2", network)
    whole = run(model, untiled(network), image)
    lowered = lower(network, plan, model.offsets, picture=False)
    calls = lowered.programs[0].calls[0]
    kernels = lowered.programs[0].kernels[0]
    restores = [
        number
        for number, call in enumerate(calls)
        if kernels["in"]["base"][call["kernel"]] == kernels["out"]["base"][call["kernel"]]
        and call["row"] > 0
    ]
    seen = 0
    for number in restores:
        kept = calls[number].copy()
        calls[number] = calls[0]
        with poisoned_memory(), Session(model, plan) as session:
            session.adopt(lowered, picture=False)
            outputs = session.run(image)
        calls[number] = kept
        seen += not np.array_equal(outputs["convolutional1"], whole["convolutional1"])
    assert seen > len(restores) // 2


def small_program() -> tuple[Any, Program, list[np.ndarray], np.ndarray]:
    """A model, a program of it with several kinds of calls, its maps and its counters."""
    builder = NetworkBuilder("small", Shape(8, 8, 4))
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Pool("max", Sliding.square(2, 2)), [0])
    network = builder.finish()
    model = model_of(network)
    plan = Plan((GroupPlan(0, 2, 1, 1, 1),))
    group = lower(network, plan, model.offsets, picture=False).programs[0]
    program = group.program(0)
    maps = [random_input(network), np.full((4, 4, 4), np.nan, np.float32)]
    arena = np.full(group.arena_bytes // 4, np.nan, np.float32).view(np.uint8)
    counters = np.zeros(len(program.kernels), COUNTERS)
    kernels = program.kernels.copy()
    return model, Program(kernels, program.calls.copy()), [arena, *maps], counters


def last(field: str, value: int) -> Callable[[Program, list[np.ndarray]], None]:
    """Sets a field of the last call: all calls before it are sound, and must not run either."""

    def change(program: Program, memory: list[np.ndarray]) -> None:
        program.calls[field][-1] = value

    return change


def kernel(field: str, value: int, inner: str = "") -> Callable[[Program, list[np.ndarray]], None]:
    """Sets a field of the last call's kernel."""

    def change(program: Program, memory: list[np.ndarray]) -> None:
        table = program.kernels[field]
        (table[inner] if inner else table)[program.calls["kernel"][-1]] = value

    return change


def shorten(index: int) -> Callable[[Program, list[np.ndarray]], None]:
    """Takes the last 4 bytes from the arena or from a map."""

    def change(program: Program, memory: list[np.ndarray]) -> None:
        memory[index] = memory[index].reshape(-1).view(np.uint8)[:-4]

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(last("kernel", 99), id="no such kernel"),
        pytest.param(last("kernel", -1), id="negative kernel"),
        pytest.param(last("rows", 0), id="no rows"),
        pytest.param(last("rows", 1000), id="too many rows"),
        pytest.param(last("row", -1), id="row before the map"),
        pytest.param(last("row", 9), id="row after the map"),
        pytest.param(last("in_row", 99), id="input row that is not stored"),
        pytest.param(last("out_row", -1000), id="written behind the buffer"),
        pytest.param(kernel("out", 7, "base"), id="no such map"),
        pytest.param(kernel("out", -1, "offset"), id="before the map"),
        pytest.param(kernel("out", 1 << 40, "offset"), id="far behind the map"),
        pytest.param(kernel("in", 1 << 40, "offset"), id="read far behind the arena"),
        pytest.param(kernel("in", 1 << 62, "pixel"), id="a stride that overflows"),
        pytest.param(kernel("right", 99), id="columns beside the buffer"),
        pytest.param(kernel("op", 99), id="no such operation"),
        pytest.param(shorten(0), id="arena too small"),
        pytest.param(shorten(1), id="input too small"),
        pytest.param(shorten(2), id="output too small"),
    ],
)
def test_a_program_that_leaves_its_buffers_is_refused_and_nothing_runs(change):
    model, program, memory, counters = small_program()
    change(program, memory)
    with pytest.raises(ValueError, match=r"kernel|call"):
        native.run(program, memory[0], model.weights, memory[1:], counters)
    assert np.isnan(memory[0].view(np.float32)).all()
    assert np.isnan(memory[2].view(np.float32)).all()
    assert not counters.view(np.int64).any()


def test_the_program_itself_is_sound():
    model, program, memory, counters = small_program()
    native.run(program, memory[0], model.weights, memory[1:], counters)
    assert np.isfinite(memory[2]).all()
    assert counters["macs"].sum() == 8 * 8 * 4 * 4 * 9
    expected = memory[2].copy()
    memory[0].view(np.float32)[:] = np.nan
    reference.run(program, memory[0], model.weights, memory[1:], counters)
    np.testing.assert_allclose(memory[2], expected, rtol=0, atol=TOLERANCE * expected.max())


@pytest.mark.parametrize("blob", ["weights", "bias"])
def test_weights_beyond_the_model_are_refused(blob):
    model, program, memory, counters = small_program()
    program.kernels[blob][:] = model.weights.nbytes // 4 - 15
    with pytest.raises(ValueError, match="kernel"):
        native.run(program, memory[0], model.weights, memory[1:], counters)
    assert np.isnan(memory[2]).all()


def test_channels_are_taken_by_parts():
    """A route to one of two halves, by hand: nothing else pins down which channels a part is."""
    builder = NetworkBuilder("parts", Shape(1, 1, 6))
    builder.add(Concatenate(2, 1), [INPUT])
    builder.add(Concatenate(), [0, INPUT])
    network = builder.finish()
    image = np.arange(6, dtype=np.float32).reshape(6, 1, 1)
    for kernels in ("native", "reference"):
        outputs = run(model_of(network), untiled(network), image, kernels)
        assert outputs["concatenate1"].ravel().tolist() == [3, 4, 5, 0, 1, 2, 3, 4, 5]
