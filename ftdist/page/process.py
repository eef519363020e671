"""The process that serves the page: forked, with what it needs to know, and gone with its parent.

It takes the processor only where nothing else wants it, ends first where memory runs out, and
closes every file of its parent's: the parent's sockets are not its business.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from typing import NoReturn

from ftdist.page.access import Access
from ftdist.page.exchange import Pipe
from ftdist.page.subject import Subject

_NICER = 5
_FIRST_TO_END = b"1000"


def serve_forked(
    subject: Subject, access: Access, listener: socket.socket, end: socket.socket, *, loopback: bool
) -> NoReturn:
    """In the child: serves until the other end of the pipe is closed."""
    status = 1
    try:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        gc.freeze()  # what is the parent's stays shared with it
        _keep_to_itself({listener.fileno(), end.fileno()})
        asyncio.run(_serve(subject, access, listener, end, loopback=loopback))
        status = 0
    finally:
        os._exit(status)


async def _serve(
    subject: Subject, access: Access, listener: socket.socket, end: socket.socket, *, loopback: bool
) -> None:
    from ftdist.page.app import App  # with the server library, which the parent has no use for
    from ftdist.page.connections import server_for
    from ftdist.page.watching import Watching

    watching = Watching(Pipe(end))
    app = App(subject, access, watching, loopback=loopback)
    listener.setblocking(False)
    serving = asyncio.create_task(server_for(app.guarded).serve(sockets=[listener]))
    ended = asyncio.create_task(watching.ended.wait())
    await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
    os._exit(0)  # browsers are cut off as they are when a machine is switched off


def _keep_to_itself(own: set[int]) -> None:
    """Closes the parent's files, prints nothing more, and takes the lowest priority."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    kept = {*range(3), *own}
    for handle in map(int, os.listdir("/proc/self/fd")):
        if handle not in kept:
            with contextlib.suppress(OSError):
                os.close(handle)
    with contextlib.suppress(OSError):
        os.nice(_NICER)
    with contextlib.suppress(OSError):
        handle = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(handle, _FIRST_TO_END)
        finally:
            os.close(handle)
