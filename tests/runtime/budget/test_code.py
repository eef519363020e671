"""Code is given back, and only code: what was changed in memory stays as it was changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import numpy as np

from ftdist.runtime.budget import code

TOLD = """
7f0000000000-7f0000002000 r--p 00000000 08:01 11 /lib/libx.so
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
7f0000002000-7f0000009000 r-xp 00002000 08:01 11 /lib/a name/libx.so (deleted)
Rss:                  28 kB
Anonymous:             0 kB
7f0000009000-7f000000a000 r--p 00009000 08:01 11 /lib/libx.so
Anonymous:             4 kB
7f000000a000-7f000000b000 rw-p 0000a000 08:01 11 /lib/libx.so
Anonymous:             0 kB
7f000000b000-7f000000c000 r--s 00000000 08:01 12 /model.ftd
Anonymous:             0 kB
7f000000c000-7f000000d000 r-xp 00000000 00:00 0
Anonymous:             0 kB
7f000000d000-7f000000e000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
"""


def lines(text: str) -> Iterable[bytes]:
    return [line.encode() + b"\n" for line in text.strip().splitlines()]


def test_only_unchanged_copies_of_files_are_code() -> None:
    """Not what was written to, is shared with others, or lies in no file."""
    base = 0x7F0000000000
    assert list(code._unchanged(lines(TOLD))) == [
        (base, base + 0x2000),
        (base + 0x2000, base + 0x9000),
    ]


MEASURED = """
import sys
import numpy
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.memory import resident_bytes

before = resident_bytes()
give_back_code()
after = resident_bytes()
assert numpy.linalg.inv(numpy.eye(3)).sum() == 3
print(before - after)
"""


def test_a_process_holds_less_and_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 4 << 20


def test_arrays_keep_their_values() -> None:
    values = np.arange(1 << 18)
    code.give_back_code()
    assert np.array_equal(values, np.arange(1 << 18))
