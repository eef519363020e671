"""Small networks as .cfg texts, and their model files with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.modelfile import write_model
from ftdist.network.parameters import random_parameters

_CONVOLUTIONAL = "[convolutional]\nfilters={}\nsize={}\nstride={}\npad=1\nactivation={}\n"


def _net(side: int) -> str:
    return f"[net]\nwidth={side}\nheight={side}\nchannels=3\n"


CHAIN = (
    _net(64)
    + _CONVOLUTIONAL.format(18, 3, 1, "leaky")
    + "[maxpool]\nsize=2\nstride=2\n"
    + _CONVOLUTIONAL.format(24, 3, 1, "swish")
    + _CONVOLUTIONAL.format(7, 1, 1, "linear")
)
"""One output, 7x32x32."""

TWO_OUTPUTS = (
    _net(64)
    + _CONVOLUTIONAL.format(8, 3, 2, "leaky")
    + _CONVOLUTIONAL.format(6, 1, 1, "linear")
    + "[route]\nlayers=0\n"
    + _CONVOLUTIONAL.format(5, 3, 1, "relu")
    + "[route]\nlayers=1\n"
)
"""convolutional3, 5x32x32, and route4, 6x32x32."""

DETECTOR = (
    _net(64)
    + _CONVOLUTIONAL.format(16, 3, 2, "leaky")
    + "[maxpool]\nsize=2\nstride=2\n"
    + _CONVOLUTIONAL.format(14, 1, 1, "linear")
    + "[yolo]\nmask=0,1\nanchors=10,14, 23,27\nclasses=2\nnum=2\n"
)
"""yolo3, 14x16x16."""


def write_small_model(path: Path, text: str, seed: int = 1, labels: tuple[str, ...] = ()) -> Path:
    """The model file of a .cfg text with random weights, in `path`."""
    network = parse_cfg(text, path.stem).network
    write_model(path, network, random_parameters(network, seed), labels)
    return path


def random_image(side: int, seed: int = 0) -> np.ndarray:
    """A float32 (3, side, side) input in 0..1."""
    return np.random.default_rng(seed).random((3, side, side), dtype=np.float32)
