"""How long a kernel takes, though other programs run too.

Whatever else a machine does makes a batch of calls longer, never shorter. A figure is the lower
quartile of several short batches, and it is settled when that quartile lies close to the fastest
batch: then enough of them ran undisturbed. One that is not is measured on for a while; what even
then does not settle is named.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

_SETTLED = 1.05
"""How many times as long as the fastest batch the lower quartile of settled ones is at most."""

_LEAST_S = 1e-7

_LONGEST = 3
"""Where a call takes longer than a batch should, a figure takes so many times as long as others."""


class Timed(Protocol):
    """Something to run again and again."""

    def timed(self, calls: int) -> float:
        """Seconds of so many calls."""
        ...


@dataclass
class Stopwatch:
    """Measures in `batches` of `batch_s` seconds each, up to `rounds` times where none settles.

    Once the clock (``time.monotonic``) shows `until`, or that of the processor `until_processor`, a
    single batch must do. `unsettled` names the figures that did not settle.
    """

    batch_s: float = 0.004
    batches: int = 9
    rounds: int = 4
    until: float = math.inf
    until_processor: float = math.inf
    unsettled: list[str] = field(default_factory=list)
    figures: int = 0

    @property
    def is_late(self) -> bool:
        """Whether no time is left."""
        return time.process_time() >= self.until_processor or time.monotonic() >= self.until

    def apart(self) -> Stopwatch:
        """One that measures in the same way, and names what does not settle by itself."""
        return Stopwatch(self.batch_s, self.batches, 1, self.until, self.until_processor)

    def seconds(self, name: str, bench: Timed) -> float:
        """Seconds of one call."""
        bench.timed(1)
        once = max(bench.timed(1), _LEAST_S)
        calls = max(1, int(self.batch_s / once))
        found: list[float] = [] if calls > 1 else [once]
        batches = min(self.batches, max(1, int(_LONGEST * self.batches * self.batch_s / once)))
        self.figures += 1
        for _ in range(self.rounds):
            for _ in range(batches):
                if found and self.is_late:
                    break
                found.append(bench.timed(calls) / calls)
            quartile = float(np.quantile(found, 0.25))
            settled = len(found) > 1 and quartile <= _SETTLED * min(found)
            if settled or self.is_late or batches < self.batches:
                break
        if not settled and name not in self.unsettled:
            self.unsettled.append(name)
        return quartile
