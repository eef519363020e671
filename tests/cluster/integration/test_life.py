"""The ordinary life of a cluster: workers come and go, disks fill, memory is short."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.integration.attack import recorded, understood
from support.integration.frames import Frames, first_layers
from support.integration.processes import Cluster, joined, ready
from support.integration.proxy import Proxy
from support.smallmodels import write_small_model

from ftdist.cluster.backoff import Backoff
from ftdist.protocol.shared_messages import ModelRequest

FRAMES = 8
_LINK = 3e6
_LINES_A_TRY = 4

MODEST = """
import sys
from ftdist.cluster.worker import hello
from ftdist.cluster.worker import worker
from ftdist.runtime.budget.limits import Budget

honest, Capabilities = hello.will_hold_bytes, worker.Capabilities
hello.will_hold_bytes = lambda: honest() - (8 << 20)
worker.Capabilities = lambda name, _, *more: Capabilities(
    name, Budget(honest() + (6 << 20), "it"), *more
)
from ftdist.cli.main import main
sys.exit(main())
"""
"""A worker that may take 6 MiB more than it does, and believes that it takes 8 MiB less."""


HEAVY = "[net]\nwidth=16\nheight=16\nchannels=3\n" + (
    "[convolutional]\nfilters=256\nsize=3\nstride=1\npad=1\nactivation=leaky\n" * 6
)
"""Six layers, five of which have 2.25 MiB of weights each."""


@pytest.fixture
def frames(cluster: Cluster, tmp_path: Path) -> Frames:
    cluster.model = write_small_model(tmp_path / "layers.ftd", first_layers(96))
    return Frames(cluster.model, tmp_path / "frames", FRAMES)


@pytest.fixture
def links() -> Iterator[ExitStack]:
    """Where proxies are ended."""
    with ExitStack() as stack:
        yield stack


def test_a_job_waits_for_workers_and_two_clients_take_turns(
    cluster: Cluster, frames: Frames
) -> None:
    coordinator = cluster.coordinator()
    outputs = [cluster.folder / "one", cluster.folder / "two"]
    clients = [cluster.submit(frames.paths, coordinator.endpoint, each) for each in outputs]
    for client in clients:
        client.says("0 of 8 frames, 0 workers; waiting for (workers|job)")
    status = cluster.status(coordinator.endpoint)
    assert status["workers"] == [] and len(status["jobs"]) == 2
    assert "waiting for workers" in [each["text"] for each in status["jobs"]]
    joined(cluster.worker("late", coordinator.endpoint))
    for client, output in zip(clients, outputs, strict=True):
        assert client.status() == 0, client.log()
        assert not frames.wrong(output)
    assert len(coordinator.said(r"job .*: done, 8 frames")) == 2


def test_a_worker_that_is_told_to_stop_leaves_in_order(
    cluster: Cluster, frames: Frames, links: ExitStack
) -> None:
    """What it is at it ends; its other tasks go to the other worker at once; all is asked of it."""
    coordinator = cluster.coordinator(heartbeat_s=60.0)
    workers = []
    for name in ("ann", "bob"):
        link = links.enter_context(Proxy(coordinator.port))
        link.slow(_LINK)
        workers.append(cluster.worker(name, link.endpoint))
        joined(workers[-1])
    client = cluster.submit(frames.paths, coordinator.endpoint, cluster.folder / "out")
    client.says("^wrote ")
    status = cluster.status(coordinator.endpoint)
    assert {each["name"] for each in status["workers"]} == {"ann", "bob"}
    assert [each["frames"] for each in status["jobs"]] in ([FRAMES], [])
    assert workers[0].end() == 0
    coordinator.says(r"worker ann: leaves \(it was told to stop\)")
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "out")
    assert not coordinator.said("lost")


def test_the_first_job_finds_workers_that_have_their_weights(
    cluster: Cluster, frames: Frames
) -> None:
    coordinator = cluster.coordinator()
    workers = [cluster.worker(name, coordinator.endpoint) for name in ("ann", "ben")]
    for worker in workers:
        joined(worker)
        ready(worker)
    assert not cluster.status(coordinator.endpoint)["jobs"]
    client = cluster.submit(frames.paths, coordinator.endpoint, cluster.folder / "out")
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "out")


def test_a_cut_transfer_of_weights_goes_on_where_it_was(
    cluster: Cluster, frames: Frames, links: ExitStack
) -> None:
    coordinator = cluster.coordinator(prepare=False)
    link = links.enter_context(Proxy(coordinator.port, recording=True))
    worker = cluster.worker("ann", link.endpoint)
    joined(worker)
    while not cluster.status(coordinator.endpoint)["workers"][0]["link_bytes_per_s"]:
        pass  # its link is still measured
    size = cluster.model.stat().st_size
    link.slow(size)  # a cut loses what the worker has not read yet, which must not be all
    link.meter.passed = 0
    link.meter.when_passed(size * 3 // 4, link.cut)
    client = cluster.submit(frames.paths[:1], coordinator.endpoint, cluster.folder / "out")
    ready(worker)
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "out", 1)
    first, *_, second = (_parts_asked_for(stream) for stream in link.sent)
    assert first and second and len(second) < len(first | second)
    assert worker.said("the connection ended; tries again")


def _parts_asked_for(stream: bytearray) -> set[tuple[int, int]]:
    """The parts of layers, by number and offset, that a worker asks for."""
    said = understood(recorded([stream]))
    return {(m.layer, m.offset) for m in said if isinstance(m, ModelRequest) and m.layer >= 0}


def test_a_worker_that_needs_more_than_was_believed_is_planned_smaller(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.model = write_small_model(tmp_path / "heavy.ftd", HEAVY)
    frames = Frames(cluster.model, tmp_path / "frames", 3)
    coordinator = cluster.coordinator()
    arguments = ["worker", coordinator.endpoint, "--name", "modest", "--threads", 1]
    cache = cluster.folder / "cache"
    worker = cluster.start("modest", *arguments, "--cache", cache, program=MODEST)
    joined(worker)
    client = cluster.submit(frames.paths, coordinator.endpoint, cluster.folder / "out")
    said = coordinator.says(r"worker modest: frame .* needs [\d.]+ MiB, the budget is [\d.]+").text
    assert "planning smaller tasks" in said
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "out")
    (status,) = cluster.status(coordinator.endpoint)["workers"]
    assert worker.peak_bytes() <= status["budget_bytes"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 128 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_others_do_the_work(
    cluster: Cluster, frames: Frames, small_disk: Path
) -> None:
    coordinator = cluster.coordinator()
    arguments = ["worker", coordinator.endpoint, "--name", "full", "--mem", "96M"]
    full = cluster.start("full", *arguments, "--cache", small_disk / "models")
    joined(full)
    client = cluster.submit(frames.paths, coordinator.endpoint, cluster.folder / "out")
    full.says("cannot (use the model cache at|write) .*(No space left on device|the disk is full)")
    joined(cluster.worker("roomy", coordinator.endpoint))
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "out")
    assert full.is_running and not full.said("Traceback")
    coordinator.says("worker full: leaves .*cannot (use|write)")
    tries = most_tries(time.monotonic() - full.began_s)  # ever more seldom
    assert len(full.lines) <= _LINES_A_TRY * (tries + 1)


def most_tries(seconds: float) -> int:
    """How often somebody may come back in so many seconds, however chance shortens the pauses."""
    pauses, count = Backoff(lambda: 1.0), 1
    while (seconds := seconds - pauses.next_s()) > 0:
        count += 1
    return count
