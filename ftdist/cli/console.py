"""Lines for people: whatever a name holds, one line comes out and no terminal is taken over.

Names of files, layers and classes come from outside and may hold line ends, escape sequences, or
characters that the terminal's encoding lacks. Python has no stream where a descriptor was closed
before it began; what would go there is dropped.
"""

from __future__ import annotations

import sys
from typing import TextIO


def say(text: str) -> None:
    """Prints one line to standard output."""
    _print(text, sys.stdout)


def tell(text: str) -> None:
    """Prints one line to standard output at once: whoever watches a long run sees it now."""
    _print(text, sys.stdout)
    if sys.stdout is not None:
        sys.stdout.flush()


def complain(text: str) -> None:
    """Prints one line to standard error."""
    _print(text, sys.stderr)


def one_line(text: str) -> str:
    """The text with everything escaped that does not print as it is."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _print(text: str, stream: TextIO | None) -> None:
    if stream is not None:
        encoding = stream.encoding or "utf-8"
        safe = one_line(text).encode(encoding, "backslashreplace").decode(encoding)
        stream.write(safe + "\n")  # at once: print() would let another thread's line come between
