"""A browser's part in the page's HTTP, spoken by hand, for tests."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.clusterprocesses import Cluster, Running
from support.command import GUARD_S

TOKEN = "a-token-for-tests-1234"


@dataclass(frozen=True)
class Answer:
    """Status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """A page that is served on loopback."""

    port: int
    coordinator: Running

    def get(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        """One request; `host` and others may be given, with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GUARD_S)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, named)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    @contextmanager
    def events(self, **headers: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """The stream of events, each with its name and its JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GUARD_S)
        try:
            connection.request("GET", "/events", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            yield _events(answer)
        finally:
            connection.close()


def site_of(cluster: Cluster, *options: object) -> Site:
    """Starts a coordinator with a page, and says where that is."""
    coordinator = cluster.coordinator("--page", "127.0.0.1:0", *options)
    found = coordinator.wait_for(r"page +http://127\.0\.0\.1:([0-9]+)/")
    return Site(int(found[1]), coordinator)


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer:
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])
