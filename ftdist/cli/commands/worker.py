"""`ftdist worker`: works for a coordinator until it is told to stop."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from ftdist.cli.log import Log
from ftdist.cli.plan_and_budget import budget_of
from ftdist.cluster.worker.worker import CACHE_BYTES, WorkerSettings, run_worker
from ftdist.errors import InputError
from ftdist.runtime.budget.sizes import parse_budget
from ftdist.runtime.measuring.profiles import cache_folder
from ftdist.runtime.threads import default_threads

_MOST_NAME_BYTES = 64


def run(arguments: argparse.Namespace) -> None:
    """Works; ends in order when it is interrupted."""
    size = arguments.cache_size
    log = Log(form=arguments.log or "text", program="worker")
    settings = WorkerSettings(
        endpoint=arguments.address or _found(arguments, log),
        budget=budget_of(arguments.mem),
        threads=arguments.threads or default_threads(),
        name=_name(arguments.name),
        cache=arguments.cache or _cache(),
        cache_bytes=CACHE_BYTES if size is None else parse_budget(size, "--cache-size"),
        keys=arguments.keys,
        insecure=arguments.insecure,
    )
    run_worker(settings, log)
    log("ended", "ended")


def _found(arguments: argparse.Namespace, log: Log) -> str:
    """Where a coordinator is that announces itself."""
    from ftdist.cluster.worker.finding import coordinator_address  # only where none is named

    return coordinator_address(arguments.keys, log)


def _name(given: str | None) -> str:
    """What the worker is called: as it was told, or the host's name."""
    if given is None:
        return re.sub(r"[^A-Za-z0-9._-]", "-", os.uname().nodename)[:_MOST_NAME_BYTES] or "worker"
    if not given or not given.isprintable() or len(given.encode()) > _MOST_NAME_BYTES:
        raise InputError(f"--name: a name has 1 to {_MOST_NAME_BYTES} letters that print")
    return given


def _cache() -> Path:
    folder = cache_folder()
    if folder is None:
        raise InputError("no folder to keep models in: name one by --cache")
    return folder / "models"
