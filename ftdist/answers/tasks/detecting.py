"""The objects that a detector without Darknet's heads has found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ftdist.answers.decode import Detection
from ftdist.answers.kinds import most_candidates
from ftdist.answers.suppress import suppress, suppress_turned
from ftdist.answers.tasks.centres import centred
from ftdist.answers.tasks.details import turned, with_details
from ftdist.answers.tasks.listed import listed, suppressed_inside
from ftdist.answers.tasks.text_maps import lines_found
from ftdist.errors import InputError
from ftdist.network.task import Task


def detect_listed(
    task: Task,
    outputs: Mapping[str, NDArray[Any]],
    size: tuple[int, int],
    threshold: float = 0.3,
    overlap: float = 0.45,
) -> list[Detection]:
    """The objects, best first, as ``detectors.detect`` gives them, lines of text from top to
    bottom; `size` is (height, width)."""
    if not 0 <= threshold <= 1:
        raise InputError(f"the score threshold must be in 0..1, it is {threshold}")
    if task.layout == "text_map":
        return lines_found(task, outputs, size, threshold, most_candidates(*size))
    if task.layout in ("centres", "centres_exp"):
        found = centred(task, outputs, threshold, most_candidates(*size))
    else:
        found = listed(task, outputs, size, threshold)
    if suppressed_inside(task):
        found = sorted(found, key=lambda each: -each.score)
    elif task.detail == "turned":
        found = suppress_turned(found, turned(task, outputs, found), overlap)
    else:
        found = suppress(found, overlap)
    found = found[: most_candidates(*size)]
    return with_details(task, outputs, found, size) if task.detail else found
