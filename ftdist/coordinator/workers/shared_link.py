"""Whether workers share one link: boards on one Wi-Fi, or behind one cable.

Each link is measured alone when its worker joins; then all are used at once, for as long as each
should take by itself. If that takes far longer they share a link: so many bytes a second for all
together, each way. It is the same for all; who shares with whom is not found out. Several tries, of
which the shortest counts, for a worker may answer late. Nothing is measured while workers have
tasks; who comes then is believed to share what the others share.

Example: four boards on Wi-Fi, 5 MB/s each by itself. 625 kB to each should take 125 ms, all at once
they take 500 ms: 2.5 MB in that time is 5 MB/s for all.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from ftdist.coordinator.events import Shares
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.worker_messages import Probe

FIRST_NUMBER = 1 << 20
"""Probes of this number and higher are those of shared links."""

_TRIES = 2
_FAST = 5e7
"""A link of so many bytes a second is not a bottleneck, and would be measured badly."""

_MOST_BYTES = 1 << 20
_ALONE_S = 0.5
"""How long a shared link is in use for a try, at most."""

_SHARED, _SHARED_S = 1.6, 0.05
"""How many times as long as alone, and how much longer, it takes together if links are shared."""


class SharedLink:
    """`bytes_per_s`: of all slow links together; infinite if they share nothing."""

    def __init__(self, out: Outbox) -> None:
        self._out = out
        self._number = FIRST_NUMBER
        self._tries = 0
        self._wanted = False
        self._began_s = -math.inf
        self._sizes: dict[Worker, int] = {}
        self._sharing: list[Worker] = []
        self._waiting: set[Worker] = set()
        self._last_s, self._best_s = 0.0, math.inf
        self.bytes_per_s = math.inf

    def want(self) -> None:
        """Workers have come: measure when it can be done."""
        self._wanted = True

    def measures(self, within_s: float) -> bool:
        """Whether it is being measured, and was begun within so many seconds."""
        return bool(self._waiting) and self._out.now_s - self._began_s < within_s

    def begin(self, workers: Collection[Worker]) -> None:
        """Measures, if it is wanted and all are measured by themselves."""
        if not self._wanted or self._waiting or not all(each.measured for each in workers):
            return
        self._wanted = False
        slow = [each for each in workers if each.link_bytes_per_s < _FAST]
        self._share([], math.inf)  # all at once, not one after another
        if len(slow) < 2:
            self.bytes_per_s = math.inf
            return
        fastest = max(each.link_bytes_per_s for each in slow)
        alone_s = min(_ALONE_S / len(slow), _MOST_BYTES / fastest)
        self._sizes = {each: max(1, int(each.link_bytes_per_s * alone_s)) for each in slow}
        self._tries, self._best_s = 0, math.inf
        self._try()

    def believe(self, worker: Worker) -> None:
        """A worker has come while nothing can be measured: it shares what the others share."""
        if not math.isinf(self.bytes_per_s) and worker.link_bytes_per_s < _FAST:
            self._share([*self._sharing, worker], self.bytes_per_s)

    def lose(self, worker: Worker) -> None:
        """A worker is gone: the others have more of the link."""
        if self._sizes.pop(worker, None) is not None and self._waiting:
            self._waiting.clear()
            self._wanted = True
        if worker in self._sharing:
            self._share([each for each in self._sharing if each is not worker], self.bytes_per_s)

    def reply(self, worker: Worker, number: int) -> bool:
        """A worker answered; returns whether the shared link is known now, and was not before."""
        if worker not in self._waiting or number != self._number:
            return False
        self._waiting.discard(worker)
        took_s = self._out.now_s - self._began_s - 2 * worker.latency_s
        self._last_s = max(self._last_s, took_s)
        if self._waiting:
            return False
        self._best_s = min(self._best_s, self._last_s)
        self._tries += 1
        if self._tries < _TRIES:
            self._try()
            return False
        return self._judge()

    def give_up(self, after_s: float) -> None:
        """Stops waiting for workers that have not answered for so long."""
        if self._waiting and self._out.now_s - self._began_s > after_s:
            self._waiting.clear()
            if not math.isinf(self.bytes_per_s):
                self._share(self._sizes, self.bytes_per_s)

    def _try(self) -> None:
        self._number += 1
        self._began_s, self._last_s = self._out.now_s, 0.0
        self._waiting = set(self._sizes)
        for worker, size in self._sizes.items():
            self._out.send(worker.peer, Probe(self._number, np.zeros(size, np.uint8)))

    def _judge(self) -> bool:
        """What the tries say; whether that is news."""
        took_s, total = self._best_s, sum(self._sizes.values())
        alone_s = max(size / worker.link_bytes_per_s for worker, size in self._sizes.items())
        before = self.bytes_per_s
        shared = took_s > max(_SHARED * alone_s, alone_s + _SHARED_S)
        self.bytes_per_s = total / took_s if shared else math.inf
        self._share(self._sizes if shared else (), self.bytes_per_s)
        if shared:
            mbits = 8e-6 * self.bytes_per_s
            apart = 8e-6 * sum(worker.link_bytes_per_s for worker in self._sizes)
            text = (
                f"{len(self._sizes)} workers share one link: {mbits:.0f} Mbit/s all together, "
                f"{apart:.0f} if each had its own"
            )
            self._out.log(text, "link-shared", workers=len(self._sizes), bytes_per_s=total / took_s)
        return not math.isclose(before, self.bytes_per_s, rel_tol=0.1)

    def _share(self, workers: Collection[Worker], bytes_per_s: float) -> None:
        """These workers, and no others, share so many bytes a second."""
        if not workers and not self._sharing:
            return
        for worker in self._sharing:
            worker.crowded_bytes_per_s = math.inf
        self._sharing = list(workers)
        for worker in workers:
            part = bytes_per_s / len(workers)
            worker.crowded_bytes_per_s = min(worker.link_bytes_per_s, part)
        peers = tuple(worker.peer for worker in workers)
        self._out.actions.append(Shares(peers, bytes_per_s))
