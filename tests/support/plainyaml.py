"""As little of YAML as launch/compose.yaml uses, so that no package is needed to read it."""

from __future__ import annotations

import re
from typing import Any

Lines = list[tuple[int, str]]


def read(text: str) -> Any:
    """Block mappings and lists of plain, quoted or bracketed scalars; ValueError for all else."""
    lines: Lines = []
    for line in text.splitlines():
        content = line.lstrip(" ")
        if content and not content.startswith("#"):
            lines.append((len(line) - len(content), content.rstrip()))
    value = _block(lines, 0)
    if lines:
        raise ValueError(f"is indented wrongly: {lines[0][1]}")
    return value


def _block(lines: Lines, indent: int) -> Any:
    """Takes the lines of one block from the front."""
    if lines[0][1].startswith("- "):
        items = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            items.append(_scalar(lines.pop(0)[1][2:]))
        return items
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent:
        key, colon, rest = lines.pop(0)[1].partition(":")
        if not colon or not re.fullmatch("[a-z_]+", key) or key in found:
            raise ValueError(f"is no new key: {key}")
        if rest:
            found[key] = _scalar(rest.removeprefix(" "))
        else:
            deeper = bool(lines) and lines[0][0] > indent
            found[key] = _block(lines, lines[0][0]) if deeper else None
    return found


def _scalar(text: str) -> Any:
    if text.startswith("["):
        if not text.endswith("]"):
            raise ValueError(f"is not closed: {text}")
        return [_scalar(each.strip()) for each in text[1:-1].split(",")]
    if text.startswith('"'):
        return re.fullmatch(r'"([^"\\]*)"', text)[1]  # type: ignore[index]
    if text[:1] in "&*!|>{}'%@`" or ": " in text or " #" in text or not text.strip():
        raise ValueError(f"is no plain scalar: {text}")
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text
