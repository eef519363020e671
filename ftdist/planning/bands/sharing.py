"""By which plan each of several workers computes bands: every worker that can hold one computes
one after another, by itself.

All bands but those at the picture's edges are alike. One in the middle is planned for and stands
for all; what the first and the last take is counted, too.
"""

from __future__ import annotations

from functools import lru_cache

from ftdist.network.graph import Network
from ftdist.network.implementations import Arithmetic
from ftdist.planning.bands.excerpt import Excerpt, excerpt
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.bands.search import band_grids
from ftdist.planning.profile import DEFAULT, DeviceProfile
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.planning.sharing.frame_parallel import frame_parallel, nothing_fits
from ftdist.planning.sharing.plan import SharedPlan, WorkerSpec
from ftdist.planning.sharing.search import by_frame_plan, fastest_of
from ftdist.planning.sharing.worker_memory import FrameForm, WorkerPlans


def share_bands(
    network: Network,
    rows: int,
    workers: tuple[WorkerSpec, ...],
    frames: int,
    picture: bool,
    profile: DeviceProfile = DEFAULT,
    arithmetic: Arithmetic | None = None,
) -> SharedPlan:
    """The fastest plan for `frames` bands of so many rows: one tile, that of an inner band.

    As ``planning.sharing.search.share``; BudgetError when no worker can hold a band.
    """
    tried: tuple[Arithmetic, ...] = (() if arithmetic is None else arithmetic,)
    if arithmetic is None:
        tried = (arithmetics(_seen(network, rows), profile)[0], ())

    def plan(each: Arithmetic) -> SharedPlan:
        plans = _plans_for(network.computed_by(each), rows, profile)
        by_band = frame_parallel(plans, workers, picture=picture)
        if not by_band.tasks:
            raise nothing_fits(plans, workers, picture=picture)
        return by_frame_plan(by_band, frames)

    return fastest_of(tried, plan, frames)


@lru_cache(maxsize=4)
def _plans_for(network: Network, rows: int, profile: DeviceProfile) -> WorkerPlans:
    """The plans of workers for bands; kept, because plans are made again and again."""
    bands = NumberedBands(network, rows)
    kinds = dict.fromkeys((bands.inner, 0, bands.count - 1))
    form = FrameForm(
        _seen(network, rows),
        lambda threads: band_grids(network, threads),
        tuple(bands.region(each) for each in kinds),
        bands.input(bands.inner).size * network.input.channels,
        f"a band of {rows} rows of {network.name}",
    )
    return WorkerPlans(network, profile, form)


def _seen(network: Network, rows: int) -> Excerpt:
    """What an inner band sees of the network."""
    bands = NumberedBands(network, rows)
    region = bands.region(bands.inner)
    return excerpt(network, region)
