"""Workers are killed, stopped and cut off at random moments: every job completes, bit by bit.

Jobs of many frames, of which each worker takes whole ones, and of a single frame that all work on,
in stages, keeping maps between them. `benchmarks/failures.py` is the same with a hundred moments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support.integration.frames import Frames, first_layers
from support.integration.moments import KINDS, NAMES, Kind, Shelf
from support.integration.processes import Cluster
from support.smallmodels import write_small_model

MOMENTS: dict[Kind, int] = {"kill": 3, "stop": 3, "cut": 2, "stall": 2}
HEARTBEAT_S = 0.2

JOBS = {"many": (first_layers(96), 12, 3e6), "one": (first_layers(224, 16), 1, 8e6)}
"""By name: a network, frames a job, and the rate of each link in bytes a second."""


@pytest.fixture(scope="module", params=JOBS)
def shelf(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shelf]:
    text, count, link = JOBS[request.param]
    folder = tmp_path_factory.mktemp("shelf")
    model = write_small_model(folder / "layers.ftd", text)
    frames = Frames(model, folder / "frames", count)
    with Cluster(folder, model) as cluster, Shelf(cluster, frames, HEARTBEAT_S, link) as made:
        made.prepare()
        yield made


@pytest.fixture(autouse=True)
def _log(shelf: Shelf) -> Iterator[None]:
    yield
    print(shelf.cluster.log())


@pytest.mark.parametrize("kind", KINDS)
def test_every_job_completes_with_the_same_bits(shelf: Shelf, kind: Kind) -> None:
    rng = random.Random(kind)
    count = len(shelf.frames.paths)
    for _ in range(MOMENTS[kind]):
        outcome = shelf.harmed(kind, rng.choice(NAMES), rng.random())
        print(outcome)
        assert outcome.completed and not outcome.wrong
        assert outcome.computed == count  # none lost, none doubled
        assert outcome.noticed_s is not None  # how soon: benchmarks/failures.py
