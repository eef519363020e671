"""What a worker, status and submit say when there is no coordinator, and what a full disk does."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.integration.frames import Frames
from support.integration.processes import Cluster, joined
from support.ports import kept_port

UNKNOWN = "tcp://no-such-host.invalid:5555"


@pytest.fixture
def frames(cluster: Cluster, tmp_path: Path) -> Frames:
    return Frames(cluster.model, tmp_path / "frames", 3)


@contextmanager
def mail_server() -> Iterator[str]:
    """Somebody else who listens, and greets all who come."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"220 mail.example ESMTP\r\n")
                while connection.recv(4096):
                    pass

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=greet, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_host_that_nobody_knows(cluster: Cluster, frames: Frames) -> None:
    words = "the host name 'no-such-host.invalid' (is unknown|cannot be looked up)"
    worker = cluster.worker("ann", UNKNOWN, "--insecure")
    worker.says(f"{words}.*; tries again")
    for command in (
        cluster.start("status", "status", UNKNOWN, "--insecure"),
        cluster.submit(frames.paths, UNKNOWN, cluster.folder / "out", "--insecure"),
    ):
        command.says(words)
        assert command.status() in (1, 2)  # 1 where no one can be asked for names
    assert worker.end() == 0


def test_a_coordinator_that_comes_later(cluster: Cluster, frames: Frames) -> None:
    """What waits for it says so once, and then goes on by itself."""
    words = r"nothing listens there \(connection refused\)"
    with kept_port() as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        worker = cluster.worker("ann", endpoint)
        worker.says(f"{words}.*; tries again")
        client = cluster.submit(frames.paths, endpoint, cluster.folder / "out")
        client.says(f"{words}.*; trying again")
        cluster.coordinator(port=port)
    joined(worker)
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "out")
    assert len(worker.said(words)) == len(client.said(words)) == 1


def test_somebody_else_who_listens(cluster: Cluster, frames: Frames) -> None:
    words = r"what listens there is not a coordinator \(it says '220 mail"
    with mail_server() as endpoint:
        worker = cluster.worker("ann", endpoint)
        worker.says(f"{words}.*; tries again")
        for command in (
            cluster.start("status", "status", endpoint),
            cluster.submit(frames.paths, endpoint, cluster.folder / "out"),
        ):
            command.says(words)
            assert command.status() == 2
        assert worker.end() == 0


OTHER_VERSION = """
import sys
import ftdist.protocol.limits as limits
limits.PROTOCOL = 77
from ftdist.cli.main import main
sys.exit(main())
"""


def test_versions_that_differ(cluster: Cluster, frames: Frames) -> None:
    coordinator = cluster.coordinator()
    to = coordinator.endpoint
    for name, *arguments in (
        ("ann", "worker", to, "--mem", "128M", "--name", "ann"),
        ("status", "status", to),
        ("client", "submit", frames.paths[0], "--to", to, "-o", cluster.folder / "out"),
    ):
        process = cluster.start(name, *arguments, program=OTHER_VERSION)
        process.says(r"versions differ: the coordinator speaks protocol \d+, its peer 77; install")
        assert process.status() == 2, process.log()
    coordinator.says("worker ann from 127.0.0.1: refused: versions differ")


def test_a_cache_that_cannot_be_written(cluster: Cluster) -> None:
    (cluster.folder / "file").touch()
    arguments = ("worker", "tcp://127.0.0.1:1", "--mem", "128M", "--cache", "file/cache")
    worker = cluster.start("ann", *arguments)
    assert worker.status() == 2
    assert "cannot keep models in file/cache: Not a directory" in worker.lines[-1].text
    assert "name another folder by --cache" in worker.lines[-1].text
    assert len(worker.lines) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of one page."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a disk of its own needs root, to mount one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_for_results_ends_the_job(
    cluster: Cluster, frames: Frames, small_disk: Path
) -> None:
    coordinator = cluster.coordinator()
    joined(cluster.worker("ann", coordinator.endpoint))
    client = cluster.submit(frames.paths, coordinator.endpoint, small_disk, "--job", "night")
    assert client.status() == 2
    last = client.lines[-1].text
    assert last.startswith(f"ftdist: cannot write {small_disk}") and "No space left" in last
    coordinator.says("job night: cancelled")
    assert [path.name for path in small_disk.iterdir() if path.suffix != ".job"] == []


def test_results_that_cannot_be_written_are_said_before_anything_is_sent(
    cluster: Cluster, frames: Frames
) -> None:
    (cluster.folder / "file").touch()
    client = cluster.submit(frames.paths, "tcp://127.0.0.1:1", cluster.folder / "file" / "out")
    assert client.status() == 2
    assert "cannot make" in client.lines[-1].text and "Not a directory" in client.lines[-1].text
