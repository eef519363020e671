"""Bars of the live page: what looking costs a coordinator, and what strangers can do to it.

    python benchmarks/page.py looks [--rounds 5] [--frames 300]
    python benchmarks/page.py strangers [--requests 10000]

*looks* runs the same job with the page open and closed, in turns, with a worker on the same
machine, and says how the rates compare, and the coordinator's processor time for a frame, which
does not depend on what else the machine does; then what processor time both processes take while
nothing is computed, looked at and not. An open page is one that reads the stream and fetches
pictures; a Chromium does so where ``--chromium`` asks for one.

*strangers* sends requests without a token, with wrong ones, from other sites, with huge and with
endless heads, and reads streams so slowly that nothing is taken, while a job runs. Nothing may be
served to them, memory must stay within the budget, and the job must end as it should.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from support.clusterprocesses import Cluster, cluster
from support.pageclient import TOKEN, Site, site_of
from support.smallmodels import DETECTOR, random_image, write_small_model

from ftdist.runtime.budget.memory import MIB, peak_resident_bytes

BUDGET = 192 * MIB
LEAST_RATIO = 0.98
MOST_LOAD = 0.02
"""Of a core, for a page that is looked at."""

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE_S = 20.0
_SERVED = re.compile(rb"ftdist_|detector|pi1|<script")
_CHROMIUM = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--remote-debugging-port=0"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    looks = parts.add_parser("looks")
    looks.add_argument("--rounds", type=int, default=5)
    looks.add_argument("--frames", type=int, default=300)
    looks.add_argument("--chromium", action="store_true")
    strangers = parts.add_parser("strangers")
    strangers.add_argument("--requests", type=int, default=10_000)
    strangers.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = write_small_model(folder / "detector.ftd", DETECTOR, labels=("left", "right"))
        np.save(folder / "image.npy", random_image(64))
        with cluster(folder / "cluster", model) as made:
            sound = {"looks": _looks, "strangers": _strangers}[arguments.part](made, arguments)
    print("all as it should be" if sound else "NOT as it should be")
    return 0 if sound else 1


# ---- looking


def _looks(made: Cluster, arguments: argparse.Namespace) -> bool:
    site = site_of(made, "--mem", BUDGET)
    made.worker("pi1").wait_for("joined the cluster")
    _job(made, "warm-up", arguments.frames)
    look = _chromium if arguments.chromium else _reader
    runs: dict[str, list[tuple[float, float]]] = {"closed": [], "open": []}
    for number in range(arguments.rounds):
        runs["closed"].append(_timed_job(site, made, f"closed-{number}", arguments.frames))
        with look(site):
            runs["open"].append(_timed_job(site, made, f"open-{number}", arguments.frames))
        print(f"round {number}: {runs['closed'][-1][0]:.1f} and {runs['open'][-1][0]:.1f} frames/s")
    closed, opened = (statistics.median(rate for rate, _ in runs[each]) for each in runs)
    print(f"closed {closed:.1f}, open {opened:.1f} frames/s, ratio {opened / closed:.3f}")
    taken = [statistics.median(seconds for _, seconds in runs[each]) * 1e3 for each in runs]
    ratio = taken[0] / taken[1]
    print(
        f"the coordinator's own time a frame: {taken[0]:.2f}, {taken[1]:.2f} ms, ratio {ratio:.3f}"
    )
    idle = _load(site)
    with look(site):
        looked_at = _load(site)
    for name, load in (("closed", idle), ("open", looked_at)):
        print(f"nothing to do, {name}: {load[0]:.2%} of a core, and its page {load[1]:.2%}")
    more = looked_at[0] - idle[0]
    print(f"looking costs the coordinator {more:.2%} of a core")
    return opened / closed >= LEAST_RATIO and more + looked_at[1] < MOST_LOAD and idle[1] == 0.0


def _timed_job(site: Site, made: Cluster, name: str, frames: int) -> tuple[float, float]:
    """Frames a second of a job, and the coordinator's processor time for each."""
    before_s = _processor_s(site.coordinator.process.pid)
    rate = _job(made, name, frames)
    return rate, (_processor_s(site.coordinator.process.pid) - before_s) / frames


def _job(made: Cluster, name: str, frames: int) -> float:
    """Frames a second of a job, as the coordinator says it."""
    inputs = (made.folder.parent / "image.npy", "--repeat", frames)
    outcome = made.submit(*inputs, "-o", made.folder / name, "--job", name)
    assert outcome.status == 0, outcome
    said = made.running[0].wait_for(rf"job {name}: done, {frames} frames in ([0-9.]+) s")
    return frames / max(0.05, float(said[1]))


@contextmanager
def _reader(site: Site) -> Iterator[None]:
    """Somebody who looks: reads the stream, and fetches pictures now and then."""
    stop = threading.Event()

    def read() -> None:
        with site.events() as events:
            for number, _ in enumerate(events):
                if number % 6 == 0:
                    for each in site.get("/pictures").json()[:1]:
                        site.get(f"/picture?n={each['n']}")
                if stop.is_set():
                    return

    thread = threading.Thread(target=read)
    thread.start()
    yield
    stop.set()
    thread.join()


@contextmanager
def _chromium(site: Site) -> Iterator[None]:
    """A browser on this machine, whose own time counts against the job as well."""
    with tempfile.TemporaryDirectory() as profile:
        words = [*_CHROMIUM, f"--user-data-dir={profile}", f"http://127.0.0.1:{site.port}/"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            while "ftdist_page_streams 1" not in site.get("/metrics").text:
                time.sleep(0.1)
            yield
            run.terminate()


def _load(site: Site) -> tuple[float, float]:
    """The share of a core of the coordinator's process and of the page's, over a while."""
    processes = [site.coordinator.process.pid, _page_process(site)]
    before = [_processor_s(each) for each in processes]
    time.sleep(_IDLE_S)
    taken = [_processor_s(each) - was for each, was in zip(processes, before, strict=True)]
    return taken[0] / _IDLE_S, taken[1] / _IDLE_S


def _page_process(site: Site) -> int:
    pid = site.coordinator.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _processor_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


# ---- strangers


def _strangers(made: Cluster, arguments: argparse.Namespace) -> bool:
    made.folder.mkdir(exist_ok=True)
    token = made.folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    site = site_of(made, "--mem", BUDGET, "--page-token", token)
    made.worker("pi1").wait_for("joined the cluster")
    image, out = made.folder.parent / "image.npy", made.folder / "out"
    job = made.begin("job", image, "-o", out, "--repeat", 2000, "--job", "attacked")
    rng = random.Random(arguments.seed)
    kinds = [rng.choice(list(_KINDS)) for _ in range(arguments.requests)]
    answers: Counter[tuple[str, str]] = Counter()
    leaked = 0
    started = time.monotonic()
    with _slow_readers(site.port), ThreadPoolExecutor(16) as pool:
        asked = pool.map(lambda kind: (kind, _KINDS[kind](site.port)), kinds)
        for kind, (answer, body) in asked:
            answers[kind, answer] += 1
            leaked += kind != "token" and _SERVED.search(body) is not None
    taken = time.monotonic() - started
    for (kind, answer), count in sorted(answers.items()):
        print(f"{kind:16}{answer:>10}{count:>8}")
    served = answers["token", "200"]
    peak, page = peak_resident_bytes(site.coordinator.process.pid), _private(_page_process(site))
    print(f"{arguments.requests} requests in {taken:.0f} s, {leaked} served without the token")
    print(f"coordinator's peak {peak / MIB:.1f} MiB, page {page / MIB:.1f} MiB of its own")
    done = job.wait() == 0 and "done, 2000 frames" in site.coordinator.said
    print(f"the job {'ended as it should' if done else 'did NOT end as it should'}")
    return not leaked and served > 0 and done and peak + page <= BUDGET


def _ask(port: int, path: str = "/metrics", **headers: str) -> tuple[str, bytes]:
    """Status and body of one request; "cut" where there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, None, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return str(answer.status), answer.read()
    except (OSError, http.client.HTTPException):
        return "cut", b""
    finally:
        connection.close()


def _endless(port: int) -> tuple[str, bytes]:
    """A head without an end."""
    try:
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            for _ in range(64):
                connection.sendall(b"X-More: " + b"x" * 4096 + b"\r\n")
            body = connection.recv(1 << 16)
            return body[9:12].decode() or "cut", body
    except OSError:
        return "cut", b""


_KINDS: dict[str, Callable[[int], tuple[str, bytes]]] = {
    "token": lambda port: _ask(port, authorization=f"Bearer {TOKEN}"),
    "no token": lambda port: _ask(port, random.choice(("/", "/about", "/events", "/metrics"))),
    "wrong token": lambda port: _ask(port, authorization="Bearer wrong-wrong-wrong-wrong"),
    "wrong sign-in": lambda port: _ask(port, "/login?token=wrong-wrong-wrong-wrong"),
    "wrong cookie": lambda port: _ask(port, "/about", cookie="ftdist-page=" + "0" * 64),
    "another site": lambda port: _ask(port, "/about", origin="https://evil.example"),
    "huge head": lambda port: _ask(port, "/about", cookie="x" * 30_000),
    "endless head": _endless,
}


@contextmanager
def _slow_readers(port: int, count: int = 12) -> Iterator[None]:
    """Streams that nobody reads, with the token: those who may look are slow, too."""
    request = f"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", port))
            reader.sendall(request)
        yield


def _private(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


if __name__ == "__main__":
    sys.exit(main())
