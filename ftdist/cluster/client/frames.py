"""One frame's outputs, put together from the pieces in which they come.

The coordinator is not trusted either: a piece must lie in a map that the job has, hold what its
region says, and come once. Arrays are made for the maps that the network is known to have, never by
a number that came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import FtdistError
from ftdist.geometry import Region, Shape
from ftdist.network.graph import Network
from ftdist.protocol.client_messages import Accepted, OutputMap
from ftdist.protocol.records import Piece

Outputs = dict[str, NDArray[np.float32]]


class Dishonest(FtdistError):
    """The coordinator sent what it may not send."""


def output_maps(network: Network) -> tuple[OutputMap, ...]:
    """The outputs of a network as messages describe them."""
    return tuple(
        OutputMap(network.layers[number].name, network.source(number), *network.shape(number))
        for number in network.outputs
    )


def refuse_unlike(accepted: Accepted, network: Network) -> None:
    """Dishonest unless the job's input and outputs are those of the network."""
    if Shape(*accepted.input) != network.input or accepted.outputs != output_maps(network):
        raise Dishonest("the coordinator's job has other inputs or outputs than its model")


def result_bytes(outputs: Iterable[OutputMap]) -> int:
    """What all outputs of a frame take."""
    shapes = {each.source: Shape(each.height, each.width, each.channels) for each in outputs}
    return sum(shape.bytes for shape in shapes.values())


class Assembly:
    """The outputs of one frame while their pieces come in.

    `regions`: by source what a band makes of them; a frame makes all of each.
    """

    def __init__(
        self,
        frame: int,
        outputs: tuple[OutputMap, ...],
        regions: Mapping[int, Region] | None = None,
    ) -> None:
        self.frame = frame
        self._outputs = outputs
        self._is_band = regions is not None
        self._here: dict[int, NDArray[np.bool_]] = {}
        self._arrays: dict[int, NDArray[np.float32]] = {}
        self._corners: dict[int, tuple[int, int]] = {}
        for each in outputs:
            whole = Region(0, each.height, 0, each.width)
            region = whole if regions is None else regions[each.source]
            height, width = region.rows.size, region.columns.size
            self._corners[each.source] = region.top, region.left
            self._arrays[each.source] = np.empty((each.channels, height, width), np.float32)
            self._here[each.source] = np.zeros((height, width), np.bool_)

    def add(self, pieces: Iterable[Piece]) -> None:
        """Takes in some pieces; Dishonest when one does not belong here."""
        for piece in pieces:
            array, here = self._arrays.get(piece.source), self._here.get(piece.source)
            if array is None or here is None:
                raise Dishonest(f"a result of layer {piece.source}, which is not an output")
            top, bottom, left, right = piece.region
            channels, height, width = array.shape
            shape = (bottom - top, right - left, channels)
            first, side = self._corners[piece.source]
            top, bottom, left, right = top - first, bottom - first, left - side, right - side
            if top < 0 or left < 0 or bottom > height or right > width or piece.data.shape != shape:
                raise Dishonest(f"a result of layer {piece.source} that is not of its region")
            if piece.data.dtype != np.float32:
                raise Dishonest(f"a result of layer {piece.source} as {piece.data.dtype}")
            if here[top:bottom, left:right].any():
                raise Dishonest(f"a result of layer {piece.source} that came twice")
            here[top:bottom, left:right] = True
            array[:, top:bottom, left:right] = piece.data.transpose(2, 0, 1)

    def finish(self, network: Network) -> Outputs:
        """The outputs by name, float32, in the network's own layout; Dishonest unless whole.

        Those of a band as (channels, rows, columns), or (rows, columns, channels) where the network
        has its channels last.
        """
        for source, here in self._here.items():
            if not here.all():
                raise Dishonest(f"a result of layer {source} that is not whole")
        found = {}
        for each, number in zip(self._outputs, network.outputs, strict=True):
            array, layout = self._arrays[each.source], network.layout(number)
            own = array if layout.planar else np.ascontiguousarray(array.transpose(1, 2, 0))
            if not self._is_band:
                own = layout.array(own, network.shape(number), inner=True)
            found[each.name] = own
        return found
