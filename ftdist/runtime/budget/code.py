"""A process's code: pages of programs and libraries, given back once what needed them is over.

Most code that a process ever ran was to begin: to import, to read a header, to make tables. The
system keeps its pages in the process for as long as nothing presses, and counts them as resident;
but they are copies of files, and what is run again comes back at a touch, mostly out of the page
cache and 16 pages at a time. Giving back all of it between two stages of a run costs a few
milliseconds, and then the process holds what the next stage runs and no longer what the last one
did: the peak is that of the larger stage, not of both.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable, Iterator

from ftdist.runtime.budget.heap import of_c


def give_back_code() -> None:
    """Gives back every page of code, and of the constants beside it; what is used comes back.

    Only what lies in files as it lies here: mapped privately, not to be written, and none of its
    pages changed, as loaders change tables of addresses and debuggers set breakpoints.
    """
    advise = of_c("madvise")
    if advise is None:
        return
    with open("/proc/self/smaps", "rb") as lines:
        spans = list(_unchanged(lines))
    for start, stop in spans:
        size = ctypes.c_size_t(stop - start)
        advise(ctypes.c_void_p(start), size, mmap.MADV_DONTNEED)


def _unchanged(smaps: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """The spans of addresses [start, stop) of such mappings, as /proc/self/smaps tells of them.

    A line `FROM-TO r-xp OFFSET DEVICE INODE /FILE`, then lines such as `Rss: 12 kB`.
    """
    span: tuple[int, int] | None = None
    for line in smaps:
        if b"A" <= line[:1] <= b"Z":  # one of some twenty for each mapping
            if span is not None and line.startswith(b"Anonymous:"):
                if line.split(None, 2)[1] == b"0":
                    yield span
                span = None
            continue
        words = line.split(None, 5)
        is_copy = len(words) == 6 and words[1] in (b"r-xp", b"r--p") and words[5][:1] == b"/"
        first, _, stop = words[0].partition(b"-")
        span = (int(first, 16), int(stop, 16)) if is_copy else None
