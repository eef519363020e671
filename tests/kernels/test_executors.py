"""Cutting never changes a bit: random networks under random plans, on every executor.

All memory that a run may use is NaN before it: rows that were never made, or that another layer
left behind, show as a difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.networks import (
    cut_networks,
    model_of,
    networks,
    plans,
    random_input,
    reads_nothing_but_padding,
)
from support.oracles.oracle import evaluate
from support.oracles.poison import poisoned_memory

from ftdist.geometry import Shape
from ftdist.kernels import native
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Activation, ActivationKind, Sliding
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.parameters import random_parameters
from ftdist.network.ports import Pixels
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import Plan, parse_notation, untiled
from ftdist.runtime.local import Session

FUSED = [each for each in native.available() if each.fused]
OTHERS = [each for each in native.available() if not each.fused]
TOLERANCE = 1e-5
"""Allowed difference of sums in another order, relative to the largest value of the output."""


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
def test_no_cut_changes_a_bit(data, network) -> None:
    model, image = model_of(network), random_input(network)
    whole = run(model, untiled(network), image)
    for array in whole.values():
        assert np.isfinite(array).all()
    for plan in data.draw(st.lists(plans(network), min_size=2, max_size=2)):
        assert_same_bits(run(model, plan, image), whole)


@settings(max_examples=60)
@given(cut_networks())
@example(reads_nothing_but_padding())
def test_native_computes_what_the_layers_say(case) -> None:
    """Against an oracle that knows nothing of lowering: native and reference share one program."""
    network, plan = case
    image = random_input(network)
    expected = evaluate(network, random_parameters(network, 0), image)
    assert_close(run(model_of(network), plan, image), expected)


@settings(max_examples=60)
@given(cut_networks())
@example(reads_nothing_but_padding())
def test_native_agrees_with_the_reference(case) -> None:
    network, plan = case
    model, image = model_of(network), random_input(network)
    expected = run(model, untiled(network), image, "reference")
    assert_close(run(model, plan, image), expected)
    assert_close(run(model, plan, image, "reference"), expected)


@settings(max_examples=40)
@given(cut_networks())
def test_instruction_sets_agree(case) -> None:
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
def test_no_cut_changes_a_bit_without_fused_multiply_add_either(other, case) -> None:
    network, plan = case
    model, image = model_of(network), random_input(network)
    with instruction_set(other):
        assert_same_bits(run(model, plan, image), run(model, untiled(network), image))


@settings(max_examples=40)
@given(cut_networks(), st.sampled_from(["native", "reference"]))
def test_a_picture_is_its_values_over_255(case, kernels) -> None:
    network, plan = case
    model = model_of(network)
    picture = np.random.default_rng(0).integers(0, 256, network.input, np.uint8)
    scaled = (picture / np.float32(255)).transpose(2, 0, 1)
    expected = run(model, plan, np.ascontiguousarray(scaled), kernels)
    assert_same_bits(run(model, plan, picture, kernels), expected)


@settings(max_examples=40)
@given(cut_networks(), st.sampled_from(["native", "reference"]), st.booleans(), st.booleans())
def test_a_picture_is_seen_as_its_network_has_learnt(case, kernels, blue_first, apart) -> None:
    network, plan = case
    mean, deviation = ((124.0, 116.0, 104.0), (58.0, 57.0, 55.0)) if apart else ((127.0,), (128.0,))
    pixels = Pixels(mean, deviation, blue_first)
    network = replace(network, inputs=(replace(network.inputs[0], pixels=pixels),))
    model = model_of(network)
    picture = np.random.default_rng(0).integers(0, 256, network.input, np.uint8)
    own = [c % len(mean) if c < 3 else 0 for c in range(network.input.channels)]
    ordered = picture[:, :, ::-1] if blue_first else picture
    means, deviations = (np.asarray(each, np.float32)[own] for each in (mean, deviation))
    seen = (ordered - means) / deviations
    expected = run(model, plan, np.ascontiguousarray(seen.transpose(2, 0, 1)), kernels)
    assert_same_bits(run(model, plan, picture, kernels), expected)


@settings(max_examples=40)
@given(cut_networks(), st.data())
def test_nan_passes_through_and_cuts_do_not_change_where(case, data) -> None:
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


def test_nan_wins_every_activation_and_both_pools() -> None:
    builder = NetworkBuilder("nan", Shape(2, 2, 1))
    kinds: tuple[ActivationKind, ...]
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
def test_a_session_carries_nothing_from_run_to_run(case) -> None:
    network, plan = case
    model = model_of(network)
    first, second = random_input(network, 1), random_input(network, 2)
    expected = run(model, plan, first)
    with Session(model, plan) as session:
        session.run(second)
        assert_same_bits(session.run(first), expected)


def test_the_poison_is_seen() -> None:
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


def test_channels_are_taken_by_parts() -> None:
    """A route to one of two halves, by hand: nothing else pins down which channels a part is."""
    builder = NetworkBuilder("parts", Shape(1, 1, 6))
    builder.add(Concatenate(2, 1), [INPUT])
    builder.add(Concatenate(), [0, INPUT])
    network = builder.finish()
    image = np.arange(6, dtype=np.float32).reshape(6, 1, 1)
    for kernels in ("native", "reference"):
        outputs = run(model_of(network), untiled(network), image, kernels)
        assert outputs["concatenate1"].ravel().tolist() == [3, 4, 5, 0, 1, 2, 3, 4, 5]
