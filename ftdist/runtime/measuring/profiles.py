"""Device profiles as they are kept: one file for each device, in the user's cache folder.

A device is a host, its processor, the instruction set in use and a number of threads. A profile
that ``ftdist calibrate`` measured goes before one that a first plan measured in a hurry
(``quick_profile``). A file that is of another device or version, or damaged, is passed over with a
note: times are then those of the same device with another number of threads, or of the profile that
ftdist ships.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from _blake2 import blake2b
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ftdist import __version__
from ftdist.atomic import write_json
from ftdist.errors import InputError
from ftdist.planning.profile import DEFAULT, DeviceProfile, from_json

_MOST_BYTES = 1 << 20
_FAR_FUTURE = 1e11
_REMEDY = "ignored; 'ftdist calibrate' measures this machine"


@dataclass(frozen=True, slots=True)
class Device:
    """What a profile is of."""

    host: str
    processor: str
    instruction_set: str
    threads: int

    @property
    def stem(self) -> str:
        """The name of its file, but for the number of threads."""
        words = f"{self.host}\n{self.processor}\n{self.instruction_set}"
        digest = blake2b(words.encode(), digest_size=4).hexdigest()
        host = re.sub(r"[^A-Za-z0-9._-]", "_", self.host)[:64].lstrip(".")
        return f"{host}-{self.instruction_set}-{digest}"

    @property
    def file_name(self) -> str:
        return f"{self.stem}-{self.threads}.json"

    @property
    def quick_name(self) -> str:
        """The name of the file of what was measured in a hurry."""
        return f"{self.stem}-{self.threads}-quick.json"


@dataclass(frozen=True, slots=True)
class Quick:
    """How quick measurements of a device went.

    `disturbed`: many figures did not settle. `room_bytes`: the memory that there was for it.
    `tries`: how many were made, because those before were disturbed or had less room.
    """

    disturbed: bool
    room_bytes: int
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """The profile that times come from, and what to say about it.

    `measured_at`: seconds since 1970, None for the shipped profile; `threads`: of the measurement.
    `note`: why a profile that is kept was not used. `quick` is how a quick measurement went, None
    for a careful one.
    """

    profile: DeviceProfile
    measured_at: float | None = None
    threads: int = 1
    note: str | None = None
    quick: Quick | None = None

    @property
    def origin(self) -> str:
        """Which profile it is, for a report."""
        if self.measured_at is None:
            return "the shipped profile; 'ftdist calibrate' measures this machine"
        day = time.strftime("%Y-%m-%d", time.gmtime(self.measured_at))
        plural = "s" * (self.threads != 1)
        if self.quick is None:
            return f"the profile of this machine, measured {day} with {self.threads} thread{plural}"
        went = ", while other programs ran" if self.quick.disturbed else ""
        return f"a quick measurement of this machine{went}; 'ftdist calibrate' is more careful"


SHIPPED = Calibration(DEFAULT)


def this_device(threads: int, root: Path = Path("/")) -> Device:
    """This machine with so many threads, and with the instruction set in use."""
    from ftdist.kernels import native

    return Device(os.uname().nodename, _processor(root), native.chosen().name, threads)


def cache_folder() -> Path | None:
    """Where profiles are kept; None where the user has no home and names no folder."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # as its specification demands
        return Path(named) / "ftdist"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "ftdist" if os.path.isabs(home) else None


def save(profile: DeviceProfile, device: Device, quick: Quick | None = None) -> Path:
    """Keeps the profile of a device and returns its file; InputError when that cannot be."""
    folder = cache_folder()
    if folder is None:
        raise InputError("no folder to keep the profile in: set XDG_CACHE_HOME")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}") from None
    value = {
        "ftdist": __version__,
        "device": asdict(device),
        "measured_at": int(time.time()),
        "profile": json.loads(profile.to_json()),
        "quick": quick and asdict(quick),
    }
    path = folder / (device.quick_name if quick else device.file_name)
    write_json(path, value)
    return path


def load(threads: int) -> Calibration:
    """What is kept for this device, best of all with so many threads; else what is shipped."""
    folder = cache_folder()
    if folder is None:
        return SHIPPED
    device = this_device(threads)
    note: str | None = None
    for path in _candidates(folder, device):
        try:
            return _read(path, device, note)
        except InputError as error:
            note = note or f"{path}: {error}; {_REMEDY}"
    return Calibration(DEFAULT, note=note)


def _candidates(folder: Path, device: Device) -> list[Path]:
    """The files of a device: with its number of threads first, then with the nearest ones; last
    what was measured in a hurry with its number of threads."""
    found = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    for name in names:
        match = re.fullmatch(re.escape(device.stem) + r"-([1-9][0-9]{0,5})\.json", name)
        if match:
            threads = int(match[1])
            found[abs(threads - device.threads), threads] = folder / name
    quick = [folder / name for name in names if name == device.quick_name]
    return [path for _, path in sorted(found.items())] + quick


def _read(path: Path, device: Device, note: str | None) -> Calibration:
    """The profile in a file; InputError unless it is of this device and this version."""
    try:
        with path.open("rb") as file:
            value: Any = json.loads(file.read(_MOST_BYTES))
        version, measured_at = value["ftdist"], float(value["measured_at"])
        found, quick = Device(**value["device"]), _quick(value.get("quick"))
        profile = from_json(json.dumps(value["profile"]))
        sound = _is_alike(asdict(profile), asdict(DEFAULT)) and type(found.threads) is int
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise InputError("damaged") from None
    except InputError as error:
        raise InputError(f"damaged or of another version ({error})") from None
    if not sound or not 0 <= measured_at < _FAR_FUTURE:
        raise InputError("damaged")
    if version != __version__:
        raise InputError(f"measured by another version, ftdist {version}")
    if replace(found, threads=device.threads) != device:
        raise InputError(f"of another device, {found.host} ({found.processor})")
    if profile.instruction_set != device.instruction_set:
        raise InputError(f"for another instruction set, {profile.instruction_set}")
    return Calibration(profile, measured_at, found.threads, note, quick)


def _quick(value: Any) -> Quick | None:
    if value is None:
        return None
    quick = Quick(**value)
    kinds = type(quick.disturbed), type(quick.room_bytes), type(quick.tries)
    if kinds != (bool, int, int):
        raise TypeError
    return quick


def _is_alike(value: Any, pattern: Any, name: str = "") -> bool:
    """Whether a value has the form of another: names, lists, and numbers that time may be."""
    if isinstance(pattern, dict):
        return all(_is_alike(value[each], pattern[each], each) for each in pattern)
    if isinstance(pattern, tuple):
        return isinstance(value, tuple) and all(_is_alike(e, pattern[0], name) for e in value)
    if pattern is None:  # a rate that may not have been measured
        return value is None or _is_alike(value, 1.0, name)
    if isinstance(pattern, str | int):
        return type(value) is type(pattern)
    least = 1.0 if name.endswith("_per_s") else 0.0  # a rate is something to divide by
    return type(value) in (int, float) and least <= value < math.inf


def _processor(root: Path) -> str:
    """The processor as the system names it; on boards the name of the board."""
    try:
        lines = (root / "proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for wanted in ("model name", "Model", "Hardware", "cpu model"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == wanted and value.strip():
                return " ".join(value.split())
    return os.uname().machine
