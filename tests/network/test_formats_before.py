"""Files that an earlier version wrote (`before/`, at commit b6d245a) are read, and mean the same.

`model.ftd`: a 3x3 convolution, a pool and a 1x1 convolution with random weights; `plan.json`: a
plan for it; `output.npy`: what that version computed from a seeded input.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ftdist import Session
from ftdist.network.modelfile import load
from ftdist.network.modelheader import ArrayName
from ftdist.network.parameters import random_parameters
from ftdist.planning.plan import parse_json, untiled

BEFORE = Path(__file__).parent / "before"


def test_a_model_file_is_read_with_its_weights() -> None:
    model = load(BEFORE / "model.ftd")
    kinds = [layer.operation.kind for layer in model.network.layers]
    assert kinds == ["convolutional", "pool", "convolutional"]
    floats = model.weights.view(np.float32)
    for each in random_parameters(model.network, 1):
        start = model.offsets[ArrayName(each.layer, "blocks", "bias")]
        np.testing.assert_array_equal(floats[start : start + each.bias.size], each.bias)


def test_a_plan_file_is_the_plan_that_it_was() -> None:
    model, text = load(BEFORE / "model.ftd"), (BEFORE / "plan.json").read_text()
    plan = parse_json(text, model.network, model.digest)
    assert plan.notation == "2x2/1/1x1s2"
    assert plan.digest(model.digest) == json.loads(text)["plan"]["digest"]


def test_what_is_computed_is_what_was_computed() -> None:
    """To rounding: the machine that wrote it may have had another instruction set."""
    model = load(BEFORE / "model.ftd")
    image = np.random.default_rng(0).normal(size=(3, 12, 16)).astype("f4")
    with Session(model, untiled(model.network)) as session:
        (output,) = session.run(image).values()
    np.testing.assert_allclose(output, np.load(BEFORE / "output.npy"), rtol=1e-4, atol=1e-5)
