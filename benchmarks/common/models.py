"""The networks that benchmarks run, as model files and inputs in a folder of their own.

Built-in architectures get random weights (always the same), Darknet files their own; the input is
random in 0..1. Files are written to the disk before anything is timed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ftdist.network import architectures
from ftdist.network.darknet.importer import read_cfg
from ftdist.network.darknet.weights import read_weights
from ftdist.network.graph import Network
from ftdist.network.modelfile import write_model
from ftdist.network.parameters import Parameters, random_parameters

DETECTOR = Path(__file__).resolve().parents[2] / "ftdist" / "demo" / "detector.cfg"
_SEED = 1


@dataclass(frozen=True)
class Prepared:
    """A network with its model file and an input (.npy float32, (channels, height, width))."""

    name: str
    network: Network
    model: Path
    image: Path

    def parameters(self) -> Iterator[Parameters]:
        """The weights of a built-in architecture, once more."""
        return random_parameters(self.network, _SEED)


def builtin(name: str, folder: Path) -> Prepared:
    """A built-in architecture with random weights."""
    network = architectures.load(name).network
    return _prepare(name, network, random_parameters(network, _SEED), folder)


def darknet(cfg: Path, weights: Path, folder: Path) -> Prepared:
    """A Darknet network with its own weights."""
    source = read_cfg(cfg)
    return _prepare(cfg.stem, source.network, read_weights(source, weights), folder)


def on_disk(path: Path) -> Path:
    """Waits until a file is written, so that its pages in memory can be dropped."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path


def drop_from_memory(path: Path) -> None:
    """Makes the system forget a file's pages: who reads it next is charged for them."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _prepare(
    name: str, network: Network, parameters: Iterator[Parameters], folder: Path
) -> Prepared:
    model, image = folder / f"{name}.ftd", folder / f"{name}.npy"
    write_model(model, network, parameters)
    shape = network.input
    generator = np.random.default_rng(_SEED)
    np.save(image, generator.random((shape.channels, shape.height, shape.width), np.float32))
    return Prepared(name, network, on_disk(model), on_disk(image))
