"""Wakes up on one processor a thousand times a second, so that quotas there are kept exactly.

Linux looks at a process's quota of processor time when it switches processes, and else only every
few milliseconds (4, as most kernels are built). With nothing else to run, a group that may use 1 ms
of every 7 then runs for 4 ms and stands still for 23: right on average, but no slow core. A process
of the highest class that wakes up and sleeps again makes Linux look. It takes 2% of a core. ::

    python metronome.py PROCESSOR PARENT

It ends with its parent.
"""

from __future__ import annotations

import os
import sys
import time

BEAT_S = 0.001


def main() -> None:
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    while os.getppid() == int(sys.argv[2]):
        time.sleep(BEAT_S)


if __name__ == "__main__":
    main()
