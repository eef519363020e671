"""`ftdist doctor`: what matters on this machine, one line each, and what to do when it is bad."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist import __version__
from ftdist.atomic import write_json
from ftdist.cli.console import say
from ftdist.errors import FtdistError

if TYPE_CHECKING:
    from ftdist.runtime.measuring.doctor import Finding

ROOT = Path("/")


def run(arguments: argparse.Namespace) -> None:
    """Prints all findings; FtdistError when ftdist cannot work here at all."""
    try:
        import numpy as np  # what most often fails on boards, for want of a library of the system

        from ftdist.kernels import native

        native.chosen()
    except (ImportError, FtdistError) as error:
        raise FtdistError(f"cannot work here: {error}") from None
    findings = []
    for finding in _findings(np.__version__):
        findings.append(finding)
        advice = f"; {finding.advice}" if finding.advice else ""
        say(f"{finding.state:5}{finding.name:15}{finding.value}{advice}")
    if arguments.json is not None:
        value = [
            {"name": each.name, "state": each.state, "value": each.value, "advice": each.advice}
            for each in findings
        ]
        write_json(arguments.json, value)


def _findings(numpy_version: str) -> Iterator[Finding]:
    from ftdist.kernels import native
    from ftdist.runtime.measuring import doctor
    from ftdist.runtime.measuring.profiles import cache_folder, load
    from ftdist.runtime.threads import default_threads

    yield doctor.memory(ROOT)
    yield doctor.control_groups(ROOT)
    yield doctor.swap(ROOT)
    yield doctor.huge_pages(ROOT)
    yield doctor.instructions(native.chosen(), native.available()[0])
    threads = default_threads()
    yield doctor.processors(ROOT, os.cpu_count() or 1, len(os.sched_getaffinity(0)), threads)
    yield doctor.calibration(load(threads), time.time())
    yield doctor.disk("disk here", Path.cwd(), _free_bytes(Path.cwd()))
    kept_in = cache_folder()
    if kept_in is not None:
        yield doctor.disk("disk of cache", kept_in, _free_bytes(kept_in))
    yield doctor.versions(
        [
            ("python", platform.python_version()),
            ("ftdist", __version__),
            ("numpy", numpy_version),
            ("Pillow", _pillow_version()),
        ]
    )


def _free_bytes(folder: Path) -> int | None:
    """Room for this user's files in a folder, or in the one in which it would be made."""
    for each in (folder, *folder.parents):
        if each.exists():
            return shutil.disk_usage(each).free if os.access(each, os.W_OK | os.X_OK) else None
    return None


def _pillow_version() -> str | None:
    try:
        return metadata.version("pillow")
    except metadata.PackageNotFoundError:
        return None
