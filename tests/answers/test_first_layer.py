"""The size of a network's first weights tells pixels of 0 to 255 from values around one."""

from __future__ import annotations

import numpy as np
import pytest

from ftdist.answers.first_layer import response
from ftdist.answers.preparing import prepared
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.network.parameters import Parameters
from ftdist.network.ports import Input, Pixels
from ftdist.network.source import Hints
from ftdist.network.task import Task

CAFFE = Pixels((104.0, 117.0, 123.0), (1.0,), True)


def network(channels: int = 3, groups: int = 1):
    builder = NetworkBuilder("net", [Input("x", Shape(16, 16, channels))])
    builder.add(Convolution(6, Sliding.square(3), groups), [-1])
    return builder.finish()


def weights(size: float, shape: tuple[int, ...] = (6, 3, 3, 3)):
    values = np.random.default_rng(0).standard_normal(shape) * size
    return iter([Parameters.of(0, values.astype(np.float32), np.zeros(6, np.float32))])


def test_it_is_the_spread_of_what_is_made_of_pixels() -> None:
    """Pixels that are alike are summed as they are, those far apart as their squares."""
    rng = np.random.default_rng(1)
    places = np.abs(np.arange(3)[:, np.newaxis] - np.arange(3))
    colours = np.where(np.eye(3) > 0, 1.0, 0.9)
    alike = np.kron(colours, np.kron(0.95**places, 0.95**places))
    photos = 60 * rng.multivariate_normal(np.zeros(27), alike, 100_000, method="cholesky")
    (given,) = weights(0.1)
    wanted = np.median((photos @ given.weights.reshape(6, 27).T).std(0))
    assert response(network(), weights(0.1)) == pytest.approx(wanted, rel=0.1)


def test_small_weights_are_those_for_pixels() -> None:
    task = Task("classify", classes=2)

    def guess(size: float, hints: Hints = Hints()):  # noqa: B008 - a value
        return prepared(network(), task, hints, lambda: response(network(), weights(size)))

    assert guess(0.002).pixels == CAFFE and "first weights" in guess(0.002).because
    assert guess(0.2).pixels.mean == (123.675, 116.28, 103.53)
    said = Hints(metadata={"mean": "[0.5]", "std": "[0.5]"})
    assert guess(0.002, said).pixels == Pixels((127.5,), (127.5,)), "who knows better says so"


def test_nothing_is_said_of_other_layers() -> None:
    assert response(network(groups=3), weights(0.1, (6, 1, 3, 3))) == 0
    assert response(network(), iter(())) == 0
