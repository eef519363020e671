"""The predicted peak of a process that runs a plan, by what its bytes are for.

Lowering settles the block, so what is predicted for activations is exact by construction; the rest
is what the caller measured (the baseline), the weights, the arrays that are read and made, and
messages where a worker has some. Sessions, workers and the planning of clusters all count by these
parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from ftdist.network.graph import Network
from ftdist.planning.lowering.lowered import Lowered
from ftdist.planning.lowering.regions import region_bytes
from ftdist.planning.plan import Plan
from ftdist.planning.weights import resident_layers

SLACK_BYTES = 576 << 10
"""Room for what the interpreter allocates during a run: frames, small arrays, the report."""

THREAD_BYTES = 96 << 10
"""Resident memory of one more thread: its stack and its heap."""

STEP_BYTES = 512
"""What a session holds of a step, its tiles, maps and arenas by address; measured with 1,600."""

_LOWERING_BYTES, _LOWERING_LAYER_BYTES = 64 << 10, 512
"""Seen in many runs: scattered pages of small objects, more of them for a deep network; and what a
process may hold more than another one in which the plan was found."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """The predicted peak of a process, by part, in bytes.

    The plan decides `weights`, `arenas`, `boundary_maps` and `programs`; `input` and `output` are
    arrays outside the block. `baseline` is what the process holds without all that, `planning` what
    planning and lowering leave behind beside the programs, `messages` what a worker's messages take
    beside the arrays.
    """

    baseline: int
    planning: int
    weights: int
    arenas: int
    boundary_maps: int
    programs: int
    input: int
    output: int
    slack: int
    messages: int = 0

    @property
    def parts(self) -> dict[str, int]:
        """All parts by name; `messages` only where there are some."""
        found = asdict(self)
        if not self.messages:
            del found["messages"]
        return found

    @property
    def peak_bytes(self) -> int:
        return sum(asdict(self).values())

    @property
    def fixed_bytes(self) -> int:
        """The parts that are the same for every plan."""
        return self.peak_bytes - self.plan_bytes

    @property
    def plan_bytes(self) -> int:
        """The parts that the plan decides."""
        return self.weights + self.arenas + self.boundary_maps + self.programs

    @property
    def block_bytes(self) -> int:
        """Arenas and boundary maps together: the one block that a run takes."""
        return self.arenas + self.boundary_maps


def footprint(
    lowered: Lowered, network: Network, baseline: int = 0, planning: int = 0
) -> Footprint:
    """What a process takes at its peak that holds `baseline` bytes and then runs this plan."""
    return Footprint(
        baseline=baseline,
        planning=planning,
        weights=sum(lowered.weights.values()),
        arenas=lowered.arena_bytes,
        boundary_maps=lowered.block_bytes - lowered.arena_bytes,
        programs=lowered.program_bytes,
        input=region_bytes(network, lowered.inputs, picture=lowered.picture),
        output=region_bytes(network, lowered.outputs),
        slack=slack_bytes(lowered.plan.threads) + STEP_BYTES * len(lowered.programs),
    )


def one_after_another(network: Network, taken: Sequence[tuple[Plan, Footprint]]) -> Footprint:
    """What a process takes that runs these plans, of one arithmetic, in turn: weights that several
    use count once.

    All programs are there at the same time, one block and its arrays at a time.
    """
    groups = tuple(dict.fromkeys(group for plan, _ in taken for group in plan.groups))
    arithmetic = taken[0][0].arithmetic
    footprints = [each for _, each in taken]
    largest = max(footprints, key=lambda each: each.block_bytes + each.input + each.output)
    return replace(
        largest,
        weights=sum(resident_layers(network, Plan(groups, arithmetic=arithmetic)).values()),
        programs=sum(each.programs for each in footprints),
        slack=max(each.slack for each in footprints),
    )


def slack_bytes(threads: int) -> int:
    """Room for what is allocated while so many threads run a plan."""
    return SLACK_BYTES + (threads - 1) * THREAD_BYTES


def lowering_bytes(network: Network) -> int:
    """What lowering a plan leaves behind beside its programs, at most, once the heap is trimmed."""
    return _LOWERING_BYTES + _LOWERING_LAYER_BYTES * len(network.layers)


def input_bytes(network: Network, *, picture: bool) -> int:
    """Bytes of the input arrays: one a value for a picture, four for float32."""
    if picture:
        return network.input.elements
    return sum(each.shape.bytes for each in network.inputs)


def output_bytes(network: Network) -> int:
    """Bytes of all output arrays, as the user gets them."""
    return sum(network.shape(number).bytes for number in network.outputs)


def live_maps(network: Network, cut: int) -> Mapping[int, int]:
    """Bytes of each map, by source, that must exist when layers before `cut` are done."""
    return {
        source: network.shape(source).bytes
        for source, last in network.last_use.items()
        if 0 <= source < cut <= last
    }
