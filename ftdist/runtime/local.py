"""Local mode: one network, one plan, threads of this process.

A session owns a lowered plan and the runner that runs it: its threads and one block of memory (all
arenas and all maps between groups).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.closing import Closing
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.kernels.program import Watch
from ftdist.network.about import About
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model
from ftdist.network.ports import Input, Layout
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.plan import Plan, check
from ftdist.runtime.bound import Kernels, LayerCounters
from ftdist.runtime.engine import tidy, watched_by
from ftdist.runtime.runner import Runner

Outputs = dict[str, NDArray[np.float32]]
Given = NDArray[Any] | str | os.PathLike[str] | Mapping[str, NDArray[Any]]
"""What a session takes: an array or the path of one, or arrays by the names of inputs."""


class Session(Closing):
    """Runs one model under one plan, any number of times.

    The plan's threads each compute one tile at a time. Close it, or use it as a context manager, to
    end them and give the memory back.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        kernels: Kernels = "native",
        *,
        beside: Session | None = None,
    ) -> None:
        """`beside`: a session of the same plan, whose weights and programs this one shares, to run
        another input at the same time in another thread; that one is closed last."""
        check(plan, model.network)
        self.model = model
        self.plan = plan
        runs_beside = None if beside is None else beside._runner
        self._runner: Runner = Runner(model, kernels, plan.threads, runs_beside)
        self._lowered: dict[bool, Lowered] = {} if beside is None else dict(beside._lowered)

    @property
    def counters(self) -> dict[int, LayerCounters]:
        """What the kernels counted for each layer, over all runs so far."""
        return self._runner.counters

    def watch(self, *watches: Watch) -> None:
        """Has every tile of later runs told to these, by the thread that computed it."""
        self._runner.watch(watched_by(watches))

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

    def prepare(self, *, picture: bool) -> None:
        """Takes the memory of a run now: weights, arenas, maps."""
        self._runner.prepare(self.lowered(picture=picture))

    def run(self, image: Given) -> Outputs:
        """The network's outputs by layer name, float32 (channels, height, width).

        `image` is float32 (channels, height, width), or uint8 (height, width, channels), seen as
        the model file says (else as value / 255); or the path of a picture, which is fitted to the
        network's input, or of a .npy file. With a leading axis of 1 on a float32 input the outputs
        have one too. What the network has other layouts for (NHWC, lists) has theirs. A network of
        several inputs takes all of them by name.
        """
        arrays, batched = _arrays(image, self.model)
        lowered = self.lowered(picture=arrays[INPUT].dtype == np.uint8)
        self._runner.prepare(lowered)
        maps = self._runner.run(lowered, arrays) | arrays
        return {
            name: layout.array(maps[source], shape, inner=not batched)
            for name, source, shape, layout in self.model.network.once(_outputs)
        }


def _outputs(network: Network) -> tuple[tuple[str, int, Shape, Layout], ...]:
    """Of each output its name, the source and the shape of its map, and how its array lies."""
    sources = [(number, network.source(number)) for number in network.outputs]
    return tuple(
        (network.layers[number].name, source, network.shape(source), network.layout(number))
        for number, source in sources
    )


def _arrays(given: Given, model: Model) -> tuple[dict[int, NDArray[Any]], bool]:
    """The input arrays by number, as kernels read them, and whether they have a batch axis."""
    network = model.network
    if not isinstance(given, np.ndarray) and isinstance(given, Mapping):
        named = dict(given)
    elif len(network.inputs) == 1:
        named = {network.inputs[0].name: as_array(given, network, model.about)}
    else:
        raise InputError(
            f"{network.name} has {len(network.inputs)} inputs; give arrays by name: "
            f"{', '.join(each.name for each in network.inputs)}"
        )
    batched = check_inputs(named, network)
    found = {}
    for at, each in enumerate(network.inputs):
        array = named[each.name]
        if array.dtype != np.uint8:
            array = array.reshape(each.layout.memory(each.shape))
        found[-1 - at] = tidy(array)
    return found, batched


def as_array(given: object, network: Network, about: About) -> NDArray[Any]:
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

        return load_picture(path, network.input, about.fit, fill=about.fill)[0]
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise InputError(f"{path}: no .npy file of numbers") from None
    return array


def check_inputs(given: Mapping[str, NDArray[Any]], network: Network) -> bool:
    """Whether the first input has a batch axis; InputError when a session would not take them."""
    wanted = {each.name for each in network.inputs}
    if given.keys() != wanted:
        raise InputError(
            f"{network.name} takes {', '.join(sorted(wanted))}, not {', '.join(sorted(given))}"
        )
    first, *_ = [_check(given[each.name], each, network) for each in network.inputs]
    return first


def check_input(image: NDArray[Any], network: Network) -> bool:
    """Whether the only input has a batch axis; InputError when a session would not take it."""
    return check_inputs({network.inputs[0].name: image}, network)


def _check(image: NDArray[Any], wanted: Input, network: Network) -> bool:
    height, width, channels = wanted.shape
    what = "the input" if len(network.inputs) == 1 else f"input {wanted.name}"
    if image.dtype not in (np.uint8, np.float32):
        raise InputError(f"{what} is {image.dtype}; {network.name} takes float32 or uint8")
    expected: tuple[int, ...]
    if image.dtype == np.uint8:
        if len(network.inputs) > 1:
            raise InputError(f"{what} is uint8; of several inputs each is float32")
        expected, layout = (height, width, channels), "uint8 (height, width, channels)"
    else:
        whole, expected = wanted.layout.of(wanted.shape), wanted.layout.inner(wanted.shape)
        layout = "float32" + _axes(wanted)
        if whole != expected and image.shape == whole:
            return True
    if image.shape != expected:
        takes = f"{network.name} takes {layout} {expected}"
        raise InputError(f"{what} has shape {image.shape}; {takes}")
    return False


def _axes(wanted: Input) -> str:
    if wanted.layout.dims:
        return ""
    return " (channels, height, width)" if wanted.layout.planar else " (height, width, channels)"
