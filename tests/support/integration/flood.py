"""Peers that send messages without an end, in a process of their own.

``python flood.py ENDPOINT PEERS [KEYS]``: it goes on until it is killed. A peer whose connection is
cut while it is in the middle of a message may end in an assertion of its ZeroMQ, and with it the
process: that is no business of the test's own.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftdist.cluster.keys import peer_keys
from ftdist.cluster.transport import connect, make_context
from support.integration.zmtp import send_endless

_TESTS = Path(__file__).parents[2]


@contextmanager
def flood(endpoint: str, peers: int, keys: Path | None) -> Iterator[None]:
    """So many peers flood whoever listens there, until the block ends."""
    words = [sys.executable, __file__, endpoint, str(peers), *([str(keys)] if keys else [])]
    path = [str(_TESTS), *sys.path]
    with subprocess.Popen(
        words, env={"PYTHONPATH": ":".join(path)}, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.kill()


def _main() -> None:
    endpoint, count, *folder = sys.argv[1:]
    keys = peer_keys(Path(folder[0])) if folder else None
    context = make_context()
    peers = [connect(context, endpoint, keys) for _ in range(int(count))]
    for peer in peers:
        send_endless(peer)
    signal.pause()


if __name__ == "__main__":
    _main()
