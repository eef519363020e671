"""Coordinators and clients that die in the middle of a job, and what is not done twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.integration.frames import Frames, first_layers
from support.integration.processes import PATIENCE_S, Cluster, Coordinator, Process, joined
from support.integration.proxy import Proxy
from support.smallmodels import write_small_model

FRAMES = 20
_LINK = 3e6
_BYTES_A_FRAME = 96 * 96 * 3 * 4


class Site:
    """A coordinator with two workers on slow links, and the inputs of a job."""

    def __init__(self, cluster: Cluster, folder: Path, stack: ExitStack) -> None:
        cluster.model = write_small_model(folder / "layers.ftd", first_layers(96))
        self.cluster = cluster
        self.frames = Frames(cluster.model, folder / "frames", FRAMES)
        self.results = folder / "results"
        self.coordinator = cluster.coordinator()
        self.port = self.coordinator.port
        self.link = stack.enter_context(Proxy(self.port))
        for name in ("ann", "bob"):
            link = stack.enter_context(Proxy(self.port))
            link.slow(_LINK)
            joined(cluster.worker(name, link.endpoint))

    def submit(self) -> Process:
        return self.cluster.submit(
            self.frames.paths, self.link.endpoint, self.results, "--job", "twenty"
        )

    def restart(self) -> Coordinator:
        """Another coordinator in the place of the one that ended."""
        assert self.coordinator.status() in (0, -signal.SIGKILL)
        self.coordinator = self.cluster.coordinator(port=self.port)
        return self.coordinator


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(cluster, tmp_path, stack)


def written(client: Process, before: int | None = None) -> int:
    """How many frames a client has written, or had before a line of its own."""
    return sum(before is None or said.number < before for said in client.said("^wrote "))


@pytest.mark.parametrize(("how", "share"), [("KILL", 0.4), ("KILL", 0.7), ("TERM", 0.5)])
def test_a_coordinator_that_comes_back_computes_only_what_is_not_delivered(
    site: Site, how: str, share: float
) -> None:
    """Up to seven inputs pass before the first result does: two for each worker, one more, and one
    for each result that is on its way."""
    number = signal.Signals[f"SIG{how}"]
    site.link.meter.when_passed(
        int(share * FRAMES * _BYTES_A_FRAME), lambda: site.coordinator.signal(number)
    )
    client = site.submit()
    again = site.restart()
    assert client.status() == 0, client.log()
    done = again.says(r"job twenty: done, \d+ frames?")
    delivered = written(client, client.said("trying again")[-1].number)
    assert 0 < delivered < FRAMES
    assert f"done, {FRAMES - delivered} frames" in done.text
    assert written(client) == FRAMES and not site.frames.wrong(site.results)


def test_a_tunnel_that_stays_open_is_not_taken_for_a_stranger(site: Site) -> None:
    """Whoever stands before the coordinator may accept while it is away, for as long as it is."""
    site.link.meter.when_passed(FRAMES * _BYTES_A_FRAME // 2, site.coordinator.kill)
    client = site.submit()
    for _ in range(12):  # of each try the client opens several
        assert site.link.turned_away.acquire(timeout=PATIENCE_S), client.log()
    site.restart()
    assert client.status() == 0, client.log()
    assert not site.frames.wrong(site.results)


def test_a_client_that_dies_is_gone_on_with_by_the_next(site: Site) -> None:
    first: list[Process] = []
    site.link.meter.when_passed(FRAMES * _BYTES_A_FRAME // 2, lambda: first.pop().kill())
    dying = site.submit()
    first.append(dying)
    assert dying.status() == -signal.SIGKILL
    site.coordinator.says("job twenty: its client is gone")
    second = site.submit()
    assert second.status() == 0, second.log()
    site.coordinator.says("job twenty: its client is back")
    site.coordinator.says(f"job twenty: done, {FRAMES} frames")  # each once
    assert 0 < written(second) <= FRAMES - written(dying) + 1  # one may have been half written
    assert not site.frames.wrong(site.results)


def test_the_address_may_be_taken_over_by_another_model(site: Site, tmp_path: Path) -> None:
    """The client does not mix results of two models; it says so."""
    site.link.meter.when_passed(FRAMES * _BYTES_A_FRAME // 2, site.coordinator.kill)
    client = site.submit()
    site.coordinator.status()
    other = write_small_model(tmp_path / "other.ftd", first_layers(96), seed=2)
    site.cluster.coordinator(port=site.port, model=other)
    assert client.status() == 2
    assert "began with another model" in client.lines[-1].text
