"""What the page shows that does not change: whose page it is, its network, how to read outputs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ftdist import __version__
from ftdist.network.graph import Network
from ftdist.network.task import Task
from ftdist.planning.profile import DeviceProfile


@dataclass(frozen=True, slots=True)
class Subject:
    """`kind`: the command, coordinator, run, batch or watch. `budget_bytes` and `process`: of
    whoever is shown, this page's process counted in the budget. `names`: of classes, where there
    are any."""

    kind: str
    network: Network
    profile: DeviceProfile
    task: Task
    names: tuple[str, ...]
    budget_bytes: int
    process: int
    version: str = __version__
    started_s: float = field(default_factory=time.time)
