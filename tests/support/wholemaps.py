"""Networks around one operator that needs whole maps, run under several plans.

The operator reads what activations have made of the network's inputs, which lies in the block of
memory; its own map is read by an activation again, and given out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ftdist.geometry import Shape
from ftdist.network.graph import Network, NetworkBuilder
from ftdist.network.operators.base import Activation, Operation
from ftdist.network.operators.channels import Activate
from ftdist.network.parameters import Parameters
from ftdist.network.ports import Input
from ftdist.planning.plan import Plan, parse_notation, untiled
from ftdist.runtime.local import Session
from support.networks import written_model

Map = np.ndarray
"""(height, width, channels)"""


def around(operation: Operation, shapes: Sequence[Shape]) -> Network:
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
    network = around(operation, [Shape(*each.shape) for each in maps])
    number = len(maps)
    parameters = [Parameters(number, dict(weights))] if weights else []
    model = written_model(network, parameters)
    given = {f"in{n}": np.ascontiguousarray(m.transpose(2, 0, 1)) for n, m in enumerate(maps)}
    found = []
    for plan, kernels in _ways(network):
        with Session(model, plan, kernels) as session:  # type: ignore[arg-type]
            (output,) = session.run(given).values()
        how = f"{kernels}, {plan.notation}, {plan.threads} threads"
        found.append((how, output.transpose(1, 2, 0).copy()))
    return found


def _ways(network: Network) -> list[tuple[Plan, str]]:
    whole = untiled(network)
    streamed = parse_notation("1x1s1w", network)
    return [
        (whole, "reference"),
        (whole, "native"),
        (Plan(whole.groups, 2), "native"),
        (Plan(streamed.groups, 3), "native"),
        (streamed, "reference"),
    ]


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
