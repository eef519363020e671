"""Files without a name: what does not fit in memory lies on the disk, and goes with the process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


def nameless_file(folder: Path) -> int:
    """An empty file without a name, open for reading and writing."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:
        name = folder / f".ftdist-{os.urandom(8).hex()}"
        handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        os.unlink(name)
        return handle


def write_all(handle: int, values: NDArray[Any] | bytes | memoryview, at: int) -> int:
    """Writes values to their place in a file; gives where they end."""
    content: Any = values
    view = memoryview(content).cast("B")
    while view:
        written = os.pwrite(handle, view, at)
        view, at = view[written:], at + written
    return at
