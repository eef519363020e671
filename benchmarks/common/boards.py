"""Emulated boards: each has a network namespace, a link of a given rate and a control group.

A *shelf* of boards hangs on a *hub*, a namespace of its own where the coordinator runs unhindered,
as on a machine of its own; this machine's network is not touched. Each board has a cable to the hub
whose rate is limited in both directions; what goes from board to board passes the hub. Needs root,
ip, tc and nsenter.

With a `trunk` the boards hang on a switch instead, and all share the one cable between that and the
hub, as boards on Wi-Fi share the air.

A process on a board is held to the board's memory and share of a core, as evenly as ``metronome``
can make it; what the kernel does to send for it counts, as on a real board.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.groups import Group, GroupError

_TOOLS = ("ip", "tc", "nsenter")
_SUBNET = "10.77"
_TRUNK = "10.78.0.1", "10.78.0.2"
_BURST = "32kb"
"""What may pass at once: as little as keeps the rate exact."""

_QUEUE = "50ms"


@dataclass(frozen=True)
class Make:
    """What a board is like: bytes of memory, share of a core, bits a second of its link.

    `ways` of the link that are as slow: to the board ("down"), from it ("up"), or both.
    """

    name: str
    limit_bytes: int
    cores: float
    link_bits: int | None = None
    ways: tuple[str, ...] = ("down", "up")


class Board:
    """One board of a shelf. `coordinator`: the address by which it reaches the hub."""

    def __init__(self, make: Make, namespace: str, group: Group, shelf: Shelf, number: int) -> None:
        self.make = make
        self.group = group
        self.coordinator = _TRUNK[0] if shelf.trunk_bits else f"{_SUBNET}.{number}.1"
        self._namespace = namespace
        self._shelf = shelf
        self._port = f"board{number}"

    def command(self, words: list[str]) -> list[str]:
        """A command as it runs on this board."""
        return self.group.command(_inside(self._namespace, words))

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes that went to the board and came from it since it was made, headers included."""
        counters = _ip(self._shelf.middle, "-json", "-stats", "link", "show", "dev", self._port)
        counts = json.loads(counters)[0]["stats64"]
        return int(counts["tx"]["bytes"]), int(counts["rx"]["bytes"])


class Shelf:
    """Boards that exist within a `with` block; GroupError when this machine cannot have them.

    `tcp` is the congestion control of hub and boards, or this machine's.
    """

    def __init__(
        self, makes: list[Make], trunk_bits: int | None = None, tcp: str | None = None
    ) -> None:
        self._makes = makes
        self._tcp = tcp
        self.trunk_bits = trunk_bits
        self._stack = ExitStack()
        self._group = Group(None, swap=True, cores=math.inf, name="hub")
        self.hub = f"ftdist-{os.getpid()}-hub"
        self.middle = f"ftdist-{os.getpid()}-switch" if trunk_bits else self.hub
        self.boards: list[Board] = []

    def __enter__(self) -> Shelf:
        for tool in _TOOLS:
            if shutil.which(tool) is None:
                packages = "Debian: apt-get install iproute2 util-linux"
                raise GroupError(f"emulated boards need '{tool}', which is not here ({packages})")
        with self._stack:
            for processor in os.sched_getaffinity(0):
                self._start_metronome(processor)
            self._add_namespace(self.hub)
            if self.trunk_bits:
                self._add_trunk(self.trunk_bits)
            self._stack.enter_context(self._group)
            for number, make in enumerate(self._makes):
                self.boards.append(self._add(make, number))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def command(self, words: list[str]) -> list[str]:
        """A command as it runs at the hub."""
        return self._group.command(_inside(self.hub, words))

    def _add(self, make: Make, number: int) -> Board:
        group = Group(make.limit_bytes, swap=False, cores=make.cores, name=make.name)
        self._stack.enter_context(group)
        namespace = f"ftdist-{os.getpid()}-{make.name}"
        self._add_namespace(namespace)
        ours, theirs = f"board{number}", "eth0"
        _ip(self.middle, "link", "add", ours, "type", "veth", "peer", theirs, "netns", namespace)
        ends = ((self.middle, ours, 1, "down"), (namespace, theirs, 2, "up"))
        for place, device, last, way in ends:
            _ip(place, "address", "add", f"{_SUBNET}.{number}.{last}/24", "dev", device)
            _ip(place, "link", "set", device, "up")
            if make.link_bits is not None and way in make.ways:
                _limit(place, device, make.link_bits)
        if self.trunk_bits:
            _ip(namespace, "route", "add", "default", "via", f"{_SUBNET}.{number}.1")
        return Board(make, namespace, group, self, number)

    def _add_trunk(self, bits: int) -> None:
        """The switch, and the cable between it and the hub."""
        self._add_namespace(self.middle)
        _ip(self.hub, "link", "add", "trunk", "type", "veth", "peer", "trunk", "netns", self.middle)
        for place, address in ((self.hub, _TRUNK[0]), (self.middle, _TRUNK[1])):
            _ip(place, "address", "add", f"{address}/24", "dev", "trunk")
            _ip(place, "link", "set", "trunk", "up")
            _limit(place, "trunk", bits)
        _ip(self.hub, "route", "add", f"{_SUBNET}.0.0/16", "via", _TRUNK[1])
        _set(self.middle, "ip_forward", "1")

    @property
    def trunk_traffic(self) -> tuple[int, int]:
        """Bytes that went to all boards and came from them over the trunk."""
        counters = _ip(self.hub, "-json", "-stats", "link", "show", "dev", "trunk")
        counts = json.loads(counters)[0]["stats64"]
        return int(counts["tx"]["bytes"]), int(counts["rx"]["bytes"])

    def _start_metronome(self, processor: int) -> None:
        script = Path(__file__).with_name("metronome.py")
        words = [sys.executable, str(script), str(processor), str(os.getpid())]
        metronome = subprocess.Popen(words, start_new_session=True)
        self._stack.callback(metronome.wait)
        self._stack.callback(metronome.kill)

    def _add_namespace(self, name: str) -> None:
        _must(["ip", "netns", "add", name])
        self._stack.callback(_must, ["ip", "netns", "delete", name])
        _ip(name, "link", "set", "lo", "up")
        if self._tcp is not None:
            _set(name, "tcp_congestion_control", self._tcp)


def _inside(namespace: str, words: list[str]) -> list[str]:
    """A command in a network namespace; not by `ip netns exec`, which hides control groups."""
    return ["nsenter", f"--net=/run/netns/{namespace}", *words]


def _set(namespace: str, setting: str, value: str) -> None:
    """A setting of the namespace's network."""
    words = ["sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{setting}"]
    _must(_inside(namespace, words))


def _limit(namespace: str, device: str, bits: int) -> None:
    rate = ["tbf", "rate", f"{bits}bit", "burst", _BURST, "latency", _QUEUE]
    _must(["tc", "-n", namespace, "qdisc", "add", "dev", device, "root", *rate])


def _ip(namespace: str, *words: str) -> str:
    return _must(["ip", "-netns", namespace, *words])


def _must(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GroupError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
