"""What the metadata of a network's file say beside its graph: names of classes, its size.

Exporters write them as Python spells values; they are read as data and nothing else.
"""

from __future__ import annotations

import ast

from ftdist.network.source import Hints

_MOST_METADATA = 1 << 16
_MOST_CHARACTERS = 1 << 18
_LARGEST_SIDE = 1 << 13
_KNOWN_SIZES = (("ppocr", "cls", (48, 192)), ("paddle", "cls", (48, 192)))
"""Words of a file that both stand for a size."""


def literal(text: str) -> object:
    """The value that a text of metadata spells in Python; None where it spells none."""
    if len(text) > _MOST_METADATA:
        return None
    try:
        value: object = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return value


def names_inside(hints: Hints) -> tuple[str, ...]:
    """The classes' names that metadata have: a list, a dict by number as Ultralytics' is, or lines
    as Paddle's are."""
    for key in ("names", "labels", "classes", "class_names", "character"):
        text = hints.metadata.get(key, "")
        found = literal(text)
        if found is None and "\n" in text[:_MOST_METADATA]:
            found = text[:_MOST_METADATA].splitlines()
        if isinstance(found, dict) and sorted(map(str, found)) == sorted(
            map(str, range(len(found)))
        ):
            found = [found[each] for each in sorted(found, key=int)]
        if isinstance(found, list | tuple) and found and all(type(e) is str for e in found):
            return tuple("".join(c if c.isprintable() else " " for c in e) for e in found)
    return ()


def characters_inside(hints: Hints) -> tuple[str, ...]:
    """The characters that metadata have: one a line, or as names of classes are."""
    for key in ("character", "characters", "charset", "alphabet", "dictionary"):
        text = hints.metadata.get(key, "")[:_MOST_CHARACTERS]
        if "\n" in text:
            return tuple(each.removesuffix("\r") for each in text.removesuffix("\n").split("\n"))
        if text and not isinstance(literal(text), list | tuple | dict):
            return tuple(text)
    return names_inside(hints)


def size_inside(hints: Hints) -> tuple[int, int] | None:
    """(height, width) that metadata say, as Ultralytics' `imgsz`."""
    found = literal(hints.metadata.get("imgsz", ""))
    sides = [found, found] if type(found) is int else found
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        return None
    height, width = sides
    if all(type(each) is int and 0 < each <= _LARGEST_SIDE for each in (height, width)):
        return height, width
    return None


def known_size(hints: Hints) -> tuple[int, int] | None:
    """(height, width) of networks that are known by name."""
    words = hints.words.lower()
    for one, other, size in _KNOWN_SIZES:
        if one in words and other in words:
            return size
    return None
