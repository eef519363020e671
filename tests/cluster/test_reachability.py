"""Why a coordinator cannot be reached: each trouble on this machine, with its own words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from ftdist.cluster import reachability
from ftdist.cluster.endpoints import Endpoint
from ftdist.cluster.reachability import Problem, connection_problem, name_problem


@contextmanager
def listening(greeting: bytes | None) -> Iterator[Endpoint]:
    """Somebody who greets who comes, or says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            connection, _ = server.accept()
            kept.append(connection)
            if greeting is not None:
                connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint("127.0.0.1", server.getsockname()[1])
        thread.join()
        for each in kept:
            each.close()


def test_where_zeromq_answers_there_is_nothing_to_say() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        found = connection_problem(Endpoint("127.0.0.1", port))
        router.close(0)
    assert found is None


def test_a_port_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = Endpoint("127.0.0.1", server.getsockname()[1])
    found = connection_problem(endpoint)
    assert found is not None and not found.lasting
    assert found.text.startswith("nothing listens there (connection refused)")


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x1b[2J", b"220 mail\r\n"])
def test_who_greets_otherwise_is_no_coordinator(greeting: bytes) -> None:
    with listening(greeting) as endpoint:
        found = connection_problem(endpoint)
    assert found is not None and found.lasting
    assert "is not a coordinator (it says" in found.text
    assert found.text.isprintable()


def test_who_says_nothing_may_be_a_coordinator_that_is_held_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reachability, "_GREETING_S", 0.05)
    with listening(None) as endpoint:
        found = connection_problem(endpoint)
    assert found is not None and not found.lasting
    assert "does not answer as a coordinator" in found.text


@pytest.mark.parametrize(
    ("error", "lasting", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), True, "is unknown"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), False, "cannot be looked up"),
        (UnicodeError("label too long"), True, "is not a host name"),
    ],
)
def test_names(
    monkeypatch: pytest.MonkeyPatch, error: Exception, lasting: bool, words: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    endpoint = Endpoint("board.local", 5555)
    found = name_problem(endpoint)
    assert found == connection_problem(endpoint) and found is not None
    assert found.lasting == lasting and words in found.text and "'board.local'" in found.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_addresses_are_no_trouble(host: str) -> None:
    assert name_problem(Endpoint(host, 5555)) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError("timed out"), "does not answer"),
        (OSError(113, "No route to host"), "no route to that machine (No route to host)"),
        (OSError(101, "Network is unreachable"), "no route to that machine"),
        (OSError(5, "Input/output error"), "no connection (Input/output error)"),
    ],
)
def test_networks(monkeypatch: pytest.MonkeyPatch, error: OSError, words: str) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    found = connection_problem(Endpoint("127.0.0.1", 5555))
    assert isinstance(found, Problem) and not found.lasting and words in found.text
