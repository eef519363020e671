"""A batch on a Dask cluster: ``to_bag`` and ``delayed_batch`` for programs, and `--on dask`.

What Dask does is left to Dask: who computes what, retries, lost workers, the dashboard. Ours is
what a worker does with a few pictures, within its own budget, and that each has one record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftdist.dask.lazily import delayed_batch, to_bag

__all__ = ["delayed_batch", "to_bag"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ftdist.dask' has no attribute '{name}'")
    from ftdist.dask import lazily

    return getattr(lazily, name)
