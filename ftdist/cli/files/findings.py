"""What was seen on a picture, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftdist.cli.console import say
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.answers.seen import Result

MOST_PRINTED = 12
"""Detections that are listed unless all are asked for; a picture shows them all."""


def print_result(result: Result, *, everything: bool = False) -> None:
    """The objects, or the likeliest classes, a line each; boxes in pixels of the picture."""
    from ftdist.answers.seen import Classified, Pointed, Segmented  # nobody has a result without it

    if isinstance(result, Classified):
        for each in result.classes:
            say(f"class      {each.label} {each.probability:.3f}")
        return
    if isinstance(result, Segmented):
        for part in result.classes:
            say(f"share      {part.label} {part.share:.1%}")
        return
    if isinstance(result, Pointed):
        told = len(result.points) if everything else MOST_PRINTED
        for number, (x, y) in enumerate(result.points[:told]):
            say(f"point      {number} at {x:.0f},{y:.0f}")
        if len(result.points) > told:
            say(f"           and {len(result.points) - told} more; --all shows them")
        return
    shown = len(result.objects) if everything else MOST_PRINTED
    for found in result.objects[:shown]:
        right, bottom = found.x + found.width, found.y + found.height
        where = f"{found.x:.0f},{found.y:.0f} to {right:.0f},{bottom:.0f}"
        say(f"found      {found.label} {found.score:.2f} at {where}")
    if not result.objects:
        say("note       nothing scores high enough; --thresh P takes lower scores")
    if len(result.objects) > shown:
        say(f"           and {len(result.objects) - shown} more; --all shows them")


def summary(result: Result) -> str:
    """What was seen on a picture, in a few words."""
    from ftdist.answers.seen import Classified, Pointed, Segmented  # as above

    if isinstance(result, Classified):
        return result.classes[0].label if result.classes else "nothing"
    if isinstance(result, Segmented):
        return result.classes[0].label if result.classes else "nothing"
    if isinstance(result, Pointed):
        return counted(len(result.points), "point")
    return counted(len(result.objects), "object")
