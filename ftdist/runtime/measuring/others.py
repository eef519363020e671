"""What other programs take of the processors meanwhile.

One that computes all the time makes a measurement settle as well as none does, at other figures:
it shares the caches and the memory.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_IDLE, _WAITING, _GUESTS = 3, 4, 8
"""Places in the line of all processors (proc(5)): user time holds what guests take too."""


class Others:
    """From its making on: the share of all processors' time that is neither idle nor ours.

    What a hypervisor takes away counts as well.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._stat = root / "proc/stat"
        self._begin = self._read()

    @property
    def share(self) -> float:
        """Of all processors' time, from 0 to 1; 0 where the system does not tell."""
        whole, busy, ours = (b - a for a, b in zip(self._begin, self._read(), strict=True))
        return min(max(busy - ours, 0.0) / whole, 1.0) if whole > 0 else 0.0

    def _read(self) -> tuple[float, float, float]:
        """Seconds so far: of all processors, of those that were busy, and of this process."""
        ours = time.process_time()
        try:
            line = self._stat.read_text().partition("\n")[0]
            ticks = [int(word) for word in line.split()[1 : 1 + _GUESTS]]
        except (OSError, ValueError):
            return 0.0, 0.0, ours
        whole, each = sum(ticks), os.sysconf("SC_CLK_TCK")
        return whole / each, (whole - sum(ticks[_IDLE : _WAITING + 1])) / each, ours
