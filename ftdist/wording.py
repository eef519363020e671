"""How numbers are said to people."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """So many of a thing, as "1 frame" or "2 frames"; `plural` where an s does not make it."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
