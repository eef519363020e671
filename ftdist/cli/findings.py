"""What a detector found, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftdist.cli.printing import say
from ftdist.detection import Detection
from ftdist.detection.picture import Letterbox

_MOST_PRINTED = 12
"""Detections that are listed; a picture shows them all."""


def print_detections(
    detections: Sequence[Detection], names: Sequence[str], letterbox: Letterbox | None
) -> None:
    """The best detections, a line each; in pixels of the picture where there is one."""
    for each in detections[:_MOST_PRINTED]:
        box: Any = each.box
        if letterbox is not None:
            box = letterbox.to_picture(each.box)
            where = f"{box.left:.0f},{box.top:.0f} to {box.right:.0f},{box.bottom:.0f}"
        else:
            where = f"{box.left:.3f},{box.top:.3f} to {box.right:.3f},{box.bottom:.3f}"
        say(f"found      {names[each.label]} {each.score:.2f} at {where}")
    if len(detections) > _MOST_PRINTED:
        say(f"           and {len(detections) - _MOST_PRINTED} more")
