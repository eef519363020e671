"""Tasks without a network between: inputs, what local mode makes of them, and what came back."""

from __future__ import annotations

import numpy as np

import ftdist
from ftdist.cluster.worker.map_store import MapStore
from ftdist.cluster.worker.task_inputs import Task
from ftdist.geometry import Region
from ftdist.network.modelfile import Model
from ftdist.planning.plan import untiled
from ftdist.protocol.records import Piece
from ftdist.protocol.worker_messages import Assign, Failed, Result
from support.smallmodels import random_image


def image_of(model: Model, *, picture: bool = False) -> np.ndarray:
    """An input as it travels: (rows, columns, channels)."""
    if picture:
        return np.random.default_rng(0).integers(0, 256, model.network.input, np.uint8)
    return np.ascontiguousarray(random_image(64).transpose(1, 2, 0))


def at_home(model: Model, image: np.ndarray) -> dict[int, np.ndarray]:
    """The outputs of local mode by source, (rows, columns, channels)."""
    given = image if image.dtype == np.uint8 else image.transpose(2, 0, 1)
    with ftdist.Session(model, untiled(model.network)) as session:
        outputs = session.run(np.ascontiguousarray(given))
    names = {layer.name: number for number, layer in enumerate(model.network.layers)}
    return {
        model.network.source(names[name]): array.transpose(1, 2, 0)
        for name, array in outputs.items()
    }


def task(assign: Assign, model: Model, kept: MapStore | None = None) -> Task:
    return Task(assign, model, kept or MapStore(), 1.0)


def done(outcome: list[Result | Failed]) -> list[Result]:
    """The parts of a result, which there must be."""
    assert [part.more for part in outcome if isinstance(part, Result)][-1:] == [False], outcome
    assert all(isinstance(part, Result) for part in outcome), outcome
    return outcome  # type: ignore[return-value]


def failed(outcome: list[Result | Failed], reason: str) -> Failed:
    """Why a task failed, which it must have for this reason."""
    (answer,) = outcome
    assert isinstance(answer, Failed) and answer.reason == reason, answer
    return answer


def piece(source: int, array: np.ndarray, region: Region) -> Piece:
    """A region of a whole map, as it comes off the wire."""
    top, bottom, left, right = region
    data = np.ascontiguousarray(array[top:bottom, left:right])
    data.flags.writeable = False
    return Piece(source, region, data)
