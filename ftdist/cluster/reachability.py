"""Why a coordinator cannot be reached, found out when a connection came to nothing.

ZeroMQ only says that there is no connection. So the name is looked up, a connection is tried, and
whoever accepts is listened to: ZeroMQ greets first, with bytes that nothing else begins with.

What is said of each trouble, and what follows. A worker that *tries again* does so with growing
pauses, up to 15 s, or up to 60 s (*slowly*) where somebody has to do something first; it says what
is wrong once, until that changes. A client tries for 5 s (`status`) or 15 s (`submit`) until its
first contact, and `submit` for an hour after it.

    trouble                          worker             status, submit       coordinator's log
    the host name is unknown         tries again        exit 2 (submit:      -
                                                        once connected,
                                                        tries again)
    nothing listens, no answer,      tries again        tries, then exit 1   -
    no route
    something else listens           slowly             exit 2, as above     -
    the key is unknown or revoked    slowly             exit 2               once for each key
    the key has the other role       exit 2             exit 2               each time
    another coordinator's key, or    slowly             exit 2 at the third  once a minute
    keys on one side only                               time
    versions differ                  exit 2             exit 2               each time
    the cache cannot be written      exit 2 at once     -                    -
    the disk fills up on the way     leaves, slowly     exit 2, job is       says who leaves,
                                                        cancelled            and why
    the results' folder cannot be    -                  exit 2 at once       -
    written
    what it did was refused for      exit 1             exit 2               each time
    good: a wrong result...
    a signal                         0, in order        128 + signal         worker leaves,
                                                                             job cancelled

Exit status 2 is for a person to mend; the systemd units do not start such a worker again. A revoked
key is the same with systemd and without: the worker goes on asking, so that a key that is put back
is enough, and nobody has to go to the board.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from ftdist.cluster.endpoints import Endpoint

_CONNECT_S, _GREETING_S = 3.0, 1.0
_ZEROMQ = b"\xff"
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong; `lasting`: it stays so until somebody does something about it."""

    text: str
    lasting: bool = False


def name_problem(endpoint: Endpoint) -> Problem | None:
    """What is wrong with a host's name, if something is; may take as long as the system asks."""
    try:
        _addresses(endpoint)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            return Problem(f"the host name '{endpoint.host}' cannot be looked up at the moment")
        text = f"the host name '{endpoint.host}' is unknown ({error.strerror})"
        return Problem(f"{text}; check its spelling, or write its address", lasting=True)
    except (OSError, UnicodeError):
        return Problem(f"'{endpoint.host}' is not a host name", lasting=True)
    return None


def connection_problem(endpoint: Endpoint) -> Problem | None:
    """Why there is no connection; None when ZeroMQ answers there. Takes a few seconds at most."""
    found = name_problem(endpoint)
    if found is not None:
        return found
    try:
        with socket.create_connection(_addresses(endpoint)[0], _CONNECT_S) as connection:
            connection.settimeout(_GREETING_S)
            return _stranger(connection)
    except OSError as error:
        return Problem(_unreached(error))


def _addresses(endpoint: Endpoint) -> list[tuple[str, int]]:
    """As ZeroMQ looks them up: of IPv6 only when it is written so."""
    host = endpoint.host.strip("[]")
    family = socket.AF_INET6 if "[" in endpoint.host else socket.AF_INET
    found = socket.getaddrinfo(host, endpoint.port, family, socket.SOCK_STREAM)
    return [(str(address[0]), int(address[1])) for *_, address in found]


def _unreached(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        words = "nothing listens there (connection refused); "
        return words + "is the coordinator running, and is the port right?"
    if isinstance(error, TimeoutError):
        words = "that machine does not answer; "
        return words + "is it on, and does a firewall let the port through?"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return f"there is no route to that machine ({error.strerror}); is it in this network?"
    return f"no connection ({error.strerror or error})"


def _stranger(connection: socket.socket) -> Problem | None:
    """What listens there, if it is not a coordinator."""
    try:
        greeting = connection.recv(64)
    except TimeoutError:
        greeting = b""
    except OSError as error:
        return Problem(f"the connection was broken off ({error.strerror})")
    if greeting.startswith(_ZEROMQ):
        return None
    if not greeting:  # a stranger, or a coordinator that is held up
        return Problem("what listens there does not answer as a coordinator; is the port right?")
    said = ascii(greeting.strip()[:_MOST_SHOWN].decode("latin-1"))
    words = f"what listens there is not a coordinator (it says {said}); is the port right?"
    return Problem(words, lasting=True)
