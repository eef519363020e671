"""Where a worker's coordinator is, if no address is given: the one on the local network.

With keys only coordinators with the right fingerprint count. Where several are left, a person has
to choose. Where there is none the worker goes on looking: boards may start before it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftdist.cluster.keys import peer_keys
from ftdist.cluster.mdns import Found, find, fingerprint, refuse_without_library
from ftdist.errors import InputError
from ftdist.protocol.limits import PROTOCOL
from ftdist.runtime.forked import run_forked

_MOST_S, _MORE_S = 5.0, 1.0
Search = Callable[[], list[Found]]


def search() -> list[Found]:
    """Looks for a while; for processes of one thread."""
    return [Found(**each) for each in run_forked(lambda: find(_MOST_S, _MORE_S))]


def coordinator_address(
    keys: Path | None, say: Callable[[str], None], look: Search = search
) -> str:
    """Where the worker's coordinator is; looks until it is found.

    InputError where there are several, or where it cannot be looked for.
    """
    refuse_without_library("a worker without an address")
    wanted = None if keys is None else fingerprint(peer_keys(keys).server)
    say("no address: looks for a coordinator on the local network")
    told: set[str] = set()
    while True:
        found = look()
        suiting = [each for each in found if _suits(each, wanted, say, told)]
        if len(suiting) > 1:
            listed = "; ".join(map(str, suiting))
            raise InputError(f"several coordinators answer: {listed}; name the address of one")
        if suiting:
            say(f"found {suiting[0]}")
            return suiting[0].address
        if "" not in told:
            told.add("")
            say("found none so far; looks on. A coordinator announces itself with --announce")


def _suits(found: Found, wanted: str | None, say: Callable[[str], None], told: set[str]) -> bool:
    """Whether a coordinator may be the worker's; says once why one may not."""
    reason = ""
    if found.protocol != PROTOCOL:
        reason = "it has another version"
    elif wanted is not None and found.key != wanted:
        reason = f"it is not the one of this worker's keys, {wanted}"
    if reason and found.address not in told:
        told.add(found.address)
        say(f"passes over {found}: {reason}")
    return not reason
