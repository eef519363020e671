"""How coordinators are found on the local network: by multicast DNS, RFC 6762 and 6763.

A coordinator that is told to announce itself says where it listens, which model it has, and the
fingerprint of its key. Nothing of that is proven: whoever is on the network can say the same. What
is proven is the key, when a connection is made; so a worker with keys looks for its own coordinator
by the fingerprint, and an address that is typed remains the sure way.

Zeroconf is imported by processes of their own, whose memory is not kept.
"""

from __future__ import annotations

import re
import socket
import threading
from _blake2 import blake2b
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ftdist.extras import refuse_unloadable
from ftdist.protocol.limits import PROTOCOL
from ftdist.runtime.forked import run_forked

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

SERVICE = "_ftdist._tcp.local."
_ASK_MS = 2000
_MOST_LETTERS = 60
_NO_KEY = "none"


@dataclass(frozen=True, slots=True)
class Found:
    """A coordinator that answered: where it listens, its host, model, and key's fingerprint."""

    address: str
    host: str
    model: str
    key: str
    protocol: int

    def __str__(self) -> str:
        key = "no key" if self.key == _NO_KEY else f"key {self.key}"
        return f"{self.address} ({self.model} on {self.host}, {key})"


def fingerprint(public: bytes | None) -> str:
    """What people compare keys by: 64 bits of a key's hash, in four groups."""
    if public is None:
        return _NO_KEY
    return "-".join(re.findall("....", blake2b(public, digest_size=8).hexdigest()))


def refuse_without_library(option: str) -> None:
    """InputError where multicast DNS is not installed, or does not load: tried in a child.

    For processes of one thread.
    """
    run_forked(lambda: refuse_unloadable(option, "zeroconf", "mdns", ("zeroconf",)))


def service(host: str, addresses: list[str], port: int, model: str, key: str) -> ServiceInfo:
    """What a coordinator announces."""
    from zeroconf import ServiceInfo

    plain = re.sub(r"[^A-Za-z0-9-]", "-", host)[:_MOST_LETTERS] or "ftdist"
    about = {"model": model[:_MOST_LETTERS], "key": key, "protocol": str(PROTOCOL), "host": host}
    return ServiceInfo(
        SERVICE,
        f"{plain}-{port}.{SERVICE}",
        addresses=[socket.inet_aton(each) for each in addresses],
        port=port,
        properties=about,
        server=f"{plain}.local.",
    )


def find(most_s: float, more_s: float, interfaces: list[str] | None = None) -> list[dict[str, Any]]:
    """Coordinators that answer within `most_s`, or within `more_s` of the first answer; as JSON.

    To be called in a process whose memory is not kept.
    """
    from zeroconf import InterfaceChoice, ServiceBrowser, Zeroconf

    heard: dict[str, Found] = {}
    first = threading.Event()

    def changed(zeroconf: Zeroconf, service_type: str, name: str, **_: object) -> None:
        info = zeroconf.get_service_info(service_type, name, _ASK_MS)
        found = None if info is None else _found(info)
        if found is not None:
            heard[name] = found
            first.set()

    try:
        zeroconf = Zeroconf(interfaces=interfaces or InterfaceChoice.All)
    except OSError:  # there is no network
        threading.Event().wait(most_s)
        return []
    try:
        browser = ServiceBrowser(zeroconf, SERVICE, handlers=[changed])
        if first.wait(most_s):
            threading.Event().wait(more_s)
        browser.cancel()
    finally:
        zeroconf.close()
    return [asdict(each) for each in sorted(heard.values(), key=lambda each: each.address)]


def _found(info: ServiceInfo) -> Found | None:
    """What was heard, as far as it makes sense; anybody may say anything."""
    addresses = info.parsed_addresses()
    said = _said(info.properties)
    if not addresses or not info.port or not said.get("protocol", "").isdecimal():
        return None
    return Found(
        address=f"tcp://{addresses[0]}:{info.port}",
        host=said.get("host", "") or "?",
        model=said.get("model", "") or "?",
        key=said.get("key", _NO_KEY),
        protocol=int(said["protocol"][:9]),
    )


def _said(properties: Mapping[bytes, bytes | None]) -> dict[str, str]:
    """The properties that print, cut short."""
    found = {}
    for key, value in properties.items():
        text = (value or b"").decode(errors="replace")[:_MOST_LETTERS]
        found[key.decode(errors="replace")] = "".join(c for c in text if c.isprintable())
    return found
