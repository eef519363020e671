"""The page beside a coordinator: starts its process, hands on questions, and carries answers there.

It is an onlooker of ``cluster.server``. Nothing here waits for the page, and what the page is not
asked for is not made. The last lines of the log are kept for those who come later.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.cluster.server.onlooking import Say
from ftdist.coordinator.events import Look, Pictured, Seen
from ftdist.page.access import Access
from ftdist.page.exchange import Ask, LineShown, PictureShown, PieceShown, Pipe, Shown, Trouble
from ftdist.page.process import serve_forked
from ftdist.page.subject import Subject
from ftdist.protocol.records import Piece

PAGE_BYTES = 40 << 20
"""What the page's process takes beside what it shares with the one that it shows, and what is made
for it there. Measured with Python 3.11: 20 MiB while states are looked at, 31 with pictures of
1024x1024 pixels and a plan."""

_LINES = 200
_COLOURS = 3
_PICTURE_SIDE = 640
_PICTURE_BYTES = 4 << 20
"""A picture's sides, and the outputs that go with it; what is larger is thinned out or left out."""


class Beside:
    """The page's process, and the end of the pipe to it; for processes of one thread."""

    def __init__(
        self,
        subject: Subject,
        access: Access,
        listener: socket.socket,
        say: Say,
        *,
        loopback: bool,
    ) -> None:
        self._say = say
        end, other = socket.socketpair()
        self._child = os.fork()
        if self._child == 0:
            end.close()
            serve_forked(subject, access, listener, other, loopback=loopback)
        other.close()
        listener.close()
        self._pipe = Pipe(end)
        self._lock = threading.Lock()
        self._number = 0
        self._after_line = 0
        self._lines: deque[LineShown] = deque(maxlen=_LINES)

    def fileno(self) -> int:
        """What to poll; when it can be read, there may be ``looks``."""
        return self._pipe.fileno()

    @property
    def waits(self) -> bool:
        """Whether something is still to be sent, by ``flush``."""
        return self._pipe.waits

    @property
    def ended(self) -> bool:
        """Whether the page's process is gone."""
        return self._pipe.ended

    def looks(self) -> list[Look]:
        """What the page has asked since the last time."""
        found = []
        for ask in self._pipe.receive():
            if isinstance(ask, Ask):
                self._after_line = ask.after_line
                found.append(Look(ask.plan_number, ask.picture))
            elif isinstance(ask, Trouble):
                self._say(ask.text, "page-fault")
        return found

    def show(self, seen: Seen | Pictured) -> None:
        """Sends the page what it asked for."""
        if isinstance(seen, Seen):
            with self._lock:
                lines = tuple(line for line in self._lines if line.number > self._after_line)
            self._pipe.send(Shown(seen.snapshot, lines))
        else:
            self._pipe.send(picture_shown(seen))

    def flush(self) -> None:
        """Sends what waits."""
        self._pipe.flush()

    def note(self, text: str, level: str, event: str) -> None:
        """A line was logged; any thread may say so."""
        with self._lock:
            self._number += 1
            self._lines.append(LineShown(self._number, time.time(), level, event, text))

    def close(self) -> None:
        """Ends the page."""
        self._pipe.close()
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


def picture_shown(seen: Pictured) -> PictureShown:
    """A frame with no more of it than a page has room for."""
    sides = [side for piece in seen.inputs for side in (piece.region.bottom, piece.region.right)]
    step = -(-max(sides, default=1) // _PICTURE_SIDE)
    outputs: tuple[PieceShown, ...] = ()
    if sum(piece.data.nbytes for piece in seen.outputs) <= _PICTURE_BYTES:
        outputs = tuple(_piece(piece, 1, piece.data) for piece in seen.outputs)
    inputs = tuple(_piece(piece, step, _thinned(piece, step)) for piece in seen.inputs)
    return PictureShown(seen.job, seen.frame, seen.seconds, inputs, outputs)


def _thinned(piece: Piece, step: int) -> NDArray[np.uint8]:
    """Every `step`-th row and column of the whole map that lies in a piece, 0 to 255.

    Where the map has numbers these are parts of white: a quarter as much is sent as of theirs.
    """
    top, left = -piece.region.top % step, -piece.region.left % step
    values: NDArray[Any] = piece.data[top::step, left::step, :_COLOURS]
    if values.dtype == np.uint8:
        return values
    shares = np.fmax(values, 0)  # also in place of what is no number
    np.fmin(shares, 1, out=shares)
    shares *= 255
    whole: NDArray[np.uint8] = shares.astype(np.uint8)
    return whole


def _piece(piece: Piece, step: int, values: NDArray[Any]) -> PieceShown:
    height, width, channels = values.shape
    shape = (height, width, channels)
    return PieceShown(piece.source, piece.region, step, values.dtype.str, shape, values.tobytes())
