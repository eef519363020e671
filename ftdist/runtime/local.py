"""Local mode: one network, one plan, threads of this process.

A session owns a lowered plan and the runner that runs it: its threads and one block of memory (all
arenas and all maps between groups).
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.network.about import Fit
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.plan import Plan, check
from ftdist.runtime.engine import Kernels, LayerCounters, Watch, tidy
from ftdist.runtime.runner import Runner

Outputs = dict[str, NDArray[np.float32]]


class Session:
    """Runs one model under one plan, any number of times.

    The plan's threads each compute one tile at a time. Close it, or use it as a context manager, to
    end them and give the memory back.
    """

    def __init__(self, model: Model, plan: Plan, kernels: Kernels = "native") -> None:
        check(plan, model.network)
        self.model = model
        self.plan = plan
        self._runner = Runner(model, kernels, plan.threads)
        self._lowered: dict[bool, Lowered] = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def counters(self) -> dict[int, LayerCounters]:
        """What the kernels counted for each layer, over all runs so far."""
        return self._runner.counters

    def watch(self, watch: Watch | None) -> None:
        """Has every tile of later runs told to `watch`, by the thread that computed it."""
        self._runner.watch(watch)

    def close(self) -> None:
        """Ends the threads and gives the session's memory back; a later run takes both again."""
        self._runner.close()
        self._lowered.clear()

    def rest(self) -> None:
        """Gives the memory back, weights too, but keeps threads and programs for the next run."""
        self._runner.rest()

    def adopt(self, lowered: Lowered, *, picture: bool) -> None:
        """Takes over the plan as somebody already lowered it."""
        self._lowered = {picture: lowered}

    def lowered(self, *, picture: bool) -> Lowered:
        """The plan, lowered for a uint8 picture or for a float32 array; lowered once."""
        if picture not in self._lowered:
            self._lowered.clear()
            self._lowered[picture] = lower(
                self.model.network, self.plan, self.model.offsets, picture=picture
            )
        return self._lowered[picture]

    def run(self, image: NDArray[Any] | str | os.PathLike[str]) -> Outputs:
        """The network's outputs by layer name, float32 (channels, height, width).

        `image` is float32 (channels, height, width), or uint8 (height, width, channels), which
        means value / 255; or the path of a picture, which is fitted to the network's input, or of a
        .npy file. With a leading axis of 1 on a float32 input the outputs have one too.
        """
        network = self.model.network
        image = as_array(image, network, self.model.about.fit)
        batched = check_input(image, network)
        image = tidy(image[0] if batched else image)
        lowered = self.lowered(picture=image.dtype == np.uint8)
        self._runner.prepare(lowered)
        maps = self._runner.run(lowered, {INPUT: image}) | {INPUT: image}
        return {
            network.layers[number].name: maps[network.source(number)][None]
            if batched
            else maps[network.source(number)]
            for number in network.outputs
        }


def as_array(given: object, network: Network, fit: Fit) -> NDArray[Any]:
    """An array as it is, or what a path leads to; InputError for whatever is neither."""
    if isinstance(given, np.ndarray | np.generic):
        return np.asarray(given)
    if not isinstance(given, str | os.PathLike):
        raise InputError(
            f"the input is a {type(given).__name__}; a session takes a NumPy array, or the path of "
            "a picture or of a .npy file"
        )
    path = Path(given)
    if path.suffix.lower() != ".npy":
        from ftdist.pictures.fitted import load_picture

        return load_picture(path, network.input, fit)[0]
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise InputError(f"{path}: no .npy file of numbers") from None
    return array


def check_input(image: NDArray[Any], network: Network) -> bool:
    """Whether the input has a batch axis; InputError when a session would not take it."""
    height, width, channels = network.input
    if image.dtype not in (np.uint8, np.float32):
        raise InputError(f"the input is {image.dtype}; {network.name} takes float32 or uint8")
    if image.dtype == np.uint8:
        expected, layout = (height, width, channels), "uint8 (height, width, channels)"
    else:
        expected, layout = (channels, height, width), "float32 (channels, height, width)"
        if image.shape == (1, *expected):
            return True
    if image.shape != expected:
        raise InputError(
            f"the input has shape {image.shape}; {network.name} takes {layout} {expected}"
        )
    return False
