"""`ftdist keygen`: keys for a cluster, and what to do with them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.cli.printing import say
from ftdist.cluster.keys import (
    ALLOWED,
    CLIENT,
    check_name,
    has_coordinator,
    make_coordinator,
    make_peer,
)


def run(arguments: argparse.Namespace) -> None:
    """Makes the keys that are asked for, and says what comes next."""
    folder: Path = arguments.folder
    names: list[str] = arguments.worker
    for name in names:
        check_name(folder, name)
    if not (names and has_coordinator(folder)):
        make_coordinator(folder)
        make_peer(folder, CLIENT)
        say(f"made       {folder}: the coordinator's keys, and those of clients on its machine")
    for name in names:
        own = make_peer(folder, name)
        say(
            f"made       {own}: keys of {name}; remove {folder / ALLOWED}/{name}.key to shut it out"
        )
    say(f"here       ftdist coordinator MODEL.ftd --listen tcp://0.0.0.0:5555 --keys {folder}")
    for name in names:
        say(
            f"{name:10} copy {folder / name} there, and then: "
            f"ftdist worker tcp://THIS-HOST:5555 --mem 128M --keys {name}"
        )
    if not names:
        say(f"next       ftdist keygen {folder} --worker NAME, for each board")
