"""Workers are killed, stopped and cut off at random moments: every job completes, bit by bit."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from frames import Frames, first_layers
from moments import KINDS, NAMES, Kind, Shelf
from processes import Cluster
from smallmodels import write_small_model

FRAMES = 12
MOMENTS = 6
HEARTBEAT_S = 0.2
BEATS = 3
BUSY_S = 0.3
"""How much later things may come on a machine that does other things at the same time."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("shelf")
    model = write_small_model(folder / "first.ftd", first_layers(96))
    frames = Frames(model, folder / "frames", FRAMES)
    with Cluster(folder, model) as cluster, Shelf(cluster, frames, HEARTBEAT_S) as made:
        yield made


@pytest.fixture(autouse=True)
def _log(shelf: Shelf) -> Iterator[None]:
    yield
    print(shelf.cluster.log())


@pytest.fixture(scope="module")
def usual(shelf: Shelf) -> int:
    """The bytes between client and coordinator for a job that nobody harms."""
    shelf.run(FRAMES)
    return shelf.run(FRAMES)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_job_completes_with_the_same_bits(shelf: Shelf, usual: int, kind: Kind) -> None:
    rng = random.Random(kind)
    for number in range(MOMENTS):
        victim = NAMES[number % len(NAMES)]
        outcome = shelf.harmed(kind, victim, rng.random(), FRAMES, usual)
        print(outcome)
        assert outcome.completed and not outcome.wrong
        assert outcome.computed == FRAMES  # none lost, none doubled
        assert outcome.noticed_s is not None
        assert outcome.noticed_s <= BEATS * HEARTBEAT_S + BUSY_S
