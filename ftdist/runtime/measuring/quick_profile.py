"""The profile that the first plan on a machine is made by: measured in half a second, then kept.

A machine that nobody has calibrated is measured without being asked, once: in a child, so that
nothing of it stays in the process, within the budget of the run, and only where the result can be
kept. A measurement that other programs disturbed, or that had little memory, is used all the same
and made again by a later command, a few times and then once a day. ``FTDIST_MEASURE=never`` forbids
it: what is shipped serves then until ``ftdist calibrate`` has been run.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from ftdist.errors import FtdistError, InputError
from ftdist.planning.profile import from_json
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.forked import run_forked
from ftdist.runtime.measuring.others import Others
from ftdist.runtime.measuring.profiles import (
    Calibration,
    Quick,
    cache_folder,
    load,
    save,
    this_device,
)
from ftdist.runtime.plans.fresh_process import is_fresh_start

VARIABLE = "FTDIST_MEASURE"

_MOST_TRIES, _OLD_S = 3, 86_400.0
"""After so many tries the next one is made when so many seconds have gone by."""

_MARGIN_BYTES = 2 << 20
"""What a child takes of its own beside what it measures."""

_AMPLE_BYTES = 48 << 20
"""With so much room nothing is left out."""

_SETTLED_SHARE = 0.75
"""Where fewer of the figures settle, the measurement counts as disturbed."""

_OTHERS_SHARE = 0.1
"""Where other programs take more of the processors, it does too: caches and memory are shared."""


def profile_for(threads: int, budget: Budget) -> Calibration:
    """The profile to plan with: what is kept of this machine, or is measured now."""
    found = load(threads)
    room = min(budget.bytes - resident_bytes() - _MARGIN_BYTES, _AMPLE_BYTES)
    if not _is_wanted(found, room):
        return found
    from ftdist.runtime.measuring.calibrate import LEAST_ROOM_BYTES

    if room < LEAST_ROOM_BYTES:
        return found
    try:
        value = _measured(threads, room)
        tries = 1 + (found.quick.tries if found.quick else 0)
        quick = Quick(value["disturbed"], room, tries)
        save(from_json(value["profile"]), this_device(threads), quick)
    except FtdistError:  # killed, or a full disk: what is shipped will do
        return found
    return load(threads)


def _is_wanted(found: Calibration, room: int) -> bool:
    """Whether a measurement is due, and may be made."""
    said = os.environ.get(VARIABLE, "")
    if said not in ("", "never"):
        raise InputError(f"{VARIABLE}={said}: it can only be 'never'")
    if said or is_fresh_start() or not _can_be_kept():
        return False
    if found.quick is None:
        return found.measured_at is None
    better = found.quick.disturbed or found.quick.room_bytes < room
    old = time.time() - (found.measured_at or 0.0) > _OLD_S
    return better and (found.quick.tries < _MOST_TRIES or old)


def _can_be_kept() -> bool:
    """Whether the cache folder is there, or can be made, and can be written to."""
    folder = cache_folder()
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _measured(threads: int, room: int) -> dict[str, Any]:
    """What a quick measurement says, as JSON: the profile, and whether it was disturbed."""
    alone = threading.active_count() == 1
    value: dict[str, Any] = (
        run_forked(lambda: _measure(threads, room)) if alone else _measure(threads, room)
    )
    return value


def _measure(threads: int, room: int) -> dict[str, Any]:
    from ftdist.runtime.measuring.calibrate import calibrate, quick

    effort, others = quick(room), Others()
    profile = calibrate(threads, effort, lambda _: None)
    watch = effort.stopwatch
    unsettled = len(watch.unsettled) > (1 - _SETTLED_SHARE) * watch.figures
    disturbed = unsettled or others.share > _OTHERS_SHARE
    return {"profile": profile.to_json(), "disturbed": disturbed}
