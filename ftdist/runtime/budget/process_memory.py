"""What a process holds before it plans and runs, measured."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
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


_RETURNING_BYTES = 1 << 20
"""The code between planning and the kernels, which is given back with the rest and run again: that
of sessions and threads; 0.25 MiB with Python 3.11, up to 0.8 where the system brings in more of a
file at once than what is run."""


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


def nothing() -> None:
    """A rehearsal of nothing."""


def settled_bytes(rehearse: Callable[[], None] = nothing) -> int:
    """What a process holds and will, once it has given back what running a plan does not need.

    It gives back the code that it has run so far, lowers something small, and has `rehearse` run
    what else the run will: what that needs is in memory again. What is free of the heap does not
    count. So it is the same before planning and after it, but for what planning really leaves
    behind.
    """
    give_back_code()
    builder = NetworkBuilder("warm-up", Shape(8, 8, 3))
    first = builder.add(Convolution(16, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(16, Sliding.square(3, padding=1)), [first])
    small = Plan((GroupPlan(0, 2, 2, 1, 1),))
    warm_up = builder.finish()
    lower(warm_up, small, unplaced(warm_up), picture=False)
    rehearse()
    gc.collect()
    trim_heap()
    return will_hold_bytes() + _RETURNING_BYTES


@contextlib.contextmanager
def only_new_garbage() -> Iterator[None]:
    """Collections look at what is made from now on: passing all that was imported takes longer than
    lowering many a plan. Leaves a program alone that has frozen its objects itself."""
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def before_planning(network: Network, rehearse: Callable[[], None] = nothing) -> ProcessMemory:
    """What a process holds that has yet to plan, and what that will leave behind at most."""
    return ProcessMemory(settled_bytes(rehearse), peak_resident_bytes(), lowering_bytes(network))


def after_planning(
    before: ProcessMemory,
    program_bytes: int,
    most_bytes: int,
    rehearse: Callable[[], None] = nothing,
) -> ProcessMemory:
    """What it holds once it has planned, beside the plan's programs; `before` is from before that.

    `most_bytes` is the most that it ever held.
    """
    now = settled_bytes(rehearse) - program_bytes
    least = min(now, before.now_bytes)
    return ProcessMemory(least, most_bytes, now - least)
