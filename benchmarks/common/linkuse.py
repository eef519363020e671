"""How much of a link's rate is used, from its counters, twenty times a second.

    python linkuse.py DEVICE      in the link's namespace: lines of time, bytes received, bytes sent

As a ``Recorder`` it runs beside a job; ``drawn`` shows each moment as a digit: tenths of the rate.
"""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

PERIOD_S = 0.05
_A_LINE = 100


def main() -> None:
    device = sys.argv[1] + ":"
    while True:
        time.sleep(PERIOD_S - time.monotonic() % PERIOD_S)
        lines = Path("/proc/self/net/dev").read_text().splitlines()
        words = next(line for line in lines if line.strip().startswith(device)).split()
        print(f"{time.monotonic():.4f} {words[1]} {words[9]}", flush=True)


class Recorder:
    """Counts within a `with` block; `command` makes words run in the link's namespace."""

    def __init__(self, command: Any, device: str, file: Path) -> None:
        self._words = command([sys.executable, __file__, device])
        self._file = file

    def __enter__(self) -> Recorder:
        with self._file.open("wb") as out:
            self._popen = subprocess.Popen(self._words, stdout=out, start_new_session=True)
        return self

    def __exit__(self, *_: Any) -> None:
        self._popen.kill()
        self._popen.wait()

    def drawn(self, begin_s: float, end_s: float, bits: float) -> str:
        """Both directions between two times: tenths of `bits` a second, a line for 5 s each."""
        rows = [line.split() for line in self._file.read_text().splitlines()]
        rows = [row for row in rows if len(row) == 3 and begin_s <= float(row[0]) <= end_s]
        found = []
        for name, column in (("down", 2), ("up", 1)):
            text, used = "", 0
            for before, after in pairwise(rows):
                count = int(after[column]) - int(before[column])
                used += count
                share = 8 * count / ((float(after[0]) - float(before[0])) * bits)
                text += str(min(9, int(10 * share))) if share >= 0.01 else "."
            found.append(f"{name:5}{8 * used / bits:6.2f} s of {end_s - begin_s:.2f} in use")
            found += ["     " + text[at : at + _A_LINE] for at in range(0, len(text), _A_LINE)]
        return "\n".join(found)


if __name__ == "__main__":
    main()
