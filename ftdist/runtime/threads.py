"""How many threads: those that this process may really use."""

from __future__ import annotations

import os

from ftdist.runtime.budget.controlgroups import processor_quota


def default_threads() -> int:
    """Processors that this process may run on: by its affinity and its control group's quota."""
    usable = len(os.sched_getaffinity(0))
    quota = processor_quota()
    return usable if quota is None else max(1, min(usable, int(quota)))
