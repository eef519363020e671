"""What a process holds before it plans and runs, measured."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from ftdist.geometry import Shape
from ftdist.network.graph import INPUT, Network, NetworkBuilder
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import lowering_bytes
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.weights import unplaced
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.memory import peak_resident_bytes, resident_bytes

_CODE_BYTES = 768 << 10
"""The kernels (303 KiB, none of them in memory before they run), the C++ library's code that they
call, and what of the interpreter's and numpy's has not run by then; 0.8 MB with Python 3.11."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """What this process held before it planned, and the most that it ever held, in bytes.

    `planning_bytes`: what planning and lowering leave behind, or left already.
    """

    now_bytes: int
    most_bytes: int
    planning_bytes: int = 0


def measured_now() -> ProcessMemory:
    """What a process holds now, and ever held."""
    return ProcessMemory(resident_bytes(), peak_resident_bytes())


def will_hold_bytes() -> int:
    """What a process holds now, and the code that running a plan will bring into memory."""
    return resident_bytes() + _CODE_BYTES


def before_planning(network: Network) -> ProcessMemory:
    """What a process holds that has yet to plan, and what that will leave behind at most.

    It has given back the code that it has run so far, and lowered something small since: what that
    needs is in memory. What is free of the heap does not count, as it will not once the plan is
    there.
    """
    give_back_code()
    builder = NetworkBuilder("warm-up", Shape(8, 8, 3))
    first = builder.add(Convolution(16, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(16, Sliding.square(3, padding=1)), [first])
    small = Plan((GroupPlan(0, 2, 2, 1, 1),))
    warm_up = builder.finish()
    lower(warm_up, small, unplaced(warm_up), picture=False)
    gc.collect()
    trim_heap()
    return ProcessMemory(will_hold_bytes(), peak_resident_bytes(), lowering_bytes(network))
