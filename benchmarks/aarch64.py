"""The whole program on the boards' own processor: a Debian of aarch64 under user-mode emulation.

The wheel is installed there as on a board, without a compiler; what it computes is compared, to the
bit, with what this machine computes: the demo's detector, Yolo-Fastest on a photo where one is
named, and frames of which a worker there and one here each compute a part, over loopback. ::

    sudo python benchmarks/aarch64.py dist/*cp311*aarch64.whl [--root FOLDER] [--yolo CFG PHOTO]

`python` is one that has ftdist of the same version, as by the wheel for this machine.
Needs root, Debian's debootstrap, qemu-user-static and binfmt-support. The root is made once, in six
minutes, and kept.

Memory: the kernel's count of an emulated process holds the emulator's pages as well, among them its
translation of all code that ran. So the program is given a budget that leaves room for those, and
the plan that was made here within 64 MiB. The guest's addresses are below 1 TiB, where nothing of
the emulator's lies: what is resident there, looked at many times a second, is the program's own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import planned
from common.debian_root import RootError
from common.emulated_root import Root

import ftdist
from ftdist.runtime.budget.sizes import MIB

DEMO = Path(ftdist.__file__).with_name("demo")
BUDGET = 64 * MIB
GUEST_BUDGET = "256M"
FRAMES = 3
WAIT_S = 600.0
FTDIST = [sys.executable, "-P", "-m", "ftdist"]
PLANNED = [sys.executable, planned.__file__]


@dataclass(frozen=True)
class Case:
    """A network and its picture."""

    name: str
    cfg: Path
    picture: Path


def main() -> int:
    arguments = parse()
    cases = [Case("demo detector", DEMO / "detector.cfg", DEMO / "scene.jpg")]
    if arguments.yolo:
        cases.append(Case("Yolo-Fastest", *arguments.yolo))
    try:
        with Root(arguments.root, arguments.wheel) as root:
            print(
                root.run("python3", "-c", "import platform; print(*platform.uname()[4:5])"), end=""
            )
            print(root.run("ftdist", "doctor"), end="")
            fine = [compare(root, case, arguments.root / "here") for case in cases]
            fine += [share(root, case, arguments.root / "here") for case in cases]
    except RootError as error:
        print(f"aarch64: {error}", file=sys.stderr)
        return 1
    return not all(fine)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--root", type=Path, default=Path("/var/tmp/ftdist-aarch64"))
    parser.add_argument("--yolo", type=Path, nargs=2, metavar=("CFG", "PHOTO"))
    return parser.parse_args()


def here(*words: object) -> None:
    """A command of ftdist on this machine."""
    done = subprocess.run([*FTDIST, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RootError(f"here: ftdist {words[0]}: {done.stderr.strip()}")


def compare(root: Root, case: Case, folder: Path) -> bool:
    """Whether a network's outputs there are those here, and what they took."""
    folder.mkdir(exist_ok=True)
    model, output, report = (folder / name for name in ("net.ftd", "out.npz", "report.json"))
    here("import", case.cfg, "--weights", case.cfg.with_suffix(".weights"), "-o", model)
    here("run", model, case.picture, "-o", output, "--mem", BUDGET, "--json", report)
    names = case.cfg.parent.glob("*.names")  # an import takes those that lie beside
    inside = [root.put(each) for each in (case.cfg, case.cfg.with_suffix(".weights"), *names)]
    picture, plan = root.put(case.picture), root.put(report)
    root.run("ftdist", "import", inside[0], "--weights", inside[1], "-o", "/work/net.ftd")
    words = ("-o", "/work/out.npz", "--mem", GUEST_BUDGET, "--json", "/work/there.json")
    with watched(root) as peak:
        root.run("ftdist", "run", "/work/net.ftd", picture, "--plan", plan, *words)
    models = root.get("net.ftd").read_bytes() == model.read_bytes()
    bits = arrays(root.get("out.npz")) == arrays(output)
    measured = json.loads(root.get("there.json").read_text())["measured"]
    print(
        f"{case.name}: model file {same(models)}, outputs {same(bits)}; resident of the program "
        f"{max(peak) / MIB:.1f} MiB in {len(peak)} looks, of it and the emulator "
        f"{measured['peak_bytes'] / MIB:.1f}; {measured['latency_s'][-1]:.1f} s emulated",
        flush=True,
    )
    return models and bits and max(peak) <= BUDGET


def same(fine: bool) -> str:
    return "the same" if fine else "DIFFERENT"


@contextlib.contextmanager
def watched(root: Root) -> Iterator[list[int]]:
    """The resident bytes of the largest guest, many times, while the block lasts."""
    looks, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            looks.append(root.resident_bytes())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield looks
    finally:
        done.set()
        thread.join()


def share(root: Root, case: Case, folder: Path) -> bool:
    """Whether frames, each cut between a worker there and one here, have the bits of one process.

    The board is so slow under emulation that the search gives it nothing; so the plan is an even
    one, and the coordinator's trace tells who computed what of each frame.
    """
    model, results, trace = (folder / each for each in ("net.ftd", "results", "trace.json"))
    here("import", case.cfg, "--weights", case.cfg.with_suffix(".weights"), "-o", model)
    here("run", model, case.picture, "-o", folder / "alone.npz", "--exact-direct")
    address = f"tcp://127.0.0.1:{free_port()}"
    shutil.rmtree(results, ignore_errors=True)
    worker = ("worker", address, "--threads", "1", "--mem")
    with contextlib.ExitStack() as stack:
        listen = [*PLANNED, str(model), "--listen", address, "--trace", str(trace)]
        stack.enter_context(ending(subprocess.Popen(listen, stdout=subprocess.DEVNULL)))
        stack.enter_context(ending(root.start("ftdist", *worker, GUEST_BUDGET, "--name", "board")))
        own = [*FTDIST, *worker, "128M", "--name", "here", "--cache", str(folder / "cache")]
        stack.enter_context(ending(subprocess.Popen(own, stderr=subprocess.DEVNULL)))
        status_until(address, lambda status: len(status["workers"]) == 2)
        frames = [folder / f"{number}.jpg" for number in range(FRAMES)]
        for each in frames:
            shutil.copyfile(case.picture, each)
        here("submit", *frames, "--to", address, "-o", results, "--raw", "--job", "shared")
    computed = planned.computed(trace)
    expected = arrays(folder / "alone.npz")
    found = [arrays(path) for path in sorted(results.glob("*.np?"))]
    bits = len(found) == FRAMES and all(each == expected for each in found)
    print(f"{case.name} shared: {len(found)} frames, outputs {same(bits)}")
    for frame, tasks in computed.items():
        print(f"  {frame}: " + ", ".join(f"{name} {count} tasks" for name, count in tasks.items()))
    return bits and len(computed) == FRAMES and all(len(each) == 2 for each in computed.values())


def arrays(path: Path) -> list[bytes]:
    """The bytes of the one array in a file, or of all."""
    found = np.load(path)
    if isinstance(found, np.ndarray):
        return [found.tobytes()]
    return [found[name].tobytes() for name in sorted(found.files)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def status_until(address: str, ready: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The coordinator's status, once it is as wanted."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        words = [*FTDIST, "status", address, "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0 and ready(status := json.loads(done.stdout)):
            return status
        time.sleep(0.5)
    raise RootError(f"{address}: the workers did not join in {WAIT_S:.0f} s")


@contextlib.contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    os.environ.pop("PYTHONHOME", None)
    sys.exit(main())
