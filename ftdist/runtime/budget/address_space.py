"""How much more memory this process may map: whoever asks for more is refused it."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ftdist.runtime.budget.memory import virtual_bytes


@contextmanager
def at_most(more_bytes: int) -> Iterator[None]:
    """MemoryError in here for what would map more than so many bytes beside what is mapped now.

    Where other threads run nothing is refused, for they would be refused memory too.
    """
    if threading.active_count() > 1:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = virtual_bytes() + more_bytes
    least = most if soft == resource.RLIM_INFINITY else min(soft, most)
    resource.setrlimit(resource.RLIMIT_AS, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
