"""What a classifier says of a picture: the classes that it holds for most probable.

Of a tree of classes only the leaves count, as in Darknet's classifier. Values that cannot be
probabilities, as some are below 0 or above 1, are put through a softmax: many files end before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.anchors import absolute
from ftdist.network.graph import Network
from ftdist.network.heads import TreeHead

MOST_SHOWN = 5
"""As many as Darknet's classifier names."""

_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Judgement:
    """The number of a class, and how probable it is."""

    label: int
    score: float


def classify(network: Network, outputs: NDArray[Any], most: int = MOST_SHOWN) -> list[Judgement]:
    """The classes with the highest scores, best first, of equal ones the first; never a NaN."""
    last = network.layers[network.outputs[0]]
    scores = np.asarray(outputs).reshape(-1)
    if isinstance(last.operation, TreeHead):
        scores = _leaves(scores, last.operation.parents)
    elif scores.size and not (np.nanmin(scores) >= 0 and np.nanmax(scores) <= 1 + _ROUNDING):
        scores = _probabilities(scores)
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:most]
    return [Judgement(int(each), float(scores[each])) for each in order if scores[each] > -np.inf]


def _probabilities(logits: NDArray[Any]) -> NDArray[np.float32]:
    """A softmax, in which what is no number stays none."""
    with np.errstate(all="ignore"):
        powers = np.exp(logits.astype(np.float32) - np.nanmax(logits))
        result: NDArray[np.float32] = powers / np.nansum(powers)
    return result


def _leaves(logits: NDArray[Any], parents: tuple[int, ...]) -> NDArray[np.float32]:
    """How probable each class is that is no other's parent; 0 for the others."""
    with np.errstate(all="ignore"):
        scores = absolute(logits.astype(np.float32)[np.newaxis], parents).reshape(-1)
    inner = [parent - 1 for parent in parents if parent]
    scores[inner] = 0
    return scores
