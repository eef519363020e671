"""Sizes as people write them and read them. Nothing heavy is imported here: what is refused for
want of memory is refused before numpy takes some."""

from __future__ import annotations

import re

from ftdist.errors import InputError

KIB, MIB = 1 << 10, 1 << 20

SPREAD_BYTES = 512 * KIB
"""How much more a fresh process may hold before it begins than another did, seen in many runs."""

_SIZE = re.compile(
    r"([0-9]{1,18})(\.[0-9]{1,18})?\s*(?:([KMG])(?:i?B)?|(B))?", re.IGNORECASE | re.ASCII
)
_UNITS = {"K": KIB, "M": MIB, "G": 1 << 30}


def parse_size(text: str) -> int:
    """Bytes from a SIZE: a number of bytes, or one with K, M or G (powers of 1024)."""
    size = 0
    if match := _SIZE.fullmatch(text.strip()):
        unit = _UNITS[match[3].upper()] if match[3] else 1
        size = int(match[1]) * unit + int(float(match[2] or 0) * unit)
    if size < 1:
        raise InputError(f"'{text}' is not a size: write bytes, or a number with K, M or G, as 64M")
    return size


def parse_budget(text: str, option: str = "--mem") -> int:
    """As ``parse_size``, of a budget: a number without a unit that is absurdly small is asked
    about."""
    size, match = parse_size(text), _SIZE.fullmatch(text.strip())
    if size < MIB and match is not None and not (match[3] or match[4]):
        number = text.strip()
        meant = f": was {number}M meant?" if size < KIB << 4 else "; write a unit, as 64M"
        raise InputError(f"{option} {number} is {number} bytes, too little for anything{meant}")
    return size


def format_size(size: int) -> str:
    """Bytes as a person reads them, in MiB."""
    return f"{size / MIB:.1f} MiB"


def ceil_size(size: int) -> str:
    """The smallest SIZE in whole K that holds so many bytes, for use after --mem."""
    return f"{-(-size // KIB)}K" if size < 10 * MIB else f"{-(-size // MIB)}M"
