"""`ftdist calibrate` measures this machine and keeps its profile."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ftdist.cli.console import complain, tell
from ftdist.errors import InputError
from ftdist.planning.profile import DeviceProfile
from ftdist.runtime.measuring.profiles import Device, save, this_device
from ftdist.runtime.threads import default_threads
from ftdist.wording import counted

_MOST_S = 20.0
"""How long the measurements may take together: what would take longer is left out."""

_BUSY = 0.5
"""Programs that run for each processor, from which on figures are not to be trusted."""


def run(arguments: argparse.Namespace) -> None:
    """Measures the machine with --threads, or with all threads and with one; keeps each profile."""
    folder: Path = arguments.folder
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise InputError(f"{folder}: no folder to try the disk in; name one by --folder")
    numbers = (arguments.threads,) if arguments.threads else (default_threads(), 1)
    busy = os.getloadavg()[0] > _BUSY * default_threads()
    doubtful: list[str] = []
    began = time.monotonic()
    for threads in dict.fromkeys(numbers):
        device = this_device(threads)
        started = time.monotonic()
        if 2 * (started - began) > _MOST_S:
            _say("left out", f"{_with(device)}: try 'ftdist calibrate --threads {threads}'")
            continue
        _say("measuring", _with(device))
        profile, unsettled = _measured(threads, folder)
        for name, value in _summary(profile, device):
            _say(name, value)
        _say("took", f"{time.monotonic() - started:.1f} s")
        _say("wrote", str(save(profile, device)))
        doubtful += [name for name in unsettled if name not in doubtful]
    if doubtful:
        complain(
            f"ftdist: {', '.join(doubtful)}: these figures did not settle, for other programs ran "
            "or the clock changed; calibrate again when this machine is idle"
        )
    elif busy:
        complain(
            "ftdist: other programs kept this machine busy; calibrate again when they are done"
        )


def _say(name: str, value: str) -> None:
    tell(f"{name:13}{value}")


def _with(device: Device) -> str:
    threads = counted(device.threads, "thread")
    return f"{device.processor}, {device.instruction_set}, with {threads}"


def _measured(threads: int, folder: Path) -> tuple[DeviceProfile, list[str]]:
    """The profile, and the names of figures that did not settle."""
    from ftdist.runtime.measuring.calibrate import Effort, calibrate

    effort = Effort(folder=folder)
    try:
        profile = calibrate(threads, effort, lambda step: _say("", step))
        return profile, effort.stopwatch.unsettled
    except OSError as error:
        raise InputError(f"{folder}: the disk cannot be tried: {error.strerror}") from None


def _summary(profile: DeviceProfile, device: Device) -> Iterator[tuple[str, str]]:
    """The figures that say most, as a person reads them; rates are of one thread."""
    convolution = max(*profile.narrow, *profile.wide)
    slower = f", {profile.parallel:.2f} times as long while {device.threads} work together"
    yield "convolution", _gflops(convolution) + slower * (device.threads > 1)
    yield "depthwise", _gflops(profile.depthwise_macs_per_s)
    yield "copying", f"{_gigabytes(1 / profile.copy_bytes_per_s)} in the caches"
    yield "maps", f"{_gigabytes(profile.traffic_s[-1][1])} beyond the caches"
    yield "weights", f"{_gigabytes(profile.weights_s[-1][1])} beyond the caches"
    yield "page cache", _gigabytes(profile.reading_s_per_byte)
    yield "disk", _gigabytes(1 / profile.disk_bytes_per_s)


def _gflops(macs_per_s: float) -> str:
    return f"{2 * macs_per_s / 1e9:.1f} GFLOP/s"


def _gigabytes(s_per_byte: float) -> str:
    return f"{1e-9 / s_per_byte:.1f} GB/s" if s_per_byte > 0 else "no slower"
