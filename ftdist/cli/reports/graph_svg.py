"""The graph of a network as an SVG file, the steps of a plan in colours.

One row per layer, in the order in which they are computed, so that a step is a band across the
page. On the left the maps run downwards in lanes: a layer stands in the lane of an input that
nobody reads after it, else in a free one, and lines lead from where a map is made to who reads it.
On the right words say what each layer is. Text is text: it can be searched and scaled, and the file
is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from ftdist.cli.reports.listing import (
    ListedLayer,
    ListedStep,
    weights_told,
    work_told,
)

_ROW, _LANE, _LEFT, _TOP = 20, 16, 24, 64
"""Pixels of a row, of a lane, left of the lanes, and above the rows."""

_RADIUS = 5
_COLUMNS = (("name", 250), ("what", 230), ("shape", 110), ("work", 96), ("weights", 84))
_BAND_WIDTH = 440
_MOST_LANES = 24
"""Further maps share the last lane; networks have a few."""

_COLOURS = ("#dbeafe", "#dcfce7", "#fef3c7", "#fce7f3", "#ede9fe", "#cffafe", "#ffe4e6", "#ecfccb")
_STRONG = ("#1d4ed8", "#15803d", "#b45309", "#be185d", "#6d28d9", "#0e7490", "#be123c", "#4d7c0f")
_WHOLE, _WHOLE_STRONG = "#e5e7eb", "#374151"

_STYLE = (
    "text{font:12px ui-sans-serif,system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "fill:#111827}.n{fill:#6b7280;text-anchor:end}.r{text-anchor:end}.h{font-weight:600}"
    ".t{font-size:16px;font-weight:600}.s{fill:#4b5563}path{fill:none;stroke:#6b7280;"
    "stroke-width:1.5}circle{stroke:#fff;stroke-width:1.5}"
)


def drawn(title: str, subtitle: str, inputs: int, steps: Sequence[ListedStep]) -> str:
    """The file's text; `inputs` is how many the network has."""
    layers = [each for step in steps for each in step.layers]
    places, count = _lanes(layers, inputs)
    start = _LEFT + count * _LANE + 44
    width = start + sum(each for _, each in _COLUMNS) + _BAND_WIDTH
    height = _TOP + (len(layers) + inputs) * _ROW + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{_STYLE}</style>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text class="t" x="{_LEFT}" y="24">{_safe(title)}</text>',
        f'<text class="s" x="{_LEFT}" y="44">{_safe(subtitle)}</text>',
    ]
    for step in steps:
        parts += _band(step, inputs, start, width)
    parts += _edges(layers, places, inputs)
    for number in range(-1, -inputs - 1, -1):
        x, y = _at(number, places, inputs)
        parts.append(f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="#111827"/>')
        name = "input" if inputs == 1 else f"input {-number}"
        parts.append(f'<text class="s" x="{start}" y="{y + 4}">{name}</text>')
    for step in steps:
        for each in step.layers:
            parts += _row(each, step, places, inputs, start)
    return "\n".join((*parts, "</svg>\n"))


def _lanes(layers: Sequence[ListedLayer], inputs: int) -> tuple[dict[int, int], int]:
    """The lane of each layer and input, and how many lanes there are."""
    last = {read: each.number for each in layers for read in each.reads}
    places: dict[int, int] = {}
    taken: set[int] = set()
    for number in range(-1, -inputs - 1, -1):
        places[number] = len(taken)
        taken.add(places[number])
    for each in layers:
        ending = sorted({places[read] for read in each.reads if last[read] == each.number})
        if ending:
            lane = ending[0]
            taken.difference_update(ending[1:])
        else:
            free = (n for n in range(len(taken) + 1) if n not in taken)
            lane = min(next(free), _MOST_LANES - 1)
        places[each.number] = lane
        taken.add(lane)
        if each.number not in last:  # nobody reads it: its lane ends here
            taken.discard(lane)
    return places, max(places.values(), default=0) + 1


def _at(number: int, places: dict[int, int], inputs: int) -> tuple[int, int]:
    """The middle of a layer's mark; inputs stand above, the first of them on top."""
    row = number + inputs if number >= 0 else -1 - number
    return _LEFT + places[number] * _LANE, _TOP + row * _ROW + _ROW // 2


def _edges(layers: Sequence[ListedLayer], places: dict[int, int], inputs: int) -> list[str]:
    """From where a map is made down its lane, and over to its reader in the last row."""
    found = []
    for each in layers:
        x, y = _at(each.number, places, inputs)
        for read in dict.fromkeys(each.reads):
            from_x, from_y = _at(read, places, inputs)
            if from_x == x:
                found.append(f"M{from_x} {from_y}V{y}")
            elif read == each.number - 1 or places[read] < places[each.number]:
                turn = from_y + _ROW if read == each.number - 1 else y
                above = turn - _ROW
                found.append(f"M{from_x} {from_y}V{above}C{from_x} {turn} {x} {above} {x} {turn}")
            else:
                above = y - _ROW
                found.append(f"M{from_x} {from_y}V{above}C{from_x} {y} {x} {above} {x} {y}")
    return [f'<path d="{"".join(found)}"/>'] if found else []


def _band(step: ListedStep, inputs: int, start: int, width: int) -> list[str]:
    """The colour of a step, and beside it how it is computed."""
    first, count = step.layers[0].number, len(step.layers)
    top = _TOP + (first + inputs) * _ROW
    x = start + sum(each for _, each in _COLUMNS) + 12
    fill, strong = _colours(step)
    words = step.told.split(", ")
    lines = [f"step {step.number}: {words[0]}", *words[1:]]
    if count < len(lines):
        lines = [", ".join(lines)] if count == 1 else [", ".join(lines[:2]), ", ".join(lines[2:])]
    parts = [
        f'<rect x="8" y="{top}" width="{width - 16}" height="{count * _ROW - 1}" rx="3" '
        f'fill="{fill}"/>',
        f'<rect x="8" y="{top}" width="4" height="{count * _ROW - 1}" fill="{strong}"/>',
    ]
    for row, line in enumerate(filter(None, lines)):
        y = top + row * _ROW + 14
        kind = ' class="h"' if row == 0 else ""
        parts.append(f'<text{kind} x="{x}" y="{y}">{_safe(line)}</text>')
    return parts


def _colours(step: ListedStep) -> tuple[str, str]:
    if step.kind == "whole":
        return _WHOLE, _WHOLE_STRONG
    place = step.number % len(_COLOURS)
    return _COLOURS[place], _STRONG[place]


def _row(
    each: ListedLayer, step: ListedStep, places: dict[int, int], inputs: int, start: int
) -> list[str]:
    x, middle = _at(each.number, places, inputs)
    y = middle + 4
    texts = (each.name, each.what, each.shape, work_told(each.work), weights_told(each.weights))
    radius = _RADIUS + 2 if each.is_output else _RADIUS
    parts = [
        f'<circle cx="{x}" cy="{middle}" r="{radius}" fill="{_colours(step)[1]}"/>',
        f'<text class="n" x="{start - 8}" y="{y}">{each.number}</text>',
    ]
    left = start
    for (column, wide), text in zip(_COLUMNS, texts, strict=True):
        if column in ("name", "what"):
            weight = ' class="h"' if each.is_output and column == "name" else ""
            parts.append(f'<text{weight} x="{left}" y="{y}">{_safe(text)}</text>')
        elif text != "-":
            parts.append(f'<text class="r" x="{left + wide}" y="{y}">{_safe(text)}</text>')
        left += wide
    return parts


def _safe(text: str) -> str:
    return escape("".join(c if c.isprintable() else "?" for c in text))
