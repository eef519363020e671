"""What planning for several boards takes, in processor time, beside a yardstick of plain Python.

A plan is made when a board comes or goes, so the bar is a second on a desktop; on any machine it is
the ratio that tells whether planning became slower. Yardstick and planning take turns. The tests
bound the same plans by the number of calls. ::

    python benchmarks/sharing.py [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.planning.workers import boards, first16

from ftdist.planning.sharing import search as shared_search

BAR_S, BAR_RATIO = 1.0, 6.0


def plan() -> None:
    """Six boards for YOLOv2's first sixteen layers, from nothing."""
    shared_search._search_for.cache_clear()
    shared_search.share(first16(), boards(6, relative_time=6.0), 1, picture=True)


def yardstick() -> None:
    """A quarter of a second on a desktop."""
    table: dict[int, float] = {}
    for number in range(1_500_000):
        table[number % 997] = table.get(number % 991, 0.0) + max(number, 3)


def seconds(function: Callable[[], None]) -> float:
    before_s = process_time()
    function()
    return process_time() - before_s


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    plan()  # what is loaded once
    pairs = [(seconds(plan), seconds(yardstick)) for _ in range(rounds)]
    plan_s = statistics.median(each for each, _ in pairs)
    ratio = statistics.median(each / yard for each, yard in pairs)
    print(f"planning   {plan_s:.2f} s of processor time (bar on a desktop: {BAR_S:g} s)")
    print(f"ratio      {ratio:.1f} times the yardstick (bar: {BAR_RATIO:g})")
    return 0 if ratio <= BAR_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
