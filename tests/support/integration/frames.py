"""Inputs of a job, and what local mode makes of each: the bits that a cluster must give back."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

import ftdist
from ftdist.network.implementations import Arithmetic
from ftdist.network.modelfile import load
from ftdist.planning.plan import untiled
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics

_CONVOLUTIONAL = "[convolutional]\nfilters={}\nsize={}\nstride=1\npad=1\nactivation=leaky\n"
_POOL = "[maxpool]\nsize=2\nstride=2\n"


def first_layers(side: int, count: int = 8) -> str:
    """YOLOv2's first 8 or 16 layers as a .cfg text, for pictures of `side` x `side`."""
    first = (
        f"[net]\nwidth={side}\nheight={side}\nchannels=3\n"
        + _CONVOLUTIONAL.format(32, 3)
        + _POOL
        + _CONVOLUTIONAL.format(64, 3)
        + _POOL
        + _CONVOLUTIONAL.format(128, 3)
        + _CONVOLUTIONAL.format(64, 1)
        + _CONVOLUTIONAL.format(128, 3)
        + _POOL
    )
    filters = [(256, 3), (128, 1), (256, 3), None, (512, 3), (256, 1), (512, 3), (256, 1)]
    rest = [_CONVOLUTIONAL.format(*each) if each else _POOL for each in filters]
    return first + "".join(rest[: count - 8])


Outputs = dict[str, np.ndarray]


class Frames:
    """`count` different inputs for a model, as files in a folder.

    `picture`: uint8 (height, width, channels), otherwise float32 (channels, height, width).
    """

    def __init__(self, model: Path, folder: Path, count: int, *, picture: bool = False) -> None:
        self.paths: list[Path] = []
        self.model = load(model)
        height, width, channels = self.model.network.input
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            random = np.random.default_rng(number)
            path = folder / f"frame{number:03}.npy"
            if picture:
                np.save(path, random.integers(0, 256, (height, width, channels), np.uint8))
            else:
                np.save(path, random.random((channels, height, width), np.float32))
            self.paths.append(path)

    @cached_property
    def expected(self) -> dict[Arithmetic, list[Outputs]]:
        """The outputs of local mode, untiled, by name; by the arithmetics that a cluster may
        choose."""
        network = self.model.network
        found = {}
        for each in dict.fromkeys((arithmetics(network, DEFAULT)[0], ())):
            plan = replace(untiled(network), arithmetic=each)
            with ftdist.Session(self.model, plan) as session:
                found[each] = [session.run(np.load(path)) for path in self.paths]
        return found

    def wrong(self, output: Path, count: int | None = None) -> list[str]:
        """The frames whose results lack or differ in some bit, of the first `count`: from those of
        one arithmetic, which all of a job have."""
        return self._wrong_by(self.arithmetic(output, count), output, count)

    def arithmetic(self, output: Path, count: int | None = None) -> Arithmetic:
        """The arithmetic of most results of a job."""
        return min(self.expected, key=lambda each: len(self._wrong_by(each, output, count)))

    def _wrong_by(self, arithmetic: Arithmetic, output: Path, count: int | None) -> list[str]:
        results = self.expected[arithmetic][:count]
        return [
            path.name
            for path, expected in zip(self.paths[:count], results, strict=True)
            if not _holds(output / path.stem, expected)
        ]


def _holds(result: Path, expected: Outputs) -> bool:
    """Whether the file of a frame's result, .npy or .npz, has just these outputs."""
    one, several = result.with_suffix(".npy"), result.with_suffix(".npz")
    if len(expected) == 1:
        found = {name: np.load(one) for name in expected if one.exists()}
    else:
        found = dict(np.load(several)) if several.exists() else {}
    return found.keys() == expected.keys() and all(
        _same(found[name], array) for name, array in expected.items()
    )


def _same(found: np.ndarray, expected: np.ndarray) -> bool:
    shaped = (found.shape, found.dtype) == (expected.shape, expected.dtype)
    return shaped and found.tobytes() == expected.tobytes()
