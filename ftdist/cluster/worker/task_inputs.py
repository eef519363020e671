"""What a task reads and returns, checked against what it brought, what is kept, and its network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ftdist.cluster.worker.map_store import MapStore
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered
from ftdist.protocol.pieces import whole_in
from ftdist.protocol.records import Piece, Place, TaskId
from ftdist.protocol.regions import common, gather
from ftdist.protocol.worker_messages import Assign

Reason = Literal["memory", "weights", "kept", "error"]


@dataclass(slots=True)
class Task:
    """A task that waits or runs, with the clock's time when its last input came."""

    assign: Assign
    model: Model
    maps: MapStore
    received_s: float

    @property
    def held_bytes(self) -> int:
        """Bytes of the inputs that came with it and are not used up."""
        return sum(piece.data.nbytes for piece in self.assign.pieces)


class Refused(Exception):
    """A task that cannot be done, and why."""

    def __init__(self, reason: Reason, text: str, needed_bytes: int = 0) -> None:
        super().__init__(text)
        self.reason: Reason = reason
        self.needed_bytes = needed_bytes


def gathered(task: Task, lowered: Lowered) -> dict[int, list[Piece]]:
    """For each map that a part reads pieces that make up what it reads; Refused without them."""
    assign, network = task.assign, task.model.network
    pieces = list(assign.pieces)
    for place in assign.kept:
        pieces += stored_pieces(task.maps, assign.task, place)
    found = {}
    for source, region in lowered.inputs.items():
        if region.size:
            own = [piece for piece in pieces if piece.source == source]
            for piece in own:
                _refuse_shapeless(network, piece, picture=lowered.picture)
            found[source] = _covering(Place(source, region), own)
    return found


def _covering(place: Place, pieces: list[Piece]) -> list[Piece]:
    """A place as one piece, if there is one that lies as it may be used, or in parts."""
    whole = whole_in(place, pieces)
    if whole is not None:
        return [Piece(place.source, place.region, whole)]
    parts: list[Piece] = []
    if gather(pieces, place, parts):
        raise Refused("error", f"rows or columns of map {place.source} are missing")
    return parts


def stored_pieces(maps: MapStore, task: TaskId, place: Place) -> list[Piece]:
    """Pieces that are just a place that is kept; Refused when it is not."""
    found: list[Piece] = []
    pieces = maps.find(task.job, task.frame, place.source)
    if place.region.size and gather(pieces, place, found):
        raise Refused("kept", f"map {place.source} of frame {task.frame} is not kept here")
    return found


def refuse_unmade(places: Sequence[Place], lowered: Lowered) -> None:
    """Refused when a task is to return what it does not make."""
    for place in places:
        made = lowered.outputs.get(place.source)
        if place.region.size and (made is None or common(place.region, made) != place.region):
            raise Refused("error", f"{tuple(place.region)} of map {place.source} is not made here")


def _refuse_shapeless(network: Network, piece: Piece, *, picture: bool) -> None:
    """Refused for a piece that does not lie in its map."""
    height, width, channels = network.shape(piece.source)
    dtype = np.dtype(np.uint8 if picture and piece.source == INPUT else np.float32)
    region, data = piece.region, piece.data
    if region.bottom > height or region.right > width:
        raise Refused("error", f"map {piece.source} has no {tuple(region)}")
    if data.shape != (region.rows.size, region.columns.size, channels) or data.dtype != dtype:
        raise Refused("error", f"map {piece.source} as {data.dtype} {data.shape}")
