"""What belongs together is put together, in whatever order it is written; results stay."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.geometry import Shape
from ftdist.network.graph import INPUT
from ftdist.network.modelfile import load, write_model
from ftdist.network.operators.base import Activation, Identity, Operation, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Add, Multiply
from ftdist.network.operators.windows import Convolution
from ftdist.network.ports import PLANAR, Input
from ftdist.network.rewriting.draft import Draft, Output, Step, finished
from ftdist.network.rewriting.rearranging import Reorder, place_reorders
from ftdist.network.rewriting.rewrite import rewritten, without_identities
from ftdist.network.rewriting.scaling import scaling
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session

SHAPE = Shape(4, 5, 3)


def convolution(source: int, seed: int, groups: int = 1) -> Step:
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(3, 3 // groups, 3, 3)).astype(np.float32)
    bias = generator.normal(size=3).astype(np.float32)
    operation = Convolution(3, Sliding.square(3, padding=1), groups)
    named = {"weights": lambda: weights, "bias": lambda: bias}
    return Step(f"conv{seed}", operation, (source,), SHAPE, named)


def plain(operation: Operation, *sources: int) -> Step:
    return Step(operation.kind, operation, sources, SHAPE)


@st.composite
def drafts(draw: Any) -> Draft:
    """Convolutions, factors, activations, gates and orders of channels, in any order."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 9))):
        source = draw(st.sampled_from([number - 1, number - 1, *range(INPUT, number)]))
        kind = draw(st.sampled_from("cccdssaaagmpir"))
        other = draw(st.integers(INPUT, number - 1))
        values = np.random.default_rng(number).normal(size=(2, 3))
        activation = draw(st.sampled_from(["relu", "logistic", "tanh"]))
        makers: dict[str, list[Step]] = {
            "c": [convolution(source, number)],
            "d": [convolution(source, number, 3)],
            "s": [scaling("scale", source, SHAPE, values[0], values[1])],
            "a": [plain(Activate(Activation(activation)), source)],
            "g": [plain(Activate(Activation("logistic")), source)],
            "m": [plain(Multiply(), source, other)],
            "p": [plain(Add(), source, other)],
            "i": [plain(Identity(), source)],
            "r": [plain(Reorder((2, 0, 1)), source)],
        }
        steps += makers[kind]
        if kind == "g":
            steps[-1] = plain(steps[-1].operation, source)
    ends = draw(st.sets(st.integers(0, len(steps) - 1), max_size=2)) | {len(steps) - 1}
    outputs = tuple(Output(f"out{end}", end, PLANAR) for end in sorted(ends))
    return Draft("draft", (Input("x", SHAPE),), tuple(steps), outputs).changed(steps, {})


def outputs_of(draft: Draft) -> dict[str, np.ndarray]:
    network, parameters = finished(draft)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draft.ftd"
        write_model(path, network, parameters())
        model = load(path)
    image = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)
    with Session(model, untiled(network)) as session:
        return session.run(image)


@given(drafts())
@settings(max_examples=80, deadline=None)
def test_a_rewritten_draft_computes_the_same(draft: Draft) -> None:
    after = rewritten(draft)
    assert len(after.steps) <= len(draft.steps)
    assert not any(isinstance(each.operation, Reorder) for each in after.steps)
    found, wanted = outputs_of(after), outputs_of(place_reorders(without_identities(draft)))
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        scale = max(1.0, float(np.abs(array).max()))
        np.testing.assert_allclose(found[name], array, atol=1e-4 * scale, rtol=1e-4)


def test_a_long_chain_of_factors_is_one_convolution() -> None:
    steps = [convolution(INPUT, 0)]
    for number in range(5000):
        values = np.full(3, 1 + (number % 2 or -1) * 1e-3), np.full(3, 1e-3)
        steps.append(scaling("scale", number, SHAPE, *values))
    outputs = (Output("out", 5000, PLANAR),)
    draft = rewritten(Draft("chain", (Input("x", SHAPE),), tuple(steps), outputs))
    assert len(draft.steps) == 1
    (parameters,) = finished(draft)[1]()
    assert np.isfinite(parameters.weights).all()


def test_a_sum_becomes_a_part_of_its_later_convolution() -> None:
    relu = Activate(Activation("relu"))
    for sides in ((0, 1), (1, 0)):
        steps = (convolution(INPUT, 0), convolution(0, 1), plain(Add(), *sides), plain(relu, 2))
        draft = rewritten(Draft("sum", (Input("x", SHAPE),), steps, (Output("y", 3, PLANAR),)))
        first, last = draft.steps
        assert last.inputs == (0, 0)
        assert first.operation == steps[0].operation
        assert isinstance(last.operation, Convolution)
        assert last.operation.activation == relu.activation


def test_sums_stay_where_no_convolution_of_theirs_can_add() -> None:
    depthwise, twice = convolution(0, 1, 3), plain(Add(), 1, 1)
    for step, sum_ in ((depthwise, plain(Add(), 0, 1)), (convolution(0, 1), twice)):
        steps = (convolution(INPUT, 0), step, sum_)
        draft = rewritten(Draft("sum", (Input("x", SHAPE),), steps, (Output("y", 2, PLANAR),)))
        assert isinstance(draft.steps[-1].operation, Add)


def test_swish_is_found_whichever_side_its_gate_is_on() -> None:
    for sides in ((0, 1), (1, 0)):
        gate = plain(Activate(Activation("logistic")), 0)
        steps = (convolution(INPUT, 0), gate, plain(Multiply(), *sides))
        draft = rewritten(Draft("swish", (Input("x", SHAPE),), steps, (Output("y", 2, PLANAR),)))
        (step,) = draft.steps
        assert isinstance(step.operation, Convolution)
        assert step.operation.activation.kind == "swish"
