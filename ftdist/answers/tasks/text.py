"""What a line of writing says: scores of characters along it, read as their network means them.

Readers of text (CRNN, SVTR, PP-OCR's recognisers, plates, captchas) hand on scores of every
character for each step along the line, or the best ones' numbers. Most are trained by CTC (Graves
et al., 2006): a character goes over as many steps as it is wide, and a blank stands between two
alike. Read greedily, the best of each step, of alike ones in a row the first, are the text. Others
have a place for each character (`no_blank`), and what is none ends the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.alphabets import UNWRITTEN
from ftdist.network.task import Task

_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Line:
    """The classes of a line's characters, and the mean of how sure they are, 0 to 1."""

    numbers: tuple[int, ...]
    score: float


def read_line(
    task: Task, outputs: Mapping[str, NDArray[Any]], alphabet: Sequence[str] = ()
) -> Line:
    """What outputs say; the `alphabet` is laid out as the classes are, or nobody knows it."""
    array = outputs[task.outputs[0]]
    found = array.reshape([each for each in array.shape if each != 1] or [1])
    if found.ndim == 1:
        best, sure = np.nan_to_num(found).astype(np.int64), np.ones(len(found), np.float32)
    else:
        best, sure = _best(found.T if len(found) == task.classes != found.shape[1] else found)
    unwritten = [n for n, each in enumerate(alphabet) if each == UNWRITTEN]
    if task.layout == "no_blank":
        ends = np.flatnonzero(np.isin(best, unwritten))
        taken = np.arange(ends[0] if len(ends) else len(best))
    else:
        own = task.classes - 1 if task.layout == "blank_last" else 0
        taken = _beginnings(best, unwritten or [own])
    score = float(sure[taken].mean()) if len(taken) else 0.0
    return Line(tuple(best[taken].tolist()), score)


def text_of(line: Line, alphabet: Sequence[str]) -> str:
    """The characters of a line."""
    return "".join(alphabet[each] for each in line.numbers if 0 <= each < len(alphabet))


def _best(scores: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best class of each step, of (steps, classes), and how probable it is; never a NaN."""
    known = np.nan_to_num(scores.astype(np.float32), nan=-np.inf, posinf=None, neginf=-np.inf)
    best = known.argmax(axis=1)
    top = np.take_along_axis(known, best[:, None], 1)[:, 0]
    if known.min(initial=0) >= 0 and top.max(initial=0) <= 1 + _ROUNDING:
        return best, top
    with np.errstate(all="ignore"):
        sure = 1 / np.exp(known - top[:, None]).sum(axis=1)
    return best, np.nan_to_num(sure)


def _beginnings(best: NDArray[np.int64], blanks: Sequence[int]) -> NDArray[np.intp]:
    """The steps at which a character begins."""
    begins = np.ones(len(best), bool)
    begins[1:] = best[1:] != best[:-1]
    return np.flatnonzero(begins & ~np.isin(best, blanks))
