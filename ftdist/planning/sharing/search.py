"""The fastest way for several workers to do a job: whole frames, or shares of each frame.

Both are predicted for the whole job, and the faster one is taken. For shares of a frame it is found
first how many workers are worth their halos and messages, the most useful ones first; then the
scheme; then by which plan each worker can hold what the scheme asks of it. Who must take a smaller
plan is slower, so the scheme is sought again; who can hold none is left out. A plan says who is
left out, and when one worker alone is faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.planning.profile import DEFAULT, DeviceProfile
from ftdist.planning.sharing.duties import Duties, kind_of
from ftdist.planning.sharing.exchange import moved_bytes, tasks_of
from ftdist.planning.sharing.holding import Means
from ftdist.planning.sharing.pace import Pace
from ftdist.planning.sharing.plan import SharedPlan, Tile, Traits
from ftdist.planning.sharing.team import Team
from ftdist.planning.sharing.timeline import simulate
from ftdist.planning.sharing.together import Together
from ftdist.planning.sharing.wholes import Wholes, nothing_fits, whole_frames

KEPT_FRAMES = 2
"""Frames of which workers keep maps at a time, in a job of many, as the coordinator allows."""

_WORSE = 1.05
"""Fewer workers are not looked at once that is so many times slower."""

_SIMULATED = 6
_NAMED = 4

Rungs = list[int | None]
"""For each worker which plan of its ladder it computes by; None: it can hold none."""


@dataclass(frozen=True)
class Outcome:
    """A way to share single frames: its tiles, its prediction, and whom it does without.

    `plain_s`: as `job_s`, by a scheme in which all members have their part.
    """

    tiles: tuple[tuple[Tile, ...], ...]
    job_s: float
    plain_s: float
    seconds: float
    period_s: float
    shares: tuple[float, ...]
    moved_bytes: tuple[int, int]
    note: str


_SIMPLER = 1.1
"""How much longer a job may be predicted to take by whole frames: they wait for no neighbour, and
what waiting costs is known less well than arithmetic."""

_SAME = 1 + 1e-6
"""Times that differ by less are the same, rounded and summed up in another order."""


def share(
    network: Network,
    workers: tuple[Traits, ...],
    frames: int,
    picture: bool,
    profile: DeviceProfile = DEFAULT,
) -> SharedPlan:
    """The fastest plan for a job of so many frames; `picture`: they are uint8 pictures.

    `profile` is that of a worker of slowness 1. BudgetError when no worker can hold anything.
    """
    return _search_for(network, profile).fastest(workers, frames, picture=picture)


@lru_cache(maxsize=2)
def _search_for(network: Network, profile: DeviceProfile) -> SharedSearch:
    """The search for a network; the same one again, for plans are made again and again."""
    return SharedSearch(network, profile)


class SharedSearch:
    """Finds shared plans of a network; `profile` is that of a worker of slowness 1."""

    def __init__(self, network: Network, profile: DeviceProfile = DEFAULT) -> None:
        self._network = network
        self._means = Means(network, profile)

    def fastest(self, workers: tuple[Traits, ...], frames: int, *, picture: bool) -> SharedPlan:
        """The plan that does so many frames soonest; BudgetError when no worker can hold any."""
        if not workers:
            raise InputError("a plan needs at least one worker")
        names = tuple(worker.name for worker in workers)
        wholes = whole_frames(self._means, workers, picture=picture)
        shared = self._shared(workers, frames, picture) if len(workers) > 1 else None
        if shared is None and not wholes.tasks:
            raise nothing_fits(self._means, workers, picture=picture)
        margin = _SIMPLER if frames > len(workers) else _SAME
        if shared is not None and not (
            wholes.tasks and wholes.job_s(frames) <= margin * shared.job_s
        ):
            return SharedPlan(
                names,
                shared.tiles,
                shared.shares,
                shared.seconds,
                shared.period_s,
                *shared.moved_bytes,
                _with_trunk(shared.note, workers),
            )
        return SharedPlan(
            names,
            ((wholes.tile(),),),
            wholes.shares(frames),
            wholes.alone_s(wholes.fastest),
            wholes.period_s,
            *wholes.moved_bytes(frames),
            _with_trunk(_whole_note(wholes, frames, shared), workers),
        )

    # ---- shares of each frame

    def _shared(self, workers: tuple[Traits, ...], frames: int, picture: bool) -> Outcome | None:
        """The best way found to share single frames; None when fewer than two workers fit.

        By which plans workers can do their duty is settled with a first scheme, then with the best.
        """
        rungs: Rungs = [0] * len(workers)
        settled = False
        while True:
            able = [number for number, rung in enumerate(rungs) if rung is not None]
            if len(able) < 2:
                return None
            team = Team(self._network, picture, workers, self._paces(workers, rungs))
            members = self._members(team, able, frames)
            search = Together(team, members, frames)
            scheme = search.best().scheme if settled else search.starts(1)[0].scheme
            tasks = tasks_of(team, scheme)
            duties = Duties(team, scheme, tasks, min(frames, KEPT_FRAMES))
            fitting = self._fitting(duties, rungs)
            if fitting != rungs:
                rungs = fitting
            elif settled:
                return self._outcome(duties, rungs, frames, search.plain_s())
            else:
                settled = True

    def _members(self, team: Team, able: Sequence[int], frames: int) -> tuple[int, ...]:
        """The workers that are worth sharing with, the most useful ones."""
        sent, returned = self._means.frame_bytes(picture=team.picture)
        whole_s = [1 / each for each in Together(team, tuple(able), frames).speeds]

        def taken_s(number: int) -> float:
            worker = team.workers[number]
            moved_s = (sent + returned) / worker.link_bytes_per_s
            return whole_s[number] + moved_s + 2 * worker.latency_s

        order = sorted(able, key=lambda number: (taken_s(number), number))
        best, best_s = tuple(order), math.inf
        for count in _counts(len(order)):
            members = tuple(order[:count])
            job_s = Together(team, members, frames).starts(most_layouts=1)[0].job_s
            if job_s > _WORSE * best_s:
                break
            if job_s < best_s:
                best, best_s = members, job_s
        return best

    def _fitting(self, duties: Duties, rungs: Rungs) -> Rungs:
        """For each worker the first plan, from its present one on, by which it can do its duty."""
        workers = duties.team.workers
        found = list(rungs)
        for kind in dict.fromkeys(map(kind_of, workers)):
            mine = [n for n, each in enumerate(workers) if kind_of(each) == kind]
            ladder, rung = self._means.ladder(workers[mine[0]].threads), rungs[mine[0]]
            while rung is not None and not self._fits(duties, mine, ladder.pace(rung)):
                rung = None if ladder.pace(rung + 1) is None else rung + 1
            for number in mine:
                found[number] = rung
        return found

    def _fits(self, duties: Duties, mine: Sequence[int], pace: Pace | None) -> bool:
        """Whether workers of one kind can do what is asked of them at this pace."""
        assert pace is not None
        team, duty = duties.team, duties.duty(mine, pace)
        return duty is None or self._means.fits(team.workers[mine[0]], duty, picture=team.picture)

    def _outcome(self, duties: Duties, rungs: Rungs, frames: int, plain_s: float) -> Outcome:
        """A scheme that fits, as tiles, with its prediction."""
        team, tasks = duties.team, duties.tasks
        able = [pace if rungs[n] is not None else None for n, pace in enumerate(team.paces)]
        seconds = simulate(tasks, team.workers).seconds
        ends_s = simulate(tasks, team.workers, _SIMULATED, KEPT_FRAMES).ends_s
        period_s = (ends_s[-1] - ends_s[1]) / (_SIMULATED - 2)
        work = [0.0] * len(team.workers)
        for task in tasks:
            work[task.worker] += task.seconds / team.workers[task.worker].slowness
        job_s = seconds + (frames - 1) * period_s
        return Outcome(
            duties.tiles(self._means, able),
            job_s,
            plain_s,
            seconds,
            period_s,
            tuple(each / sum(work) for each in work),
            moved_bytes(team, tasks),
            _shared_note(team.workers, rungs, work, (job_s / frames, plain_s / frames)),
        )

    def _paces(self, workers: Sequence[Traits], rungs: Rungs) -> tuple[Pace, ...]:
        """The pace of each worker; for those who are left out that of the fastest plan."""
        paces = []
        for worker, rung in zip(workers, rungs, strict=True):
            pace = self._means.ladder(worker.threads).pace(rung or 0)
            assert pace is not None
            paces.append(pace)
        return tuple(paces)


def _counts(most: int) -> list[int]:
    """How many workers are tried: all, and fewer; of many not every number."""
    counts, count = [], most
    while count >= 2:
        counts.append(count)
        count -= 1 + count // 8
    return counts


def _without(names: Mapping[str, Sequence[str]]) -> str:
    """Says whom a plan does without, by reason."""
    said = []
    for reason, left_out in names.items():
        listed = ", ".join(left_out[:_NAMED])
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        if left_out:
            said.append(f"without {listed}{more}, {reason}")
    return "; ".join(said)


def _shared_note(
    workers: Sequence[Traits], rungs: Rungs, work: Sequence[float], times_s: tuple[float, float]
) -> str:
    """Says whom a scheme does without, or that one worker does all."""
    if max(work) == sum(work):
        return _alone(workers[max(range(len(work)), key=work.__getitem__)], *times_s)
    small = [each.name for each, rung in zip(workers, rungs, strict=True) if rung is None]
    idle = [each.name for n, each in enumerate(workers) if rungs[n] is not None and not work[n]]
    return _without({"too small": small, "no help here": idle})


def _whole_note(wholes: Wholes, frames: int, shared: Outcome | None) -> str:
    """Says who takes no whole frames, or that one worker alone is faster than sharing."""
    workers, able = wholes.workers, {task.worker for task in wholes.tasks}
    if shared is None or (frames > 1 and len(able) > 1):
        unable = [each.name for number, each in enumerate(workers) if number not in able]
        return _without({"too small for a whole frame": unable})
    shared_s = shared.plain_s if max(shared.shares) == 1 else shared.job_s
    return _alone(workers[wholes.fastest.worker], wholes.job_s(frames) / frames, shared_s / frames)


def _with_trunk(note: str, workers: Sequence[Traits]) -> str:
    """A note, with a word on the link that workers share."""
    shared_rate = min(worker.shared_link_bytes_per_s for worker in workers)
    if math.isinf(shared_rate):
        return note
    shared = f"workers share a link of {8e-6 * shared_rate:.0f} Mbit/s"
    return f"{note}; {shared}" if note else shared


def _alone(worker: Traits, alone_s: float, shared_s: float) -> str:
    return f"{worker.name} alone is faster than sharing: {_ms(alone_s)} against {_ms(shared_s)}"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms"
