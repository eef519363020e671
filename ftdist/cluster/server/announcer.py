"""Announces a coordinator on the local network, by a process of its own.

The process is forked before this one has threads, and says goodbye for the coordinator and ends
when this one closes the pipe between them, or is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

from ftdist.cluster.endpoints import Endpoint
from ftdist.cluster.mdns import service

ANNOUNCER_BYTES = 16 << 20
"""What its process takes beside what it shares with the coordinator; 11 MiB with Python 3.11."""

_FAREWELL_S = 2.0


class Announcer:
    """A forked process that announces, from ``begin`` until ``close``."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._writing)
            _serve(reading)
        os.close(reading)

    def begin(self, endpoint: Endpoint, model: str, key: str) -> None:
        """Announces where the coordinator listens."""
        about = "\t".join((endpoint.host, str(endpoint.port), model.replace("\t", " "), key))
        os.write(self._writing, about.encode() + b"\n")

    def close(self) -> None:
        """Ends the announcing, with a goodbye."""
        os.close(self._writing)
        os.waitpid(self._child, 0)


def _serve(reading: int) -> NoReturn:
    """The process: announces what it is told, until it is told no more."""
    try:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nowhere, standard)
        with os.fdopen(reading) as pipe:
            line = pipe.readline()
            if line:
                host, port, model, key = line.rstrip("\n").split("\t")
                _announce(Endpoint(host, int(port)), model, key, pipe.read)
    finally:
        os._exit(0)


def _announce(endpoint: Endpoint, model: str, key: str, wait: Callable[[], str]) -> None:
    """Announces until `wait` returns."""
    from zeroconf import Zeroconf

    if endpoint.is_everywhere:
        addresses = _own_addresses()
    else:
        addresses = [socket.gethostbyname(endpoint.host)]
    zeroconf = Zeroconf(interfaces=addresses)
    info = service(os.uname().nodename, addresses, endpoint.port, model, key)
    zeroconf.register_service(info, allow_name_change=True)
    wait()
    signal.setitimer(signal.ITIMER_REAL, _FAREWELL_S)  # ends it, if the network is gone
    with contextlib.suppress(Exception):
        zeroconf.unregister_service(info)
        zeroconf.close()


def _own_addresses() -> list[str]:
    """The addresses by which others reach this machine."""
    import ifaddr  # zeroconf's own

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [ip for ip in found if isinstance(ip, str) and not ip.startswith("127.")]
