"""`ftdist keygen`: keys for a cluster, and what to do with them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.cli.console import say
from ftdist.cluster.keys import (
    ALLOWED,
    CLIENT,
    check_name,
    has_coordinator,
    make_coordinator,
    make_peer,
)
from ftdist.coordinator.events import Role


def run(arguments: argparse.Namespace) -> None:
    """Makes the keys that are asked for, and says what comes next."""
    folder: Path = arguments.folder
    roles = {name: _role(name, arguments) for name in (*arguments.worker, *arguments.client)}
    for name in roles:
        check_name(folder, name)
    if not (roles and has_coordinator(folder)):
        make_coordinator(folder)
        make_peer(folder, CLIENT)
        say(f"made       {folder}: the coordinator's keys, and those of clients on its machine")
    for name, role in roles.items():
        own = make_peer(folder, name, role)
        whose = "worker and client" if role == "both" else role
        shut_out = f"remove {folder / ALLOWED}/{name}.key to shut it out"
        say(f"made       {own}: keys of {whose} {name}; {shut_out}")
    say(f"here       ftdist coordinator MODEL.ftd --listen tcp://0.0.0.0:5555 --keys {folder}")
    for name, role in roles.items():
        command = "worker tcp://THIS-HOST:5555 --mem 128M"
        if role == "client":
            command = "submit PICTURE... --to tcp://THIS-HOST:5555 -o RESULTS"
        say(f"{name:10} copy {folder / name} there, and then: ftdist {command} --keys {name}")
    if not roles:
        say(f"next       ftdist keygen {folder} --worker NAME, for each board")


def _role(name: str, arguments: argparse.Namespace) -> Role:
    """What a name is given keys for: who is named as worker and as client is both."""
    if name not in arguments.client:
        return "worker"
    return "both" if name in arguments.worker else "client"
