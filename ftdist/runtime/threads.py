"""How many threads: those that this process may really use."""

from __future__ import annotations

import os


def default_threads() -> int:
    """Processors that this process may run on (its affinity, not the machine's count)."""
    return len(os.sched_getaffinity(0))
