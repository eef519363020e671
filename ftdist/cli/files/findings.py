"""What was seen on a picture, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftdist.cli.console import say
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.answers.seen import Found, OfOutput, Result, Written

MOST_PRINTED = 12
"""Detections that are listed unless all are asked for; a picture shows them all."""


def print_result(result: Result, *, everything: bool = False) -> None:
    """The objects, or the likeliest classes, a line each; boxes in pixels of the picture."""
    # nobody has a result without it
    from ftdist.answers.seen import Classified, Pointed, Segmented, Written

    if isinstance(result, Classified) and result.parts:
        for told in result.parts:
            say(f"class      {told.name}: {_part(told)}")
    elif isinstance(result, Classified):
        for each in result.classes:
            say(f"class      {each.label} {each.probability:.3f}")
    elif isinstance(result, Written):
        what = "text" if result.text is not None else "characters"
        say(f"{what:10} {_written(result)} {result.score:.3f}")
    elif isinstance(result, Segmented):
        for part in result.classes:
            say(f"share      {part.label} {part.share:.1%}")
    elif isinstance(result, Pointed):
        points = [f"point      {n} at {x:.0f},{y:.0f}" for n, (x, y) in enumerate(result.points)]
        _print_first(points, everything=everything)
    else:
        _print_first([_as_line(found) for found in result.objects], everything=everything)
        if not result.objects:
            say("note       nothing scores high enough; --thresh P takes lower scores")


def _print_first(lines: Sequence[str], *, everything: bool) -> None:
    shown = lines if everything else lines[:MOST_PRINTED]
    for each in shown:
        say(each)
    if len(lines) > len(shown):
        say(f"           and {len(lines) - len(shown)} more; --all shows them")


def _as_line(found: Found) -> str:
    right, bottom = found.x + found.width, found.y + found.height
    where = f"{found.x:.0f},{found.y:.0f} to {right:.0f},{bottom:.0f}"
    return f"found      {found.label} {found.score:.2f} at {where}"


def summary(result: Result) -> str:
    """What was seen on a picture, in a few words."""
    from ftdist.answers.seen import Classified, Pointed, Segmented, Written  # as above

    if isinstance(result, Written):
        return _written(result)
    if isinstance(result, Classified) and result.parts:
        return ", ".join(each.label for each in result.classes) or "nothing"
    if isinstance(result, Classified):
        return result.classes[0].label if result.classes else "nothing"
    if isinstance(result, Segmented):
        return result.classes[0].label if result.classes else "nothing"
    if isinstance(result, Pointed):
        return counted(len(result.points), "point")
    return counted(len(result.objects), "object")


def _part(part: OfOutput) -> str:
    """The best of one output's classes, or its value."""
    if part.value is not None:
        return f"{part.value:.3f}"
    return ", ".join(f"{each.label} {each.probability:.3f}" for each in part.classes)


def _written(result: Written) -> str:
    from ftdist.answers.export import writing  # as above

    return writing(result) or "nothing"
