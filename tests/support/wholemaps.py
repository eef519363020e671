"""Networks around one operator that needs whole maps, run under several plans.

The operator reads what activations have made of the network's inputs, which lies in the block of
memory; its own map is read by an activation again, and given out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from ftdist.geometry import Shape
from ftdist.kernels import native
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import Network
from ftdist.network.operators.base import Activation, Operation
from ftdist.network.operators.channels import Activate
from ftdist.network.parameters import Parameters
from ftdist.network.ports import Input
from ftdist.planning.plan import Plan, parse_notation, untiled
from ftdist.runtime.local import Session
from support.networks import written_model

Map = np.ndarray
"""(height, width, channels)"""


def alone(operation: Operation, shapes: Sequence[Shape]) -> Network:
    """The operator reads and makes the user's planar arrays, which go through its arena."""
    builder = NetworkBuilder("alone", [Input(f"in{n}", shape) for n, shape in enumerate(shapes)])
    builder.add(operation, [-1 - number for number in range(len(shapes))])
    return builder.finish()


def around(operation: Operation, shapes: Sequence[Shape]) -> Network:
    """The operator between others: all that it reads and makes lies in the block."""
    inputs = [Input(f"in{number}", shape) for number, shape in enumerate(shapes)]
    builder = NetworkBuilder("around", inputs)
    plain = Activate(Activation("linear"))
    read = [builder.add(plain, [-1 - number]) for number in range(len(shapes))]
    made = builder.add(operation, read)
    builder.add(plain, [made])
    return builder.finish()


def outputs(
    operation: Operation, maps: Sequence[Map], weights: Mapping[str, Map] | None = None
) -> list[tuple[str, Map]]:
    """What every way to run the operator makes of maps: (how, output)."""
    shapes = [Shape(*each.shape) for each in maps]
    given = {f"in{n}": np.ascontiguousarray(m.transpose(2, 0, 1)) for n, m in enumerate(maps)}
    found = []
    for network, layer in ((around(operation, shapes), len(maps)), (alone(operation, shapes), 0)):
        parameters = [Parameters(layer, dict(weights))] if weights else []
        model = written_model(network, parameters)
        for plan, instructions in _ways(network):
            kernels = "native" if instructions else "reference"
            with _using(instructions), Session(model, plan, kernels) as session:  # type: ignore[arg-type]
                array = given if len(maps) > 1 else given["in0"]
                (output,) = session.run(array).values()
            how = f"{kernels} {instructions}, {network.name} {plan}, {plan.threads} threads"
            found.append((how, output.transpose(1, 2, 0).copy()))
    return found


def _ways(network: Network) -> list[tuple[Plan, str]]:
    """(plan, instruction set; none for the reference), for all sets whose bits are the same."""
    whole, streamed = untiled(network), parse_notation("1x1s1w", network)
    best, *others = [each.name for each in native.available() if each.fused] or ["scalar"]
    return [
        (whole, ""),
        (whole, best),
        (Plan(whole.groups, 2), best),
        (Plan(streamed.groups, 3), best),
        *((whole, each) for each in others),
    ]


@contextmanager
def _using(instructions: str) -> Iterator[None]:
    """Native kernels use an instruction set."""
    with pytest.MonkeyPatch.context() as patch:
        if instructions:
            patch.setenv("FTDIST_ISA", instructions)
        native.chosen.cache_clear()
        yield
    native.chosen.cache_clear()


def check(
    operation: Operation,
    maps: Sequence[Map],
    expected: Map,
    tolerance: float = 0.0,
    weights: Mapping[str, Map] | None = None,
) -> None:
    """Every way gives what is expected, and all native ones the same bits."""
    largest = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))) or 1.0
    bits = None
    for how, output in outputs(operation, maps, weights):
        assert output.shape == expected.shape, how
        np.testing.assert_allclose(
            output, expected, rtol=0, atol=tolerance * largest, err_msg=f"{operation}: {how}"
        )
        if how.startswith("native"):
            bits = bits if bits is not None else output.tobytes()
            assert output.tobytes() == bits, how


def random_map(shape: Sequence[int], seed: int = 0) -> Map:
    return np.random.default_rng(seed).standard_normal(tuple(shape), dtype=np.float32)
