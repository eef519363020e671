"""Winograd's convolution: the same bits in every cut, beside direct layers, and small errors.

Small networks have few layers that are worth it; here each 3x3 convolution may be computed so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import model_of, networks, plans, random_input
from support.oracles.oracle import evaluate
from support.oracles.poison import poisoned_memory

from ftdist.geometry import Shape
from ftdist.kernels import native
from ftdist.network import implementations
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.implementations import IMPLEMENTATIONS, Arithmetic
from ftdist.network.modelheader import ArrayName
from ftdist.network.operators.base import Activation, Sliding
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.packing import BLOCKS, FORMS
from ftdist.network.parameters import random_parameters
from ftdist.planning.plan import Plan, parse_notation, untiled
from ftdist.runtime.local import Session

ALGORITHMS = ("winograd2", "winograd4")
ERRORS = {"winograd2": 5e-6, "winograd4": 2e-5}
"""The largest errors, relative to the largest value of the output."""


@pytest.fixture(autouse=True)
def every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implementations, "_FEWEST_CHANNELS", 1)


def run(model: Any, plan: Plan, image: np.ndarray, kernels: Any = "native") -> dict[str, Any]:
    with poisoned_memory(), Session(model, plan, kernels) as session:
        return session.run(image)


def assert_same_bits(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name].view(np.int32), array.view(np.int32), name)


def assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], by: float) -> None:
    for name, array in expected.items():
        most = by * np.abs(array).max()
        np.testing.assert_allclose(found[name], array, rtol=0, atol=most, err_msg=name)


@st.composite
def arithmetics(draw: Any, network: Network) -> Arithmetic:
    """Any algorithm for each layer that it suits; at least one of them, where there is any."""
    suited = [
        (number, [n for n in ALGORITHMS if IMPLEMENTATIONS[n].suits(*network.asked(number))])
        for number in range(len(network.layers))
    ]
    chosen = [(number, draw(st.sampled_from(["direct", *n, *n]))) for number, n in suited if n]
    return tuple(each for each in chosen if each[1] != "direct")


@st.composite
def winograd_networks(draw: Any) -> Network:
    """A random network that ends in a few 3x3 convolutions, some with pools."""
    height, width = draw(st.integers(5, 26)), draw(st.integers(5, 26))
    builder = NetworkBuilder("wino", Shape(height, width, draw(st.integers(1, 9))))
    last = INPUT
    for _ in range(draw(st.integers(1, 4))):
        shape = builder.shape(last)
        filters = draw(st.sampled_from([1, 5, 16, 17, 40, 70]))
        activation = Activation(draw(st.sampled_from(["linear", "leaky", "relu", "mish"])))
        window = Sliding.square(3, padding=draw(st.sampled_from([1, 1, 1, 0, 3])))
        if min(shape.height, shape.width) < 4:
            break
        last = builder.add(Convolution(filters, window, activation=activation), [last])
        if draw(st.booleans()) and min(builder.shape(last)[:2]) >= 4:
            last = builder.add(Pool("max", Sliding.square(2, 2)), [last])
    return builder.finish()


@settings(max_examples=80)
@given(st.data(), networks() | winograd_networks())
def test_no_cut_changes_a_bit(data, network) -> None:
    arithmetic = data.draw(arithmetics(network))
    model, image = model_of(network), random_input(network)
    whole = run(model, replace(untiled(network), arithmetic=arithmetic), image)
    for plan in data.draw(st.lists(plans(network), min_size=2, max_size=2)):
        assert_same_bits(run(model, replace(plan, arithmetic=arithmetic), image), whole)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("channels", [65, 96, 128, 200])
def test_many_channels_fit_where_the_kernel_works(channels: int, name: str) -> None:
    """Streamed weights are transformed some channels at a time: then inputs lie otherwise.

    Where the kernel's memory is the last of an arena, programs that leave it are refused; elsewhere
    they would overwrite what is beside it, and bits would differ.
    """
    builder = NetworkBuilder("wide", Shape(23, 18, 3))
    builder.add(Convolution(channels, Sliding.square(1)), [INPUT])
    builder.add(Convolution(80, Sliding.square(3, padding=1)), [0])
    builder.add(Convolution(7, Sliding.square(1)), [1])
    network = builder.finish()
    model, image = model_of(network), random_input(network)
    whole = run(model, replace(untiled(network), arithmetic=((1, name),)), image)
    for cut in ("1x1w", "1x1s3w", "1x1/1/1x1w/2/1x1", "1x1/1/1x1s5w", "2x2s4w/2/1x1"):
        for threads in (1, 2):
            plan = parse_notation(f"{cut}@{name}=1", network, threads)
            assert_same_bits(run(model, plan, image), whole)


@settings(max_examples=60)
@given(st.data(), winograd_networks())
def test_it_computes_what_the_layers_say(data, network) -> None:
    plan = replace(data.draw(plans(network)), arithmetic=data.draw(arithmetics(network)))
    model, image = model_of(network), random_input(network)
    expected = evaluate(network, random_parameters(network, 0), image)
    found = run(model, plan, image)
    assert_close(found, expected, 1e-4)
    assert_close(run(model, plan, image, "reference"), found, 1e-4)


@settings(max_examples=30)
@given(st.data(), winograd_networks())
def test_fused_instruction_sets_give_the_same_bits(data, network) -> None:
    plan = replace(data.draw(plans(network)), arithmetic=data.draw(arithmetics(network)))
    model, image = model_of(network), random_input(network)
    fused = None
    for each in native.available():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "chosen", lambda each=each: each)
            found = run(model, plan, image)
        if each.fused:
            fused = fused or found
            assert_same_bits(found, fused)


@pytest.mark.parametrize("filters", [16, 21])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_transformed_weights_are_as_many_as_their_form_has(name: str, filters: int) -> None:
    operation, source = Convolution(filters, Sliding.square(3, padding=1)), Shape(8, 8, 37)
    expected = FORMS[name].sizes(operation, source)["weights"]
    assert IMPLEMENTATIONS[name].transformed_floats(operation, source) == expected


@pytest.mark.parametrize("name", ALGORITHMS)
def test_transformed_weights_are_those_of_the_definition_to_the_bit(name) -> None:
    builder = NetworkBuilder("one", Shape(8, 8, 37))
    builder.add(Convolution(21, Sliding.square(3, padding=1)), [INPUT])
    model = model_of(builder.finish())
    operation, (source,) = model.network.asked(0)
    form, (named,) = FORMS[name], random_parameters(model.network, 0)
    expected = form.pack(operation, source, named.named)["weights"]
    at = model.offsets[ArrayName(0, BLOCKS.name, "weights")]
    found = np.empty_like(expected)
    native.transform(model.file, at, 2, 37, int(name[-1]), found.view(np.uint8))
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("channels", [16, 64, 256])
def test_errors_are_what_is_said_of_them(name, channels) -> None:
    """Against double precision, for maps as activations leave them: of one sign."""
    builder = NetworkBuilder("one", Shape(24, 24, channels))
    builder.add(Convolution(32, Sliding.square(3, padding=1)), [INPUT])
    network = builder.finish()
    model = model_of(network)
    image = np.random.default_rng(3).random((channels, 24, 24), np.float32)
    found = run(model, replace(untiled(network), arithmetic=((0, name),)), image)
    expected = evaluate(network, random_parameters(network, 0), image)
    assert_close(found, expected, ERRORS[name])
