"""In one call from a picture to the objects on it, for whoever uses ftdist from Python."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.detectors import class_count, is_detector
from ftdist.answers.detectors import detect as detections
from ftdist.answers.names import class_names
from ftdist.answers.seen import Found, seen
from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.runtime.local import Session
from ftdist.runtime.plans.decision import plan


def detect(
    source: Model | Session,
    picture: NDArray[Any] | str | os.PathLike[str],
    threshold: float = 0.3,
    overlap: float = 0.45,
) -> list[Found]:
    """The objects on a picture, best first; boxes in pixels of the picture as it is in its file.

    `source` is a detector; a session keeps its plan and memory for the next picture, a model is
    planned for anew. `picture` is what ``Session.run`` takes; boxes on an array are in pixels of
    it. InputError for what is no detector or no picture.
    """
    if isinstance(source, Model):
        with Session(source, plan(source)) as session:
            return detect(session, picture, threshold, overlap)
    model, network = source.model, source.model.network
    if not is_detector(network):
        raise InputError(f"{network.name} is no detector")
    letterbox = None
    if isinstance(picture, str | os.PathLike) and not os.fspath(picture).lower().endswith(".npy"):
        from ftdist.pictures.fitted import load_picture

        picture, letterbox = load_picture(os.fspath(picture), network.input, model.about.fit)
    outputs = source.run(picture)
    maps = {name: np.asarray(array).reshape(array.shape[-3:]) for name, array in outputs.items()}
    found = detections(network, maps, threshold, overlap)
    names = class_names(class_count(network), model.labels or None)
    return list(seen("", found, names, network, letterbox).objects)
