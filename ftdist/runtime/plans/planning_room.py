"""How much memory planning may take: what the budget leaves, and never what the control group ends
a process for. Planning that needs more is refused it, and says so in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ftdist.errors import BudgetError
from ftdist.runtime.budget.address_space import at_most
from ftdist.runtime.budget.controlgroups import memory_group
from ftdist.runtime.budget.heap import REUSING_BYTES, SPARING_BYTES, settle_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.budget.sizes import MIB, ceil_size, format_size

_LEAST_BYTES = 16 * MIB
"""What planning may take though no budget be left, so that the smallest that would do is named."""

_MARGIN_BYTES = 2 * MIB
"""What a control group may count beside: pages of programs that are first needed while planning."""


@contextmanager
def planning_room(limit: Budget) -> Iterator[None]:
    """Refuses what planning may not take; BudgetError when it needs more.

    Tables of some MiB come and go with each question: meanwhile the heap keeps them. Where other
    threads run nothing is refused.
    """
    settle_heap(REUSING_BYTES)
    now = resident_bytes()
    room = max(limit.bytes - now, _LEAST_BYTES)
    group = memory_group().limit_bytes
    if group is not None:
        room = min(room, max(group - now - _MARGIN_BYTES, _MARGIN_BYTES))
    try:
        with at_most(room):
            yield
    except MemoryError:
        smallest = now + 2 * room
        raise BudgetError(
            f"planning takes more than {format_size(limit.bytes)} ({limit.origin}) leave beside "
            f"the {format_size(now)} of the process: name a plan, as --tiling 1x1s4, or try "
            f"{ceil_size(smallest)}",
            smallest,
        ) from None
    finally:
        settle_heap(SPARING_BYTES)
