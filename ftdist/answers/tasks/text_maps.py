"""Lines of text on a photo, out of a map of how probably each pixel lies within one (DB).

Such a detector (PP-OCR's, DBNet) hands on one map as large as its input, which ends in a sigmoid.
So do masks of anything else: it is taken for text where names say so, or whoever knows it. Pixels
above 0.3 that touch, also by a corner, are a line of text; its score is the mean of their
probabilities. The network is trained with lines that are shrunk, so the box around them is enlarged
by area * 1.5 / perimeter on each side.

The map is read row by row, and of a row only its spans are held: memory does not depend on what is
in the map.

Source: Real-time Scene Text Detection with Differentiable Binarization (Liao et al. 2020).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.decode import Detection
from ftdist.network.graph import Layer, Network
from ftdist.network.operators.base import LINEAR, Activation
from ftdist.network.task import Task
from ftdist.pictures.fitting import Box

_PIXEL, _LINE = 0.3, 0.6
"""How probable pixels of a line are, each and on average; DB's own."""

_LEAST_SIDE, _UNCLIP = 3, 1.5

_STEPS_BACK = 4
"""Layers before the output among which the sigmoid is: some networks mean two maps at last."""

_OF_TEXT, _DETECTOR = r"(ocr|(?<![a-z])text)", r"(?<![a-z])det(ect(or|ion)?)?(?![a-z])"
_TEXT = re.compile(
    rf"({_OF_TEXT}.*{_DETECTOR})|({_DETECTOR}.*{_OF_TEXT})|(?<![a-z])db(_?net|_resnet|_td500|_ic15)",
    re.IGNORECASE | re.DOTALL,
)
_PADDLES = re.compile(r"(sigmoid_\d+\.tmp_\d+|fetch_name_\d+)$")
_OTHER_MASK = re.compile(r"seg|mask|matt|portrait|human|salien", re.IGNORECASE)


def text_map(network: Network, words: str, *, asked: bool = False) -> Task | None:
    """The task of a network that finds lines of text, None of any other; `words` are what its file
    says. `asked`: somebody says that it is a detector, so any map of one channel as large as the
    input may be of text."""
    height, width, channels = network.input
    whole = [each for each in network.outputs if network.shape(each) == (height, width, 1)]
    if not whole or min(height, width) == 1:
        return None
    name = network.layers[whole[0]].name
    if not asked:
        paddles = network.inputs[0].name == "x" and _PADDLES.match(name)
        told = _TEXT.search(words) or (paddles and not _OTHER_MASK.search(words))
        if not told or len(network.outputs) > 1 or channels != 3:
            return None
        if not _ends_in_sigmoid(network, whole[0]):
            return None
    return Task("detect", "text_map", 1, (name,))


def _ends_in_sigmoid(network: Network, number: int) -> bool:
    last = {network.source(number)}
    for _ in range(_STEPS_BACK):
        layers = [network.layers[each] for each in last if each >= 0]
        if any(_activation(each).kind == "logistic" for each in layers):
            return True
        last = {network.source(each) for layer in layers for each in layer.inputs}
    return False


def _activation(layer: Layer) -> Activation:
    found: Activation = getattr(layer.operation, "activation", LINEAR)
    return found


def lines_found(
    task: Task,
    outputs: Mapping[str, NDArray[Any]],
    size: tuple[int, int],
    threshold: float,
    most: int,
) -> list[Detection]:
    """The lines of text from top to bottom, of more than `most` the best; boxes in fractions of the
    input of `size` (height, width).

    They score above the `threshold`, and above 0.6 unless that is below 0.3; then above twice it.
    """
    values = np.asarray(outputs[task.outputs[0]]).reshape(size)
    least = max(threshold, min(2 * threshold, _LINE))
    found: list[Detection] = []
    for each in _patches(values, min(threshold, _PIXEL)):
        score = min(each.total / each.pixels, 1.0)
        sides = each.right - each.left, each.bottom - each.top
        if score > least and min(sides) >= _LEAST_SIDE:
            found.append(Detection(0, score, _enlarged(each, size)))
            if len(found) > 2 * most:
                found = _best(found, most)
    return sorted(_best(found, most), key=lambda each: (each.box.top, each.box.left))


def _best(found: list[Detection], most: int) -> list[Detection]:
    return sorted(found, key=lambda each: -each.score)[:most]


@dataclass(slots=True, eq=False)
class _Patch:
    """Pixels that touch, so far: the box around them, how many, and their sum; `within` is what
    they were found to belong to."""

    left: int
    top: int
    right: int
    bottom: int
    pixels: int
    total: float
    within: _Patch | None = None

    def whole(self) -> _Patch:
        """The patch that it belongs to by now."""
        found = self
        while found.within is not None:
            found = found.within
        if found is not self:
            self.within = found  # one step, the next time
        return found

    def join(self, other: _Patch) -> None:
        """Makes another, whole one belong to this."""
        self.left, self.right = min(self.left, other.left), max(self.right, other.right)
        self.top, self.bottom = min(self.top, other.top), max(self.bottom, other.bottom)
        self.pixels, self.total = self.pixels + other.pixels, self.total + other.total
        other.within = self


def _patches(values: NDArray[Any], threshold: float) -> Iterator[_Patch]:
    """All that touches above the threshold in (height, width), each as soon as it has ended."""
    before: list[_RowSpan] = []
    for row in range(len(values)):
        now = _joined(before, _spans(values[row], row, threshold))
        going_on = {id(patch) for _, _, patch in now}
        ended = {id(whole): whole for _, _, patch in before for whole in (patch.whole(),)}
        yield from (patch for key, patch in ended.items() if key not in going_on)
        before = now
    yield from {id(patch): patch for _, _, patch in before}.values()


_RowSpan = tuple[int, int, _Patch]
"""The first column, the one behind the last, and what it belongs to."""


def _spans(values: NDArray[Any], row: int, threshold: float) -> Iterator[_RowSpan]:
    """The pixels of a row that lie side by side above the threshold, from left to right."""
    known = np.clip(np.nan_to_num(values.astype(np.float64)), 0, 1)
    ends = np.flatnonzero(np.diff(known > threshold, prepend=False, append=False))
    sums = np.concatenate([[0.0], np.cumsum(known)])[ends]
    totals = (sums[1::2] - sums[0::2]).tolist()
    for (start, stop), total in zip(ends.reshape(-1, 2).tolist(), totals, strict=True):
        yield start, stop, _Patch(start, row, stop, row + 1, stop - start, total)


def _joined(before: list[_RowSpan], spans: Iterator[_RowSpan]) -> list[_RowSpan]:
    """The spans of a row, joined with those of the row above that they touch."""
    now, first = [], 0
    for start, stop, own in spans:
        while first < len(before) and before[first][1] < start:
            first += 1
        above = first  # the last that touches may touch the next one too
        while above < len(before) and before[above][0] <= stop:
            whole = before[above][2].whole()
            if whole is not own:
                own.join(whole)
            above += 1
        now.append((start, stop, own))
    return [(start, stop, patch.whole()) for start, stop, patch in now]


def _enlarged(patch: _Patch, size: tuple[int, int]) -> Box:
    """The box around a line, in fractions."""
    height, width = size
    across, down = patch.right - patch.left, patch.bottom - patch.top
    more = across * down * _UNCLIP / (2 * (across + down))
    left, right = max(0.0, patch.left - more), min(float(width), patch.right + more)
    top, bottom = max(0.0, patch.top - more), min(float(height), patch.bottom + more)
    return Box(left / width, top / height, right / width, bottom / height)
