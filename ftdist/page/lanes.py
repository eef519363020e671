"""What each lane of a run is doing now, in a coordinator's form: its input, its tiles.

A lane is a session; a run of one picture at a time has one, a batch several side by side.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ftdist.coordinator.observing.snapshot import DONE, GIVEN, FrameNow, TaskNow, TileNow
from ftdist.geometry import Region, partition
from ftdist.network.graph import Network
from ftdist.planning.plan import GroupPlan


@dataclass
class Lane:
    """One lane of `network`, whose programs are of these `groups`, in order.

    While it computes, `begun_s` is when it began `frame`; a tile that is done is in `done`, until
    the next group begins.
    """

    network: Network
    groups: Sequence[GroupPlan]
    job: str
    worker: int
    frame: int = 0
    begun_s: float | None = None
    group: int = 0
    done: frozenset[int] = field(default_factory=frozenset)

    def begin(self, frame: int) -> None:
        """It computes a frame."""
        self.frame, self.begun_s = frame, time.monotonic()
        self.group, self.done = 0, frozenset()

    def end(self) -> None:
        """It waits for the next one."""
        self.begun_s = None

    def tile(self, group: int, tile: int) -> None:
        """A tile of a group is done."""
        before = self.done if group == self.group else frozenset[int]()
        self.group, self.done = group, before | {tile}

    def task_now(self) -> TaskNow:
        """The group that it computes, as a task of its worker."""
        group = self.groups[self.group]
        tiles = group.tiles
        tile = min(len(self.done), tiles - 1)
        return TaskNow(self.job, self.frame, group.first, group.stop, tile, tiles, 0.0)

    def frame_now(self, now_s: float) -> FrameNow:
        """The frame that it computes, with the tiles of its group."""
        group = self.groups[self.group]
        shape = self.network.shape(group.stop - 1)
        regions = [
            Region(*rows, *columns)
            for rows in partition(shape.height, min(group.rows, shape.height))
            for columns in partition(shape.width, min(group.columns, shape.width))
            for _ in range(group.slices)
        ]
        return FrameNow(
            job=self.job,
            frame=self.frame,
            stage=self.group,
            stages=len(self.groups),
            first=group.first,
            stop=group.stop,
            height=shape.height,
            width=shape.width,
            since_s=now_s - (now_s if self.begun_s is None else self.begun_s),
            tiles=tuple(
                TileNow(self.worker, DONE if number in self.done else GIVEN, region)
                for number, region in enumerate(regions)
            ),
        )
