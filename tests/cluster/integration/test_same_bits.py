"""Several real workers, unlike each other, give the very bits of `ftdist run`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest
from support.command import ftdist_command
from support.integration.frames import Frames, first_layers
from support.integration.processes import Cluster, joined
from support.integration.proxy import Proxy
from support.smallmodels import DETECTOR, write_small_model

from ftdist.kernels import native

TEAM = [("96M", 0.0), ("44M", 20e6), ("200M", 4e6), ("48M", 60e6)]
"""Budgets of the workers, and the rates of their links in bytes a second (0: what there is)."""

SETS = [each.name for each in native.available() if each.fused]

two_sets = pytest.mark.skipif(
    len(SETS) < 2, reason=f"needs two instruction sets with fused multiply-add, here is {SETS}"
)


@pytest.fixture
def links() -> Iterator[ExitStack]:
    """Where proxies are ended."""
    with ExitStack() as stack:
        yield stack


@two_sets
@pytest.mark.parametrize(
    ("text", "picture"), [(first_layers(160), False), (DETECTOR, True)], ids=["layers", "detector"]
)
def test_one_to_four_workers_give_the_bits_of_one_process(
    tmp_path: Path, cluster: Cluster, links: ExitStack, text: str, picture: bool
) -> None:
    """Workers join one by one; after each there is a job of one frame, and one of several."""
    cluster.model = write_small_model(tmp_path / "model.ftd", text)
    frames = Frames(cluster.model, tmp_path / "frames", 5, picture=picture)
    coordinator = cluster.coordinator(heartbeat_s=1.0)
    sets = cycle(SETS)
    for count, (mem, bytes_per_s) in enumerate(TEAM, 1):
        link = links.enter_context(Proxy(coordinator.port))
        link.slow(bytes_per_s)
        joined(cluster.worker(f"w{count}", link.endpoint, mem=mem, FTDIST_ISA=next(sets)))
        jobs = {}
        for number in (1, len(frames.paths)):
            output = tmp_path / f"out{count}-{number}"
            jobs[number] = cluster.submit(frames.paths[:number], coordinator.endpoint, output)
        for number, job in jobs.items():
            assert job.status() == 0, job.log()
            assert not frames.wrong(tmp_path / f"out{count}-{number}", number)
    alone = tmp_path / "alone.npy"
    words: list[object] = ["run", cluster.model, frames.paths[0], "-o", alone]
    words += [] if frames.arithmetic(output) else ["--exact-direct"]
    run = ftdist_command(*words, folder=tmp_path)
    assert run.status == 0, run
    assert alone.read_bytes() == (output / frames.paths[0].name).read_bytes()
    status = cluster.status(coordinator.endpoint)
    assert [each["failed"] for each in status["workers"]] == [0] * len(TEAM)
    assert {each["instruction_set"] for each in status["workers"]} == set(SETS[:2])
