"""A cluster over loopback: the demo's detector and YOLOv2's first 16 layers, on three workers.

Everything goes through the command line, as on real boards; only the address is this machine's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "ftdist" / "demo"
OUTPUT = ROOT / "cluster-output"
FTDIST = Path(sys.executable).with_name("ftdist")
BUDGETS = {"attic": "160M", "cellar": "96M", "garden": "72M"}
FRAMES = 30
WAIT_S = 60.0
END_S = 20.0

Processes = Sequence[subprocess.Popen[bytes]]
Status = dict[str, list[dict[str, Any]]]
"""What `ftdist status --json` prints, as far as it is looked at here."""


def main() -> int:
    OUTPUT.mkdir(exist_ok=True)
    scene = DEMO / "scene.jpg"
    detector, yolo = OUTPUT / "detector.ftd", OUTPUT / "yolov2-first16.ftd"
    weights = DEMO / "detector.weights"
    ftdist("import", DEMO / "detector.cfg", "--weights", weights, "-o", detector)
    ftdist("import", "yolov2-first16", "--random-weights", 1, "-o", yolo)

    print("\n-- A detector on three workers:")
    with cluster(detector) as (address, _):
        ftdist("submit", scene, "--to", address, "-o", OUTPUT, "--draw", "--raw")
        ftdist("status", address)
    compare(detector, scene)

    print(f"\n-- {FRAMES} frames of YOLOv2's first 16 layers; one worker's plug is pulled:")
    with cluster(yolo, "--trace", OUTPUT / "trace.json") as (address, workers):
        words = ["submit", scene, "--to", address, "-o", OUTPUT, "--repeat", FRAMES]
        job = subprocess.Popen([FTDIST, *map(str, words)], cwd=ROOT)
        try:
            wait_for_frames(address, FRAMES // 3, [job])
            print("\n-- killing the worker cellar", flush=True)
            workers["cellar"].kill()
            if job.wait():
                return job.returncode
        finally:
            job.kill()
        ftdist("status", address)
    compare(yolo, scene)
    print("\nThe time line is cluster-output/trace.json; open it at https://ui.perfetto.dev")
    return 0


def ftdist(*words: object) -> None:
    """Runs a command, showing it; ends this one when it fails."""
    texts = [str(word) for word in words]
    print("\n$ ftdist", *(text.removeprefix(f"{ROOT}/") for text in texts), flush=True)
    done = subprocess.run([FTDIST, *texts], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


@contextlib.contextmanager
def cluster(model: Path, *more: object) -> Iterator[tuple[str, dict[str, subprocess.Popen[bytes]]]]:
    """A coordinator's address and its workers, by name; all end with the block."""
    address = f"tcp://127.0.0.1:{free_port()}"
    workers: dict[str, subprocess.Popen[bytes]] = {}
    coordinator = start("coordinator", model, "--listen", address, *more)
    try:
        for name, mem in BUDGETS.items():
            cache = OUTPUT / "cache" / name
            words = ("--mem", mem, "--threads", 1, "--name", name, "--cache", cache)
            workers[name] = start("worker", address, *words)
        wait_for_workers(address, [coordinator, *workers.values()])
        yield address, workers
    finally:
        for process in (*workers.values(), coordinator):
            end(process)


def start(*words: object) -> subprocess.Popen[bytes]:
    """A command of ftdist in the background."""
    texts = [str(word) for word in words]
    print("$ ftdist", *(text.removeprefix(f"{ROOT}/") for text in texts), "&", flush=True)
    return subprocess.Popen([FTDIST, *texts], cwd=ROOT)


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, and insists if it does not."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_workers(address: str, needed: Processes) -> None:
    def ready(status: Status) -> bool:
        return len(status["workers"]) >= len(BUDGETS)

    wait_until(address, ready, needed, "the workers to join")


def wait_for_frames(address: str, count: int, needed: Processes) -> None:
    def ready(status: Status) -> bool:
        return any(job["finished"] >= count for job in status["jobs"])

    wait_until(address, ready, needed, "the first frames")


def wait_until(address: str, ready: Callable[[Status], bool], needed: Processes, what: str) -> None:
    """Asks for the coordinator's status again and again; in vain once a needed process ended."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        words: list[str | Path] = [FTDIST, "status", address, "--json"]
        done = subprocess.run(words, capture_output=True, check=False, cwd=ROOT)
        if done.returncode == 0 and ready(json.loads(done.stdout)):
            return
        if any(process.poll() is not None for process in needed):
            sys.exit(f"waits no longer for {what}: a command above has ended")
        time.sleep(0.1)
    sys.exit(f"waited {WAIT_S:.0f} s for {what} in vain")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def compare(model: Path, picture: Path) -> None:
    """The cluster's output for a picture beside that of one process alone."""
    shared = next(OUTPUT.glob(f"{picture.stem}.np[yz]"))
    alone = OUTPUT / f"alone{shared.suffix}"
    ftdist("run", model, picture, "-o", alone)
    same = digest(alone) == digest(shared)
    print(f"\nbits       {'identical' if same else 'DIFFERENT'}: {shared.name} and {alone.name}")
    if not same:
        sys.exit(1)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
