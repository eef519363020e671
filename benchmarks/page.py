"""Bars of the live page: what looking costs a coordinator, and what strangers can do to it.

    python benchmarks/page.py looks [--pairs 20] [--window SECONDS] [--chromium] [--tiny]
    python benchmarks/page.py strangers [--requests 10000]

*looks* opens and closes the page in turns while one job runs, with a worker on the same machine,
and compares the rates of each pair of windows, and the coordinator's processor time for a frame;
then what processor time both processes take while nothing is computed, looked at and not. Frames
take the worker 10 ms; with ``--tiny`` next to nothing, so that the coordinator is always busy. An
open page is one that reads the stream and fetches pictures; with ``--chromium`` it is a real one,
which takes the processor only where nothing else wants it, as if on another machine.

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
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from common.clusters import finished
from common.clusters import ftdist as command
from support.browser import chromium
from support.clusterprocesses import Cluster, cluster
from support.pageclient import TOKEN, Site, site_of
from support.smallmodels import DETECTOR, random_image, write_small_model

import ftdist
from ftdist.runtime.budget.memory import MIB, peak_resident_bytes

BUDGET = 192 * MIB
LEAST_RATIO = 0.98
MOST_LOAD = 0.02
"""Of a core, for a page that is looked at."""

NO_LOAD = 0.0002
"""The same for one that nobody looks at: what the system does to a process that sleeps."""

_SERVED = re.compile(rb"ftdist_|detector|pi1|<script")
_ENDLESS = ("-o", "looked-at", "--repeat", 1_000_000, "--job", "looked-at")
_SETTLED_S = 1.5
"""Longer than metrics are kept: the figures that a window begins with are of the window."""

_AS_HIDDEN = """
Object.defineProperty(document, "hidden", { get: () => arguments[0], configurable: true });
document.dispatchEvent(new Event("visibilitychange"));
"""
"""As if somebody chose another tab: loading the page again would count as well."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    looks = parts.add_parser("looks")
    looks.add_argument("--pairs", type=int, default=20)
    looks.add_argument("--window", type=float, default=2.0, metavar="SECONDS")
    looks.add_argument("--idle", type=float, default=20.0, metavar="SECONDS")
    looks.add_argument("--tiny", action="store_true")
    looks.add_argument("--chromium", action="store_true")
    strangers = parts.add_parser("strangers")
    strangers.add_argument("--requests", type=int, default=10_000)
    strangers.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = folder / "detector.ftd"
        if arguments.part == "looks" and not arguments.tiny:
            _demo_at(512, model)
            np.save(folder / "image.npy", random_image(512))
        else:
            write_small_model(model, DETECTOR, labels=("left", "right"))
            np.save(folder / "image.npy", random_image(64))
        with cluster(folder / "cluster", model) as made:
            sound = {"looks": _looks, "strangers": _strangers}[arguments.part](made, arguments)
    print("all as it should be" if sound else "NOT as it should be")
    return 0 if sound else 1


# ---- looking


def _demo_at(side: int, model: Path) -> None:
    """The demo's detector for pictures of so many rows and columns."""
    demo = Path(ftdist.__file__).with_name("demo")
    source = ("import", demo / "detector.cfg", "--weights", demo / "detector.weights")
    finished(command(*source, "--size", f"{side}x{side}", "-o", model))


def _looks(made: Cluster, arguments: argparse.Namespace) -> bool:
    site = site_of(made, "--mem", BUDGET)
    made.worker("pi1").wait_for("joined the cluster")
    with (_chromium if arguments.chromium else _reader)(site) as looking:
        job = made.begin("job", made.folder.parent / "image.npy", *_ENDLESS)
        looking(False)
        site.coordinator.wait_for("plan for 1 worker")
        pairs = [
            _pair(site, looking, arguments.window, number) for number in range(arguments.pairs)
        ]
        job.end(signal.SIGKILL)
        ratio = statistics.median(opened.rate / closed.rate for closed, opened in pairs)
        print(f"open against closed: {ratio:.3f}, the median of {len(pairs)} pairs")
        taken = [statistics.median(pair[each].each_ms for pair in pairs) for each in range(2)]
        print(
            f"the coordinator's own time a frame: {taken[0]:.3f} closed, {taken[1]:.3f} ms open, "
            f"ratio {taken[0] / taken[1]:.3f}"
        )
        busy = statistics.median(opened.page for _, opened in pairs)
        print(f"the page's process, with pictures, while the job runs: {busy:.2%} of a core")
        time.sleep(_SETTLED_S)
        loads = []
        for look in (False, True):
            looking(look)
            loads.append(_load(site, arguments.idle))
            name, (own, page) = "open" if look else "closed", loads[-1]
            print(f"nothing to do, {name}: {own:.2%} of a core, and its page {page:.2%}")
    more = loads[1][0] - loads[0][0]
    print(f"looking costs the coordinator {more:.2%} of a core")
    cheap = max(more + loads[1][1], busy) < MOST_LOAD and loads[0][1] < NO_LOAD
    return ratio >= LEAST_RATIO and cheap


@dataclass(frozen=True)
class Window:
    """Frames a second, the coordinator's processor time for one, and the page's share of a core."""

    rate: float
    each_ms: float
    page: float


Looking = Callable[[bool], object]
"""Has the page open from now on, or closed."""


def _pair(site: Site, looking: Looking, seconds: float, number: int) -> tuple[Window, Window]:
    """A window with the page closed and one with it open; neither is always the first."""
    found = {}
    for look in (False, True) if number % 2 else (True, False):
        looking(look)
        time.sleep(_SETTLED_S)
        before = _counted(site)
        time.sleep(seconds)
        found[look] = _window(before, _counted(site))
    print(f"pair {number}: {found[False].rate:.1f} and {found[True].rate:.1f} frames/s", flush=True)
    return found[False], found[True]


@dataclass(frozen=True)
class Counts:
    """Frames so far at `clock_s` of the coordinator's clock, as the metrics have it; what both
    processes have taken of the processor at `now_s` of our own."""

    frames: float
    clock_s: float
    coordinator_s: float
    page_s: float
    now_s: float


def _window(before: Counts, after: Counts) -> Window:
    """Metrics may be as old as a second while the page is closed, and are fresher while it is open:
    frames are compared with the time that they were counted in, and nothing else."""
    rate = (after.frames - before.frames) / (after.clock_s - before.clock_s)
    passed_s = after.now_s - before.now_s
    own = (after.coordinator_s - before.coordinator_s) / passed_s
    return Window(rate, own / rate * 1e3, (after.page_s - before.page_s) / passed_s)


def _counted(site: Site) -> Counts:
    text = site.get("/metrics").text
    frames, clock_s = (_metric(text, name) for name in ("frames_finished_total", "clock_seconds"))
    coordinator_s, page_s = _exact_s(site.coordinator.process.pid), _exact_s(_page_process(site))
    return Counts(frames, clock_s, coordinator_s, page_s, time.monotonic())


def _metric(text: str, name: str) -> float:
    found = re.search(rf"^ftdist_{name} (\S+)", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def _exact_s(process: int) -> float:
    """The processor time of all threads, to the nanosecond."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


@contextmanager
def _reader(site: Site) -> Iterator[Looking]:
    """Somebody who looks: reads the stream, and fetches pictures now and then."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def read() -> None:
        with site.events() as events:
            for number, _ in enumerate(events):
                if number % 6 == 0:
                    for each in site.get("/pictures").json()[:1]:
                        site.get(f"/picture?n={each['n']}")
                if stop.is_set():
                    return

    def looking(look: bool) -> None:
        stop.set()
        while threads:
            threads.pop().join()
        if look:
            stop.clear()
            threads.append(threading.Thread(target=read))
            threads[-1].start()

    yield looking
    looking(False)


@contextmanager
def _chromium(site: Site) -> Iterator[Looking]:
    """A browser on this machine, that takes the processor only where nothing else wants it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        idle, usual = os.sched_param(0), os.sched_param(0)
        os.sched_setscheduler(0, os.SCHED_IDLE, idle)  # for those that are started now
        with chromium(Path(profile)) as browser:
            os.sched_setscheduler(0, os.SCHED_OTHER, usual)

            browser.get(f"http://127.0.0.1:{site.port}/")
            yield lambda look: browser.execute_script(_AS_HIDDEN, not look)


def _load(site: Site, seconds: float) -> tuple[float, float]:
    """The share of a core of the coordinator's process and of the page's, over a while."""
    processes = [site.coordinator.process.pid, _page_process(site)]
    before = [_exact_s(each) for each in processes]
    time.sleep(seconds)
    taken = [_exact_s(each) - was for each, was in zip(processes, before, strict=True)]
    return taken[0] / seconds, taken[1] / seconds


def _page_process(site: Site) -> int:
    pid = site.coordinator.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


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
