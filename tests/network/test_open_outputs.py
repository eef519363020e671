"""Outputs whose length depends on the values: how they lie in a map, and in a model file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.operators.base import LINEAR
from ftdist.network.operators.channels import Activate
from ftdist.network.ports import Input, Layout
from ftdist.network.serialise import from_json, to_json


@pytest.mark.parametrize("count", [0, 1, 3, 5])
@pytest.mark.parametrize(("dims", "open_dim"), [((5, 4), 1), ((1, 5, 4), 2), ((2, 5, 2), 2)])
def test_an_array_is_as_long_as_its_map_says(
    dims: tuple[int, ...], open_dim: int, count: int
) -> None:
    layout, shape = Layout(False, dims, open_dim), Shape(1, 6, 4)
    layout.check("boxes", shape)
    own = list(dims)
    own[open_dim - 1] = count
    array = np.random.default_rng(count).random(own, np.float32)
    values = layout.values(array, shape)
    assert values.shape == (1, 6, 4)
    assert (values[0, 0] == count).all()
    np.testing.assert_array_equal(layout.array(values, shape), array)
    inner = layout.array(values, shape, inner=True)
    np.testing.assert_array_equal(inner, array[0] if dims[0] == 1 else array)


def test_a_list_of_at_most_one_entry_keeps_its_dim() -> None:
    layout, shape = Layout(False, (1, 4), 1), Shape(1, 2, 4)
    assert layout.inner(shape) == (1, 4)
    empty = np.zeros((1, 2, 4), np.float32)
    assert layout.array(empty, shape, inner=True).shape == (0, 4)


@pytest.mark.parametrize("count", [-3.0, np.nan, np.inf, 99.0])
def test_no_count_leads_beside_the_map(count: float) -> None:
    values = np.full((1, 6, 4), count, np.float32)
    assert len(Layout(False, (5, 4), 1).array(values, Shape(1, 6, 4))) == (5 if count > 5 else 0)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (Layout(True, (5, 4), 1), Shape(1, 6, 4)),
        (Layout(False, (5, 4), 3), Shape(1, 6, 4)),
        (Layout(False, (5, 4), 1), Shape(1, 5, 4)),
        (Layout(False, (5, 4), 1), Shape(6, 1, 4)),
        (Layout(False, (), 1), Shape(1, 6, 4)),
    ],
)
def test_what_cannot_be_open_is_refused(layout: Layout, shape: Shape) -> None:
    with pytest.raises(InputError):
        layout.check("boxes", shape)


def test_a_model_file_says_which_dim_is_open() -> None:
    builder = NetworkBuilder("lists", [Input("x", Shape(1, 6, 4))])
    layer = builder.add(Activate(LINEAR), [-1], "boxes")
    network = builder.finish({layer: Layout(False, (5, 4), 1)})
    described = json.loads(json.dumps(to_json(network)))
    assert from_json(described) == network
    del described["outputs"][0]["layout"]["open_dim"]  # as an older file has it
    with pytest.raises(InputError):
        from_json(described)
    assert network.layout(layer).told(network.shape(layer)) == "up to 5x4"
