"""What reading streamed weights costs: from the page cache, and from the disk."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PIECE = 1 << 20
_STEP = 64 << 10


@contextmanager
def working_file(folder: Path | None, size: int) -> Iterator[int]:
    """The handle of a file of so many bytes in a folder; in memory where there is no folder."""
    if folder is None:
        handle = os.memfd_create("ftdist")
        try:
            _fill(handle, size)
            yield handle
        finally:
            os.close(handle)
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        _fill(file.fileno(), size)
        os.fsync(file.fileno())
        yield file.fileno()


def page_cache_costs(file: int, size: int) -> tuple[float, float]:
    """Seconds a byte, and a chunk, that are copied from the page cache."""
    _read_all(file, size)
    cached = min(_read_all(file, size, time.thread_time) for _ in range(3))
    buffer = memoryview(bytearray(64))
    chunks = []
    for at in range(0, size, _STEP):  # a chunk is two reads and a word ahead
        started = time.thread_time()
        os.preadv(file, [buffer], at)
        os.preadv(file, [buffer], at + 4096)
        os.posix_fadvise(file, at, 4096, os.POSIX_FADV_WILLNEED)
        chunks.append(time.thread_time() - started)
    return cached / size, sorted(chunks)[len(chunks) // 4]


def disk_rate(file: int, size: int) -> float:
    """Bytes a second of a file that the system has forgotten."""
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    return size / _read_all(file, size)


def _fill(file: int, size: int) -> None:
    for at in range(0, size, _PIECE):
        os.pwrite(file, os.urandom(4096) * (_PIECE // 4096), at)


def _read_all(file: int, size: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of reading a file from its beginning to its end."""
    buffer = bytearray(_PIECE)
    started = clock()
    for at in range(0, size, _PIECE):
        os.preadv(file, [buffer], at)
    return clock() - started
