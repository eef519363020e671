"""A batch on a Dask cluster of worker processes, one of which is killed."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.pictures import scene
from support.smallmodels import DETECTOR, write_small_model

import ftdist
from ftdist.errors import InputError
from ftdist.many.asking import Allowed, asked_of
from ftdist.many.listing import Listing
from ftdist.network.modelfile import load

pytest.importorskip("distributed", reason="Dask is not installed here")
pytestmark = pytest.mark.filterwarnings("default")

COUNT, BROKEN = 30, 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("dask")
    write_small_model(found / "detector.ftd", DETECTOR, labels=("cat", "dog"))
    for number in range(COUNT):
        scene(64, 48, seed=number).save(found / f"p{number:02}.png")
    (found / f"p{BROKEN:02}.png").write_bytes(b"nothing")
    return found


@pytest.fixture(scope="module")
def wanted(folder: Path) -> list[dict[str, Any]]:
    """The records of this process alone."""
    found = ftdist.batch(load(folder / "detector.ftd"), folder, threads=1)
    return [each | {"error": None} if "error" in each else each for each in found]


def test_a_killed_workers_pictures_are_computed_again_and_each_is_there_once(
    folder: Path, wanted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftdist.dask.spread import Spread, connected
    from ftdist.dask.work import Job
    from ftdist.many.asking import as_record

    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    model = load(folder / "detector.ftd")
    asked = asked_of(model, {"threshold": 0.3, "overlap": 0.45})
    thresholds = tuple(asked.thresholds.items())
    job = Job(
        model.digest, asked.task, asked.names, thresholds, allowed=Allowed(None, 1), stored=True
    )
    listing = Listing([str(folder)])
    with ExitStack() as stack:
        client = connected("dask", 2, stack)
        results = Spread(client, model, job, str(folder)).run(listing)
        found = [next(results)]
        os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
        found += list(results)
    assert [each.number for each in found] == list(range(COUNT))
    records = [as_record(each.item, each.result) for each in found]
    assert [each | {"error": None} if "error" in each else each for each in records] == wanted
    assert isinstance(found[BROKEN].result, InputError)
    assert [each.name for each in (folder / "cache/ftdist/dask").iterdir()] == [
        f"{model.digest}.ftd"
    ]


def test_a_bag_holds_the_same_records(folder: Path, wanted: list[dict[str, Any]]) -> None:
    from ftdist.dask import to_bag

    bag = to_bag(folder / "detector.ftd", folder, threads=1, at_once=7)
    assert bag.npartitions == 5
    found = bag.compute(scheduler="synchronous")
    assert [each | {"error": None} if "error" in each else each for each in found] == wanted
    assert "error" in found[BROKEN]


def test_a_worker_without_room_says_so_in_one_line(folder: Path) -> None:
    from ftdist.dask import delayed_batch

    (first, *_) = delayed_batch(folder / "detector.ftd", folder, mem="34M", threads=1)
    with pytest.raises(ftdist.FtdistError, match="a Dask worker, with Dask in it"):
        first.compute(scheduler="synchronous")


def test_an_address_without_a_cluster_is_refused(folder: Path) -> None:
    from ftdist.dask.spread import connected

    with ExitStack() as stack, pytest.raises(InputError, match="dask://HOST"):
        connected("spark://there", 1, stack)
