"""What a classifier says of a picture: the classes that it holds for most probable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import Network

MOST_SHOWN = 5
"""As many as Darknet's classifier names."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The number of a class, and its score: a probability where the network ends in a softmax."""

    label: int
    score: float


def classify(
    network: Network, outputs: Mapping[str, NDArray[Any]], most: int = MOST_SHOWN
) -> list[Judgement]:
    """The classes with the highest scores, best first, of equal ones the first; never a NaN."""
    scores = np.asarray(outputs[network.layers[network.outputs[0]].name]).reshape(-1)
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:most]
    return [Judgement(int(each), float(scores[each])) for each in order if scores[each] > -np.inf]
