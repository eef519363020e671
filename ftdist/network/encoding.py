"""Files as they come from all over the world: text whose encoding nobody says, and disguises.

A mark at the beginning decides where there is one; else text that is UTF-8 is UTF-8, for hardly any
other is by accident. What is left was written by an older editor. Cyrillic ones (code page 1251)
write words of bytes from 192 on; Chinese ones two bytes a sign, from 161 on, so that such bytes
stand in runs of even length; Western ones (code page 1252) here and there a letter. The guess may
be wrong for other languages; then names look odd, and nothing else is harmed.
"""

from __future__ import annotations

import re

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_HIGH = re.compile(rb"[\x80-\xff]+")
_CYRILLIC_RUN_BYTES = 3
"""Western words rarely have so many accented letters side by side, Cyrillic ones on average do."""

_CYRILLIC = frozenset((*range(0xC0, 0x100), 0xA8, 0xB8))


_ARCHIVES = {
    b"PK\x03\x04": "a zip archive (as PyTorch writes too)",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
}


def disguise(start: bytes) -> str | None:
    """What a file that begins like this really is, and what to do; None where nothing shows.

    Downloads bring many a file that is not what its name says.
    """
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, which stands for the file; fetch it with 'git lfs pull'"
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "a web page; download the file itself"
    for mark, kind in _ARCHIVES.items():
        if start.startswith(mark):
            return f"{kind}; unpack it, or export the file itself"
    return None


def decoded(content: bytes) -> str | None:
    """The text; None when it is none: text has no zero bytes, and is what its mark says."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                return None
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode(_older(content), errors="replace")


def _older(content: bytes) -> str:
    """The most probable encoding of text that is not UTF-8."""
    runs = _HIGH.findall(content)
    high = b"".join(runs)
    if len(high) >= _CYRILLIC_RUN_BYTES * len(runs) and _CYRILLIC.issuperset(high):
        return "cp1251"
    return "gb18030" if all(len(run) % 2 == 0 for run in runs) else "cp1252"
