"""What was seen on a picture, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftdist.cli.console import say
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.answers.seen import Classified, Seen

MOST_PRINTED = 12
"""Detections that are listed unless all are asked for; a picture shows them all."""


def print_result(result: Seen | Classified, *, everything: bool = False) -> None:
    """The objects, or the likeliest classes, a line each; boxes in pixels of the picture."""
    from ftdist.answers.seen import Classified  # nobody has a result without it

    if isinstance(result, Classified):
        for each in result.classes:
            say(f"class      {each.label} {each.probability:.3f}")
        return
    shown = len(result.objects) if everything else MOST_PRINTED
    for found in result.objects[:shown]:
        right, bottom = found.x + found.width, found.y + found.height
        where = f"{found.x:.0f},{found.y:.0f} to {right:.0f},{bottom:.0f}"
        say(f"found      {found.label} {found.score:.2f} at {where}")
    if len(result.objects) > shown:
        say(f"           and {len(result.objects) - shown} more; --all shows them")


def summary(result: Seen | Classified) -> str:
    """What was seen on a picture, in a few words."""
    from ftdist.answers.seen import Classified  # as above

    if isinstance(result, Classified):
        return result.classes[0].label if result.classes else "nothing"
    return counted(len(result.objects), "object")
