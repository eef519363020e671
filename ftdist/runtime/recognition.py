"""In one call from a picture to what is on it, for whoever uses ftdist from Python."""

from __future__ import annotations

import os
from typing import Any

from numpy.typing import NDArray

from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import class_names
from ftdist.answers.seen import Classified, Found, Likely, Result, Seen, answer
from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.network.task import Kind
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
    _refuse_other(source, "detect", "a detector")
    result = _answer(source, picture, {"threshold": threshold, "overlap": overlap})
    assert isinstance(result, Seen)
    return list(result.objects)


def classify(source: Model | Session, picture: _Picture) -> list[Likely]:
    """The classes that a picture is most likely of, the likeliest first, at most five.

    `source` is a classifier; else as ``detect``.
    """
    _refuse_other(source, "classify", "a classifier")
    result = _answer(source, picture, {})
    assert isinstance(result, Classified)
    return list(result.classes)


def _refuse_other(source: Model | Session, kind: Kind, called: str) -> None:
    model = source if isinstance(source, Model) else source.model
    if task_of(model.network, model.about).kind != kind:
        raise InputError(f"{model.network.name} is not {called}")


def _answer(
    source: Model | Session, picture: _Picture, thresholds: dict[str, float]
) -> Result | None:
    if isinstance(source, Model):
        with Session(source, plan(source)) as session:
            return _answer(session, picture, thresholds)
    model, network, about = source.model, source.model.network, source.model.about
    letterbox = None
    if isinstance(picture, str | os.PathLike) and not os.fspath(picture).lower().endswith(".npy"):
        from ftdist.pictures.fitted import load_picture

        picture, letterbox = load_picture(
            os.fspath(picture), network.input, about.fit, fill=about.fill
        )
    outputs, task = source.run(picture), task_of(network, about)
    names = model.labels or class_names(class_count(task))
    return answer(network, task, outputs, names, "", letterbox, thresholds).result
