"""A batch on this machine: looked at, planned, and passed through its stages.

Of the inputs some, evenly spread, are looked at by their headers: what the largest of them takes to
be read and drawn is what the plan leaves room for. All that the plan leaves beyond that is room
too, so a larger picture mostly fits; one that does not is left out and named.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

from ftdist.answers.kinds import answering_bytes
from ftdist.errors import InputError
from ftdist.many.drawn import Computed
from ftdist.many.films import encoding_bytes
from ftdist.many.inputs import Input, read_input
from ftdist.many.lanes import HELPERS, Decide, Lanes, OpenLanes, Pictures, choose
from ftdist.many.listing import Listing, Source
from ftdist.many.pictures import (
    Asked,
    Onlooker,
    PictureStages,
    Target,
    drawing_bytes,
    reading_bytes,
)
from ftdist.many.room import Room
from ftdist.many.stages import Crowd, Finished, in_order
from ftdist.many.videos import expanded, frames_bytes, shape_and_rate
from ftdist.planning.plan import Plan
from ftdist.runtime.bound import Kernels
from ftdist.runtime.budget.heap import REUSING_BYTES, SPARING_BYTES, settle_heap, trim_heap

_SAMPLE = 48
_MOST_VIDEOS = 48
"""Of more videos not all are looked at, for each takes some 20 ms; those with larger frames than
these are left out."""

_LEAST_ROOM_BYTES = 2 << 20
_SWITCH_S = 0.0005
"""How long a thread may keep the interpreter from a lane whose kernel has ended."""

Record = Finished[Source, bytes]


@dataclass(frozen=True)
class Batch:
    """A batch that is ready to begin: what is asked, and the lanes that compute it."""

    asked: Asked
    target: Target
    lanes: Lanes
    plain: bool
    frame_pixels: int = 0
    """Those of a video's frame at most."""
    kernels: Kernels = "native"
    onlooker: Onlooker | None = None


@dataclass
class LaneTime:
    """Seconds that lanes have computed so far, together, and how many pictures."""

    seconds: float = 0.0
    pictures: int = 0


def look(
    listing: Listing, asked: Asked, target: Target, most_bytes: int, *, filmed: bool = False
) -> Pictures:
    """What the inputs take, as far as some of them show; the first that can be read is read.

    `filmed`: a video is made of what they become. All that reads pictures comes in, so that it is
    counted with what the process holds.
    """
    least, first = max(_LEAST_ROOM_BYTES, answering_bytes(asked.network, asked.task)), None
    all_taken = [least]
    for source in _readable(listing):
        try:
            taken = reading_bytes(source, asked.network, asked.about)
            if taken > most_bytes:
                continue
            if first is None:
                first = read_input(
                    *(source.path, asked.network),
                    fit=asked.about.fit,
                    fill=asked.about.fill,
                    is_array=source.is_array,
                )
            written = target(source)
            if written is not None and written.suffix not in (".npy", ".npz"):
                taken = max(taken, drawing_bytes(source, asked, written, most_bytes // 2))
            all_taken.append(max(least, taken))
        except InputError:
            continue
    _bring_in(asked)
    pixels = max((shape_and_rate(each.name)[0] for each in _videos(listing)), default=0)
    beside = frames_bytes(pixels)
    if filmed:
        beside += encoding_bytes(_filmed_pixels(pixels, asked))
    plain = first is None or first.is_picture
    found = Pictures.of(asked.network, all_taken, plain=plain, beside_bytes=beside)
    return replace(found, each_bytes=found.each_bytes + 3 * pixels, frame_pixels=pixels)


def _videos(listing: Listing) -> Iterator[Source]:
    """The videos, each of which may have larger frames; of very many some, evenly spread."""
    count = sum(source.is_video for source in listing)
    step = -(-count // _MOST_VIDEOS) or 1
    return islice((source for source in listing if source.is_video), 0, None, step)


def _filmed_pixels(pixels: int, asked: Asked) -> int:
    """Pixels of a frame as it is drawn, or of what is made of it, at most."""
    shapes = (asked.network.shape(number) for number in asked.network.outputs)
    made = (each.height * each.width for each in shapes if asked.task.kind == "image")
    return max(pixels, *made, 0)


def _readable(listing: Listing) -> Iterable[Source]:
    return (each for each in listing.sample(_SAMPLE) if not each.is_video)


def _bring_in(asked: Asked) -> None:
    """Imports what finishing takes, so that it is there when the process is measured."""
    if asked.is_told:
        import ftdist.answers.export
        import ftdist.answers.seen  # noqa: F401 - only to be there


def planned(
    decide: Decide,
    threads: int,
    asked: Asked,
    target: Target,
    pictures: Pictures,
    named: Plan | None = None,
    kernels: Kernels = "native",
) -> Batch:
    """The batch with its lanes; BudgetError when nothing fits."""
    lanes = choose(decide, threads, pictures, named)
    return Batch(asked, target, lanes, pictures.plain, pictures.frame_pixels, kernels)


def run(
    batch: Batch, inputs: Iterable[Source], lane_time: LaneTime | None = None
) -> Generator[Record, None, None]:
    """Passes the inputs through; a record of each, or why there is none, in their order.

    InputErrors are results; whatever else fails is raised, when all threads have ended.
    """
    with OpenLanes(batch.lanes, batch.kernels, plain=batch.plain) as opened:
        yield from run_in(opened, batch, inputs, lane_time)


def run_in(
    opened: OpenLanes, batch: Batch, inputs: Iterable[Source], lane_time: LaneTime | None = None
) -> Generator[Record, None, None]:
    """The same in lanes that are open, and stay so."""
    lanes = batch.lanes
    room = Room(lanes.room_bytes, lanes.peak_bytes - lanes.room_bytes - lanes.heap_bytes)
    crowd = Crowd(lanes.split.lanes, HELPERS, lanes.hand.pictures)
    with _promptly(), _reusing(keeps=lanes.heap_bytes > 0):
        stages = _Timed(batch, opened, room, lane_time or LaneTime())
        yield from in_order(expanded(inputs, batch.frame_pixels), stages, crowd)


class _Timed(PictureStages):
    """The stages, with computing timed."""

    def __init__(self, batch: Batch, opened: OpenLanes, room: Room, lane_time: LaneTime) -> None:
        super().__init__(
            *(batch.asked, opened.sessions, room, batch.target),
            plain=batch.plain,
            onlooker=batch.onlooker,
        )
        self._lane_time = lane_time
        self._lock = threading.Lock()

    def compute(self, lane: int, item: Source, read: Input) -> Computed:
        started_s = time.perf_counter()
        computed = super().compute(lane, item, read)
        seconds = time.perf_counter() - started_s
        with self._lock:
            self._lane_time.seconds += seconds
            self._lane_time.pictures += 1
        return computed


def after(inputs: Iterable[Source], done: int) -> Iterator[Source]:
    """The inputs without the first so many, which are done."""
    return islice(iter(inputs), done, None)


@contextmanager
def _promptly() -> Iterator[None]:
    """A context in which threads hand the interpreter on sooner: a lane's kernels are short."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SWITCH_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _reusing(*, keeps: bool) -> Iterator[None]:
    """A context in which the heap keeps what a picture leaves for the next one, if it may."""
    if not keeps:
        yield
        return
    settle_heap(REUSING_BYTES)
    try:
        yield
    finally:
        settle_heap(SPARING_BYTES)
        trim_heap()
