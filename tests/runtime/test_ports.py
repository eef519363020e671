"""Arrays by name, in the order and with the dims that the network's users have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import model_of, plans, ported_networks
from support.oracles.oracle import evaluate_maps
from support.smallmodels import CHAIN

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.many.inputs import read_input
from ftdist.network.builder import NetworkBuilder
from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Activation, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Add
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.parameters import random_parameters
from ftdist.network.ports import PLANAR, Input, Layout
from ftdist.network.serialise import from_json, to_json
from ftdist.planning.lowering.predictor import footprint
from ftdist.planning.plan import Plan, parse_notation, untiled
from ftdist.runtime.local import Session

LISTED = Layout(planar=False, dims=(1, 12))


def maps_of(network: Network, seed: int = 0) -> dict[int, np.ndarray]:
    """Random input maps (height, width, channels) by number."""
    generator = np.random.default_rng(seed)
    return {
        number: generator.standard_normal(network.shape(number), dtype=np.float32)
        for number in network.input_numbers
    }


def arrays_of(network: Network, maps: dict[int, np.ndarray]) -> dict[str, np.ndarray]:
    """The same as the network's users have them."""
    found = {}
    for at, each in enumerate(network.inputs):
        own = maps[-1 - at].transpose(2, 0, 1) if each.layout.planar else maps[-1 - at]
        found[each.name] = own.reshape(each.layout.of(each.shape))
    return found


def pyramid() -> Network:
    """Two inputs, one of them positions first; three outputs, of which others read two."""
    builder = NetworkBuilder(
        "pyramid",
        [Input("picture", Shape(8, 12, 3), Layout(planar=False)), Input("mask", Shape(8, 12, 4))],
    )
    first = builder.add(Convolution(4, Sliding.square(3, padding=1)), [INPUT], "first")
    both = builder.add(Add(), [first, INPUT - 1], "both")
    coarse = builder.add(Pool("max", Sliding.square(2, 2)), [both], "coarse")
    builder.add(Convolution(2, Sliding.square(1)), [coarse], "wide")
    sharp = builder.add(Activate(Activation("relu")), [coarse])
    builder.add(Pool("average", Sliding.square(2, 2)), [sharp], "cells")
    return builder.finish({first: Layout(planar=False), coarse: PLANAR, 3: PLANAR, 5: PLANAR})


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_inputs_and_outputs_are_those_of_the_definition(data: Any) -> None:
    network = data.draw(ported_networks())
    plan: Plan = data.draw(plans(network))
    maps = maps_of(network)
    expected = evaluate_maps(network, random_parameters(network, 0), maps)
    with Session(model_of(network), plan) as session:
        outputs = session.run(arrays_of(network, maps))
        lowered = session.lowered(picture=False)
    assert list(outputs) == [network.layers[number].name for number in network.outputs]
    for number in network.outputs:
        name, layout = network.layers[number].name, network.layout(number)
        assert outputs[name].shape == layout.of(network.shape(number))
        own = expected[name].transpose(2, 0, 1) if layout.planar else expected[name]
        np.testing.assert_allclose(outputs[name][0], own, rtol=2e-4, atol=2e-4)
    size = sum(each.shape.bytes for each in network.inputs)
    assert footprint(lowered, network, 0, size).output >= max(
        each.nbytes for each in outputs.values()
    )


@pytest.mark.parametrize("kernels", ["native", "reference"])
@pytest.mark.parametrize("notation", ["1x1", "2x3s1", "1x1/1/2x2s1/3/2x1"])
def test_an_output_that_others_read_is_whole_under_every_plan(kernels: Any, notation: str) -> None:
    network = pyramid()
    maps, model = maps_of(network), model_of(network)
    with Session(model, untiled(network), kernels) as session:
        expected = session.run(arrays_of(network, maps))
    with Session(model, parse_notation(notation, network, 2), kernels) as session:
        outputs = session.run(arrays_of(network, maps))
    assert {name: each.shape for name, each in outputs.items()} == {
        "first": (1, 8, 12, 4),
        "coarse": (1, 4, 4, 6),
        "wide": (1, 2, 4, 6),
        "cells": (1, 4, 2, 3),
    }
    for name, array in outputs.items():
        np.testing.assert_array_equal(array.view(np.uint32), expected[name].view(np.uint32))


def test_a_network_is_read_back_with_its_inputs_and_outputs() -> None:
    network = pyramid()
    assert from_json(json.loads(json.dumps(to_json(network)))) == network
    builder = NetworkBuilder("list", [Input("x", Shape(1, 1, 12), LISTED)])
    builder.add(Activate(Activation("relu")), [INPUT])
    network = builder.finish({0: LISTED})
    assert from_json(json.loads(json.dumps(to_json(network)))) == network
    with Session(model_of(network), untiled(network)) as session:
        array = np.arange(-6, 6, dtype=np.float32)
        np.testing.assert_array_equal(session.run(array[None])["activate0"], [array.clip(0)])
        assert session.run(array)["activate0"].shape == (12,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": []}, "none"),
        ({"outputs": [{"layer": 3, "layout": {"planar": True, "dims": []}}]}, "nobody reads"),
        ({"inputs": []}, "at least one"),
        ({"outputs": [{"layer": 99, "layout": {"planar": True, "dims": []}}]}, "is not a layer"),
        ({"outputs": [{"layer": 0, "layout": {"planar": True, "dims": [1, 5]}}]}, "is not a map"),
    ],
)
def test_descriptions_whose_ends_make_no_sense_are_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        from_json(json.loads(json.dumps(to_json(pyramid()))) | change)


def test_several_inputs_come_by_name() -> None:
    network = pyramid()
    arrays = arrays_of(network, maps_of(network))
    with Session(model_of(network), untiled(network)) as session:
        with pytest.raises(InputError, match="2 inputs; give arrays by name: picture, mask"):
            session.run(arrays["picture"])
        with pytest.raises(InputError, match="takes mask, picture, not picture"):
            session.run({"picture": arrays["picture"]})
        with pytest.raises(InputError, match=r"input mask has shape .*float32 .channels"):
            session.run(arrays | {"mask": arrays["mask"][..., :3]})
        with pytest.raises(InputError, match="input picture is uint8"):
            session.run(arrays | {"picture": arrays["picture"].astype(np.uint8)})


def test_files_hold_several_inputs_by_name(tmp_path: Path) -> None:
    network = pyramid()
    arrays = arrays_of(network, maps_of(network))
    np.savez(tmp_path / "both.npz", **arrays, more=np.zeros(3))  # type: ignore[arg-type]
    found = read_input(tmp_path / "both.npz", network)
    assert isinstance(found.array, dict)
    assert found.array.keys() == arrays.keys()
    assert not found.is_picture
    np.savez(tmp_path / "one.npz", picture=arrays["picture"])
    with pytest.raises(InputError, match=r"one.npz: pyramid takes mask, picture, not picture"):
        read_input(tmp_path / "one.npz", network)
    (tmp_path / "none.npz").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(InputError, match=r"none.npz: is not a .npz file"):
        read_input(tmp_path / "none.npz", network)


@pytest.mark.parametrize("kind", ["f8", "f2", "i4", "i8", ">f4", "u1", "b1"])
def test_a_file_of_other_numbers_is_read_as_float32(tmp_path: Path, kind: str) -> None:
    network = parse_cfg(CHAIN, "chain").network
    values = np.random.default_rng(1).integers(0, 2, (1, 3, 64, 64))
    for array in (values, values[0]):
        np.save(tmp_path / "values.npy", array.astype(kind))
        found = read_input(tmp_path / "values.npy", network)
        assert isinstance(found.array, np.ndarray) and not found.is_picture
        assert found.array.dtype == np.float32 and np.array_equal(found.array, array)


def test_pixels_may_have_an_axis_before_them(tmp_path: Path) -> None:
    network = parse_cfg(CHAIN, "chain").network
    pixels = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3), np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    found = read_input(tmp_path / "pixels.npy", network)
    assert isinstance(found.array, np.ndarray) and found.is_picture
    assert np.array_equal(found.array, pixels[0])
    np.save(tmp_path / "pixels.npy", pixels.astype("c8"))
    with pytest.raises(
        InputError, match=r"pixels.npy: the input is complex64; chain takes float32"
    ):
        read_input(tmp_path / "pixels.npy", network)
