"""The budget is a promise: deep networks and large photos in control groups that hold no more.

Each run is a fresh `ftdist run` in a control group of exactly its --mem, without swap: networks of
up to 306 layers, plans searched and named, at the smallest budget (as the refusal of less names
it), at 1.3 times and twice that, with photos of 5, 12 and 108 megapixels, drawn on and not. The
peak is the system's account of the ended process and of its children. Bars: no peak above --mem,
nobody killed, the smallest budget works, and predicted at most 1.05 of the peak and 1 MiB more.

Needs root, Pillow and some minutes; the trained network is skipped where it is absent. ::

    python benchmarks/promise.py [chain|densenet201|yolov4|fastest ...] [--plans searched 1x1s4]
        [--megapixels 0 12] [--factors 1 2] [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common import deepnets
from common.groups import Group

from ftdist.runtime.budget.memory import MIB, ceil_size, parse_size

TRAINED = Path(__file__).resolve().parents[2] / "shared" / "models" / "yolo-fastest-1.1-xl.cfg"
NETWORKS: dict[str, Callable[[], str]] = {
    "chain": deepnets.chain,
    "densenet201": deepnets.densenet201,
    "yolov4": deepnets.yolov4,
    "fastest": TRAINED.read_text,
}
PLANS = ("searched", "1x1", "1x1s4", "1x1s1")
MEGAPIXELS = {0: (640, 480), 5: (2592, 1944), 12: (4056, 3040), 108: (12032, 9024)}
_LEAST = "28673K"
_TIMEOUT_S = 600

_SMALL_PARENT = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
os.write(int(sys.argv[1]), b"%d" % usage.ru_maxrss)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
"""
"""A process inherits the peak of the one that starts it: so that is a small one."""


@dataclass(frozen=True)
class Case:
    """What is run, apart from its budget."""

    network: str
    model: Path
    photo: Path
    plan: str
    drawn: bool

    def command(self, mem: str, folder: Path) -> list[str]:
        words = [sys.executable, "-m", "ftdist", "run", self.model, self.photo, "--mem", mem]
        words += ["--json", folder / "report.json", "--threads", "1"]
        words += ["-o", folder / "found.jpg"] if self.drawn else []
        words += [] if self.plan == "searched" else ["--tiling", self.plan]
        return [str(word) for word in words]


@dataclass(frozen=True)
class Ended:
    """What came of a run."""

    status: int
    error: str
    peak_bytes: int
    kills: int
    predicted_bytes: int = 0
    fault: str = ""


def main() -> int:
    arguments = _arguments()
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(arguments.cache or folder)
        for case in _cases(arguments, folder):
            for line in _held_to(case, arguments.factors, folder):
                print(line, flush=True)
                faults += "FAULT" in line
    print(f"{faults} faults")
    return 1 if faults else 0


def _cases(arguments: argparse.Namespace, folder: Path) -> Iterator[Case]:
    photos = {size: _photo(folder, *MEGAPIXELS[size]) for size in arguments.megapixels}
    for network in arguments.networks:
        if network == "fastest" and not TRAINED.exists():
            print(f"{network}: skipped, {TRAINED} is absent")
            continue
        model = _imported(network, arguments.cache or folder)
        for plan in arguments.plans:
            for photo in photos.values():
                for drawn in (False, True) if arguments.drawn is None else (arguments.drawn,):
                    yield Case(network, model, photo, plan, drawn)


def _held_to(case: Case, factors: list[float], folder: Path) -> Iterator[str]:
    """A line for each run of a case: at the smallest budget first, then at more."""
    name = f"{case.network:12} {case.plan:9} {case.photo.stem:6} {'drawn' if case.drawn else '':6}"
    refused = _run(case, _LEAST, 0, folder)
    named = re.search(r"needs ([0-9]+[KM])\b|try ([0-9]+[KM])\b", refused.error)
    if refused.status == 3 and named:
        smallest = parse_size(named[1] or named[2])
    elif refused.status == 0:
        smallest = parse_size(_LEAST)
    else:
        yield f"{name} FAULT: status {refused.status}: {refused.error.strip()}"
        return
    for factor in factors:
        size = parse_size(ceil_size(int(smallest * factor)))
        ended = _run(case, str(size), size, folder)
        yield f"{name} {factor:3}x {_told(size, ended)}"


def _told(size: int, ended: Ended) -> str:
    peak, predicted = ended.peak_bytes / MIB, ended.predicted_bytes / MIB
    text = f"--mem {size / MIB:6.1f}  peak {peak:6.1f}  predicted {predicted:6.1f}"
    faults = []
    if ended.status:
        faults.append(f"status {ended.status}: {ended.error.strip()}")
    if ended.kills:
        faults.append(f"killed {ended.kills}")
    if ended.peak_bytes > size:
        faults.append("above --mem")
    if not ended.status and predicted > 1.05 * peak + 1:
        faults.append("predicted too much")
    return text + "".join(f"  FAULT: {each}" for each in faults)


def _run(case: Case, mem: str, limit: int, folder: Path) -> Ended:
    """A run in a group of its budget; `limit` 0: in none."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    with Group(limit or None, swap=False, name="promise") as group:
        reading, writing = os.pipe()
        words = group.command(case.command(mem, folder))
        words[0] = "/bin/sh"
        parent = [sys.executable, "-ISc", _SMALL_PARENT, str(writing), *words]
        with os.fdopen(reading) as answer:
            done = subprocess.run(
                parent,
                check=False,
                capture_output=True,
                text=True,
                pass_fds=(writing,),
                timeout=_TIMEOUT_S,
            )
            os.close(writing)
            peak = int(answer.read() or 0) << 10
        kills = group.kills
    value = json.loads(report.read_text()) if done.returncode == 0 else {}
    predicted = value["predicted"]["peak_bytes"] if value else 0
    return Ended(done.returncode, done.stderr, peak, kills, predicted)


def _imported(network: str, folder: Path) -> Path:
    """The model file, made when it is not there."""
    model = folder / f"{network}.ftd"
    if not model.exists():
        source = folder / f"{network}.cfg"
        source.write_text(NETWORKS[network]())
        words = ["import", source, "--random-weights", "1", "-o", model]
        command = [sys.executable, "-m", "ftdist", *map(str, words)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return model


def _photo(folder: Path, width: int, height: int) -> Path:
    """A photo with something to see everywhere."""
    from PIL import Image

    path = folder / f"{round(width * height / 1e6)}Mpx.jpg"
    if not path.exists():
        noise = Image.effect_noise((width // 16, height // 16), 80).convert("RGB")
        noise.resize((width, height), Image.Resampling.BILINEAR).save(path, quality=90)
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--plans", nargs="+", default=list(PLANS))
    parser.add_argument("--megapixels", nargs="+", type=int, default=list(MEGAPIXELS))
    parser.add_argument("--factors", nargs="+", type=float, default=[1.0, 1.3, 2.0])
    parser.add_argument("--drawn", action=argparse.BooleanOptionalAction)
    parser.add_argument("--cache", type=Path, help="keeps models and plans here for other times")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
