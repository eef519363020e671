"""Bar: 100,000 hostile messages to a coordinator and to a worker, with and without keys.

Malformed, truncated, oversized, replayed and out-of-order messages from peers that may connect;
connections that speak no ZeroMQ; 50 slow ones that never finish their greeting; workers that cheat;
a coordinator that lies; messages without an end, several at once (``ConnectionMonitor`` cuts them
off: memory may grow by 32 MiB, and the log says whose they were). Meanwhile honest workers and
clients go about their business. Nobody may crash or hang, memory (VmHWM) may grow by less than
8 MiB otherwise, honest jobs end with the right bits. ::

    python benchmarks/hostile.py [--messages 100000] [--seed 0] [--only endless]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.integration.attack import TRICKS
from support.integration.frames import Frames, first_layers
from support.integration.hostility import Result, Town, flooded_worker, lied_to
from support.integration.processes import Cluster
from support.smallmodels import write_small_model

MIB = 1 << 20
MOST_BYTES, MOST_ENDLESS_BYTES = 8 * MIB, 32 * MIB
FLOODS = 5
ENDINGS = 100
"""How often the false coordinator ends its session with the worker."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["endless"])
    arguments = parser.parse_args()
    count, seed = arguments.messages, arguments.seed
    sound = True
    for secured in (False, True):
        sound &= _endless(seed, secured=secured)
    for secured in (False, True) if arguments.only != "endless" else ():
        with _site() as site, Town(*site, seed, secured=secured) as town:
            sound &= _tell("attacked coordinator", secured, partial(town.attacked, count, _note))
        with _site() as site, Town(*site, seed, secured=secured) as town:
            sound &= _tell("cheated coordinator", secured, partial(town.cheated, [*TRICKS] * 2))
        with _site() as site:
            attack = partial(lied_to, *site, count, seed, endings=ENDINGS, secured=secured)
            sound &= _tell("worker that is lied to", secured, attack)
    return 0 if sound else 1


def _endless(seed: int, *, secured: bool) -> bool:
    """Messages without an end, to a coordinator and to a worker."""
    most = MOST_ENDLESS_BYTES
    with _site() as site, Town(*site, seed, secured=secured) as town:
        sound = _tell("flooded coordinator", secured, partial(town.flooded, FLOODS), most)
    with _site() as site:
        attack = partial(flooded_worker, *site, FLOODS, secured=secured)
        return _tell("flooded worker", secured, attack, most) and sound


@contextmanager
def _site() -> Iterator[tuple[Cluster, Frames]]:
    """A folder for processes, and inputs for jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_small_model(folder / "layers.ftd", first_layers(96))
        with Cluster(folder, model) as cluster:
            try:
                yield cluster, Frames(model, folder / "frames", 6)
            except BaseException:
                print(cluster.log()[-20_000:])
                raise


def _note(line: str) -> None:
    print(f"    {line}", flush=True)


def _tell(
    what: str, secured: bool, attack: Callable[[], Result], most_bytes: int = MOST_BYTES
) -> bool:
    """Prints what an attack came to; whether all is as it should be."""
    began = time.monotonic()
    result = attack()
    sound = not result.failed and not result.wrong and result.growth_bytes < most_bytes
    print(
        f"{what:24}{'with keys' if secured else 'without keys':14}"
        f"{result.sent:>8} messages, {result.strangers:>5} strangers, {result.cheated:>3} cheats; "
        f"{result.jobs:>3} honest jobs, {len(result.failed)} failed, {len(result.wrong)} wrong; "
        f"{result.growth_bytes / MIB:5.1f} MiB more; {time.monotonic() - began:.0f} s: "
        f"{'sound' if sound else 'NOT SOUND'}",
        flush=True,
    )
    for log in result.failed:
        print(log)
    return sound


if __name__ == "__main__":
    sys.exit(main())
