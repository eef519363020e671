"""In one call from a picture to what is on it, for whoever uses ftdist from Python."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.kinds import class_count, is_classifier, is_detector
from ftdist.answers.names import class_names
from ftdist.answers.seen import Classified, Found, Likely, Seen, answer
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model
from ftdist.runtime.local import Session
from ftdist.runtime.plans.public import plan

_Picture = NDArray[Any] | str | os.PathLike[str]


def detect(
    source: Model | Session, picture: _Picture, threshold: float = 0.3, overlap: float = 0.45
) -> list[Found]:
    """The objects on a picture, best first; boxes in pixels of the picture as it is in its file.

    `source` is a detector; a session keeps its plan and memory for the next picture, a model is
    planned for anew. `picture` is what ``Session.run`` takes; boxes on an array are in pixels of
    it. Objects score at least `threshold`, 0 to 1; of two boxes that share more than `overlap` of
    their union the better one counts. InputError for what is not a detector or no picture.
    """
    network = _network(source)
    if not is_detector(network):
        raise InputError(f"{network.name} is not a detector")
    result = _answer(source, picture, {"threshold": threshold, "overlap": overlap})
    assert isinstance(result, Seen)
    return list(result.objects)


def classify(source: Model | Session, picture: _Picture) -> list[Likely]:
    """The classes that a picture is most likely of, the likeliest first, at most five.

    `source` is a classifier; else as ``detect``.
    """
    network = _network(source)
    if not is_classifier(network):
        raise InputError(f"{network.name} is not a classifier")
    result = _answer(source, picture, {})
    assert isinstance(result, Classified)
    return list(result.classes)


def _network(source: Model | Session) -> Network:
    return (source if isinstance(source, Model) else source.model).network


def _answer(
    source: Model | Session, picture: _Picture, thresholds: dict[str, float]
) -> Seen | Classified | None:
    if isinstance(source, Model):
        with Session(source, plan(source)) as session:
            return _answer(session, picture, thresholds)
    model, network = source.model, source.model.network
    letterbox = None
    if isinstance(picture, str | os.PathLike) and not os.fspath(picture).lower().endswith(".npy"):
        from ftdist.pictures.fitted import load_picture

        picture, letterbox = load_picture(os.fspath(picture), network.input, model.about.fit)
    outputs = source.run(picture)
    maps = {name: np.asarray(array).reshape(array.shape[-3:]) for name, array in outputs.items()}
    names = class_names(class_count(network), model.labels or None)
    return answer(network, maps, names, "", letterbox, thresholds)[0]
