"""How many pictures at once: each thread a picture of its own, or all threads one picture's tiles.

A lane is a session with a picture of its own. With N threads there may be N lanes of one thread
each (frame-parallel), one lane of N threads (tile-parallel), or something between. Many lanes
compute no halo twice and wait for nobody, but each has arenas and maps of its own; weights are
shared. So: the fastest by predicted time of those that fit, and of equals the one of more lanes.

With two threads and a network of 10 ms a picture by one thread, 5.6 ms by two (halos, waiting):
two lanes make 200 pictures a second, one lane 179. With blocks of 20 MiB the former hold 40.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ftdist.planning.lowering.predictor import SLACK_BYTES, THREAD_BYTES, Footprint


@dataclass(frozen=True, slots=True)
class Split:
    """Threads, shared out: `lanes`, and the threads of each."""

    lanes: int
    threads: int


@dataclass(frozen=True, slots=True)
class Option:
    """A split with its plan's predicted seconds for a picture; `slower` is how many times longer
    kernels take while all lanes work."""

    split: Split
    picture_s: float
    slower: float = 1.0

    @property
    def pictures_per_s(self) -> float:
        """The predicted rate of all lanes."""
        slower = self.slower if self.split.lanes > 1 else 1.0
        return self.split.lanes / (self.picture_s * slower) if self.picture_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class InHand:
    """Pictures between reading and writing, and what each takes: its input and its outputs."""

    pictures: int
    picture_bytes: int
    helpers: int


def splits(threads: int) -> tuple[Split, ...]:
    """Each way to share threads out evenly, most lanes first."""
    return tuple(
        Split(lanes, threads // lanes) for lanes in range(threads, 0, -1) if threads % lanes == 0
    )


def pictures_in_hand(split: Split, helpers: int) -> int:
    """How many pictures keep all busy: one in each lane, one with each helper, one that waits for
    each lane."""
    return 2 * split.lanes + helpers


def beside_bytes(split: Split, hand: InHand) -> int:
    """What a batch holds beside one lane's run, for every plan: pictures in hand but the one that
    is counted with the run, and threads."""
    pictures = max(0, hand.pictures - 1) * hand.picture_bytes
    return pictures + (split.lanes - 1) * SLACK_BYTES + (split.lanes + hand.helpers) * THREAD_BYTES


def lanes_bytes(split: Split, parts: Footprint) -> int:
    """What lanes beside the first hold of a plan: arenas, boundary maps, views of programs."""
    return (split.lanes - 1) * (parts.block_bytes + parts.programs)


def fastest(options: Iterable[Option]) -> Option:
    """The one with the highest rate; of equals the first."""
    return max(options, key=lambda each: each.pictures_per_s)


def is_settled(found: Option, *, unbound: bool) -> bool:
    """Whether no split of fewer lanes can be faster: this one's plan is the fastest that there is,
    and sharing a picture's tiles among threads never takes less of their time together."""
    return unbound and found.split.threads == 1
