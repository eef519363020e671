"""When the links of workers are measured, each alone and all at once, and what changes then.

A link that is measured may make another plan better; the one link that all share is measured while
no worker has a task, so that nothing else is on it.
"""

from __future__ import annotations

import math

from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.planner import Planner
from ftdist.coordinator.tasks.scheduler import Scheduler
from ftdist.coordinator.workers.roster import Roster
from ftdist.coordinator.workers.shared_link import SharedLink
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.worker_messages import ProbeReply


class Links:
    """Takes what is measured, and tells the planner."""

    def __init__(
        self,
        roster: Roster,
        shared_link: SharedLink,
        scheduler: Scheduler,
        planner: Planner,
        out: Outbox,
    ) -> None:
        self._roster = roster
        self._shared_link = shared_link
        self._scheduler = scheduler
        self._planner = planner
        self._out = out

    def probe_reply(self, worker: Worker, message: ProbeReply) -> None:
        """A worker has a probe: of its own link, or of the shared one."""
        if self._roster.probe_reply(worker, message):
            self.measured(worker)
            return
        if self._shared_link.reply(worker, message.number):
            self._planner.changed()
        if not self._shared_link.measures(math.inf):
            self.measure_shared()  # who came meanwhile has not been measured with the others
            self._out.review()

    def measured(self, worker: Worker) -> None:
        """A worker's own link is measured, or needs no measuring: plans may use it."""
        self._planner.take_free_slots(worker)
        self._planner.changed()
        if not worker.local:
            self._shared_link.want()
            self.measure_shared()
            if not self._scheduler.idle:
                self._shared_link.believe(worker)
        self._out.review()

    def measure_shared(self) -> None:
        """Begins to measure the shared link, if that is wanted and no worker has a task."""
        if self._scheduler.idle:
            self._shared_link.begin(self._roster.by_number.values())
