"""Maps that stay with a worker between the tasks of a frame, until the coordinator lets them go."""

from __future__ import annotations

import threading
from collections.abc import Collection

from ftdist.protocol.records import Piece

_REMEMBERED_JOBS, _REMEMBERED_FRAMES = 64, 4096


class MapStore:
    """What is kept, by job and frame; used by the thread that computes and by the one that talks.

    A frame that was forgotten keeps nothing more, should a task of it end late.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: dict[tuple[str, int], dict[int, list[Piece]]] = {}
        self._before: dict[str, int] = {}
        self._forgotten: set[tuple[str, int]] = set()

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        with self._lock:
            maps = [each for frame in self._pieces.values() for each in frame.values()]
            return sum(piece.data.nbytes for pieces in maps for piece in pieces)

    def add(self, job: str, frame: int, piece: Piece) -> None:
        """Keeps a region of a map; it takes the place of the same region."""
        with self._lock:
            if frame < self._before.get(job, 0) or (job, frame) in self._forgotten:
                return
            pieces = self._pieces.setdefault((job, frame), {}).setdefault(piece.source, [])
            pieces[:] = [each for each in pieces if each.region != piece.region]
            pieces.append(piece)

    def find(self, job: str, frame: int, source: int) -> list[Piece]:
        """What is kept of a map."""
        with self._lock:
            return list(self._pieces.get((job, frame), {}).get(source, ()))

    def forget(self, job: str, before: int, frames: Collection[int]) -> None:
        """Lets go of a job's frames up to `before`, and of `frames`."""
        with self._lock:
            self._before[job] = max(before, self._before.pop(job, 0))
            if len(self._before) > _REMEMBERED_JOBS:
                oldest = next(iter(self._before))
                del self._before[oldest]
                self._forgotten = {each for each in self._forgotten if each[0] != oldest}
            self._forgotten = {
                (name, frame)
                for name, frame in self._forgotten | {(job, frame) for frame in frames}
                if frame >= self._before.get(name, 0)
            }
            while len(self._forgotten) > _REMEMBERED_FRAMES:
                self._forgotten.pop()
            for name, frame in list(self._pieces):
                if name == job and (frame < self._before[job] or frame in frames):
                    del self._pieces[name, frame]

    def clear(self) -> None:
        """Lets go of everything."""
        with self._lock:
            self._pieces.clear()
            self._before.clear()
            self._forgotten.clear()
