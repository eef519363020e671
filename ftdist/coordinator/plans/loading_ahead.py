"""Which weights workers begin to get while a plan is searched for.

A search takes a second, on a small board several, and where links are slow a job waits for weights
more than for anything else. Whatever the plan, its workers need the first layers; who they are is
known when it is found. So those begin that have a link of their own, and of those that share one
the fastest, as the first whose weights the link carries then. They are told to get no more than
links carry while planning is believed to take: so much may have come for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftdist.coordinator.settings import ModelInfo
from ftdist.coordinator.workers.worker import Worker

_PLANNING_S = 2.0
"""How long planning is believed to take, at least. Chosen: it takes about that on small boards."""


def loaded_ahead(
    workers: Sequence[Worker], model: ModelInfo, shared_bytes_per_s: float, planning_s: float
) -> Iterator[tuple[Worker, tuple[int, ...]]]:
    """Workers, the fastest first, and the layers whose weights each begins to get.

    `shared_bytes_per_s`: of the link that crowded ones share. `planning_s`: what it took before.
    """
    seconds, shared = max(planning_s, _PLANNING_S), False
    for worker in workers:
        if worker.local or (worker.crowded and shared):
            continue
        rate = worker.link_bytes_per_s
        if worker.crowded:
            rate, shared = min(rate, shared_bytes_per_s), True
        if layers := _first(worker, model, seconds * rate):
            yield worker, layers


def _first(worker: Worker, model: ModelInfo, most_bytes: float) -> tuple[int, ...]:
    """The first layers of those that a worker lacks, of up to so many bytes."""
    found = []
    for layer, size in model.weight_bytes.items():
        if layer not in worker.layers:
            most_bytes -= size
            if most_bytes < 0:
                break
            found.append(layer)
    return tuple(found)
