"""Sessions side by side for a batch: how many, by which plan, beside what else the budget holds.

Everything that a batch does at the same time is in one account: the plan's weights once, arenas and
maps of each lane, the pictures in hand, the room for reading and drawing, all threads and the code
of all stages. A split of the threads is tried after the other, most lanes first
(``planning.throughput``); each asks for the fastest plan that fits beside the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ftdist.errors import BudgetError
from ftdist.network.graph import Network
from ftdist.planning.lowering.predictor import input_bytes, output_bytes
from ftdist.planning.plan import Plan
from ftdist.planning.throughput import (
    InHand,
    Option,
    Split,
    beside_bytes,
    fastest,
    is_settled,
    lanes_bytes,
    pictures_in_hand,
    splits,
)
from ftdist.runtime.bound import Kernels
from ftdist.runtime.budget.heap import REUSING_BYTES
from ftdist.runtime.local import Session
from ftdist.runtime.plans.choice import Choice, RunContext

HELPERS = 1
"""Threads that read ahead and finish; lanes help them where they cannot keep up."""

_STAGES_CODE_BYTES = 6 << 20
"""Code and small objects of reading, answering and writing that are in memory together while the
kernels run, and that the account before planning had given back."""

_AHEAD = 4
"""So many pictures more are in hand for each lane where there is room for them and they are soon
computed, so that a helper does several at a time: two lanes of 9 ms made 3% more of them."""

_SOON_S = 0.05
"""How long a picture takes at most that is soon computed. Chosen."""

_MOST_ROOM_BYTES = 1 << 30
_MOST_TRIES = 5

Decide = Callable[[int, RunContext], Choice]
"""The fastest plan for so many threads in such a context; BudgetError when none fits."""


@dataclass(frozen=True)
class Lanes:
    """What a batch runs with: the plan of a lane, how many, and what else it holds.

    `room_bytes` is for reading and drawing; `peak_bytes` what the whole process is predicted to
    hold at most, the room full. `heap_bytes` of it are for a heap that keeps what pictures leave,
    so that the next ones find it there: their pages come and go for a tenth of a small picture's
    time. 0 where the budget has none for that.
    """

    choice: Choice
    split: Split
    hand: InHand
    room_bytes: int
    peak_bytes: int
    heap_bytes: int = 0

    @property
    def pictures_per_s(self) -> float:
        return _option(self).pictures_per_s


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a batch's pictures take: each its input and outputs, and the largest of them, while it
    is read or drawn, `largest_bytes`; most of them no more than `usual_bytes`. `plain`: they enter
    as bytes, and not as numbers."""

    each_bytes: int
    largest_bytes: int
    usual_bytes: int
    plain: bool
    beside_bytes: int = 0
    """What else is there while they come: a video's decoder."""
    frame_pixels: int = 0
    """Pixels of a video's frame at most; 0 where there is none."""

    @classmethod
    def of(
        cls, network: Network, taken: Sequence[int], *, plain: bool, beside_bytes: int = 0
    ) -> Pictures:
        """The pictures that enter a network, when some of them take so many bytes."""
        each = input_bytes(network, picture=plain) + output_bytes(network)
        ascending = sorted(taken)
        usual = ascending[len(ascending) * 3 // 4]
        return cls(each, ascending[-1], usual, plain, beside_bytes)


def choose(decide: Decide, threads: int, pictures: Pictures, named: Plan | None = None) -> Lanes:
    """The lanes with the highest predicted rate within the budget.

    With a `named` plan its threads are those of a lane. Where nothing fits beside the largest
    picture it need not: it will be left out.
    """
    try:
        return _choose(decide, threads, pictures, named)
    except BudgetError:
        if pictures.usual_bytes == pictures.largest_bytes:
            raise
        usual = replace(pictures, largest_bytes=pictures.usual_bytes)
        return _choose(decide, threads, usual, named)


def _choose(decide: Decide, threads: int, pictures: Pictures, named: Plan | None) -> Lanes:
    found: list[Lanes] = []
    errors: list[BudgetError] = []
    for split in splits(threads):
        if named is not None and split.threads != named.threads:
            continue
        try:
            found.append(_fitting(decide, split, pictures))
        except BudgetError as error:
            errors.append(error)
            continue
        if is_settled(_option(found[-1]), unbound=found[-1].choice.unbound):
            break
    if not found:
        raise min(errors, key=lambda each: each.smallest_bytes)
    best = fastest(_option(each) for each in found)
    return next(each for each in found if _option(each) == best)


def choose_one(decide: Decide, threads: int, pictures: Pictures) -> Lanes:
    """One lane of all threads: the least time for one picture."""
    return _fitting(decide, Split(1, threads), pictures)


def _option(lanes: Lanes) -> Option:
    choice = lanes.choice
    return Option(lanes.split, choice.latency_s, choice.calibration.profile.parallel)


def _fitting(decide: Decide, split: Split, pictures: Pictures) -> Lanes:
    """The fastest plan with which so many lanes fit.

    What the lanes after the first hold is known only of a plan: as much is set aside as the last
    one that was found needs, until one needs no more than that.
    """
    room = pictures.largest_bytes * (split.lanes + HELPERS)
    aside = least = tries = 0
    while True:
        tries += 1
        try:
            lanes = _beside(decide, split, pictures, room, aside)
        except BudgetError:
            if room > pictures.largest_bytes:  # one at a time
                room = pictures.largest_bytes
            elif tries < _MOST_TRIES and aside > least:
                aside = (aside + least) // 2
            else:
                raise
            continue
        needed = lanes_bytes(split, lanes.choice.footprint)
        if needed <= aside:
            return lanes
        if tries >= _MOST_TRIES and aside:
            smallest = lanes.peak_bytes + needed - aside
            raise BudgetError(f"{split.lanes} pictures at once do not fit", smallest)
        least, aside = aside, needed


def _beside(decide: Decide, split: Split, pictures: Pictures, room: int, aside: int) -> Lanes:
    """The plan beside a room of so many bytes, and as many set aside for lanes after the first."""
    hand = InHand(pictures_in_hand(split, HELPERS), pictures.each_bytes, HELPERS)
    beside = room + aside + pictures.beside_bytes + _STAGES_CODE_BYTES
    beside += beside_bytes(split, hand)
    context = RunContext(picture=pictures.plain, reading_bytes=beside)
    choice = decide(split.threads, context)
    spare = aside - lanes_bytes(split, choice.footprint)
    peak = choice.peak_bytes - spare
    wider = max(0, min(choice.budget.bytes - peak, _MOST_ROOM_BYTES - room)) if spare >= 0 else 0
    many = replace(hand, pictures=hand.pictures + _AHEAD * split.lanes)
    heap = _heap_bytes(split, many, pictures)
    more = heap + (many.pictures - hand.pictures) * hand.picture_bytes
    if choice.latency_s <= _SOON_S and wider - more >= room:  # others may be twice as large
        return Lanes(choice, split, many, room + wider - more, peak + wider, heap)
    heap = _heap_bytes(split, hand, pictures)
    heap = heap if wider >= heap else 0
    return Lanes(choice, split, hand, room + wider - heap, peak + wider, heap)


def _heap_bytes(split: Split, hand: InHand, pictures: Pictures) -> int:
    """What a heap that reuses may hold beyond what is in use: its end, and between blocks as much
    again as pictures in hand and under way have in it."""
    under_way = min(pictures.largest_bytes, REUSING_BYTES) * (split.lanes + HELPERS)
    return REUSING_BYTES + hand.pictures * hand.picture_bytes + under_way


class OpenLanes:
    """The sessions of a batch: a context manager."""

    def __init__(self, lanes: Lanes, kernels: Kernels = "native", *, plain: bool = True) -> None:
        self._stack = ExitStack()
        first = lanes.choice.open(kernels)
        self.sessions = [self._stack.enter_context(first)]
        for _ in range(lanes.split.lanes - 1):
            twin = Session(first.model, first.plan, kernels, beside=first)
            self.sessions.append(self._stack.enter_context(twin))
        try:
            for session in self.sessions:
                session.prepare(picture=plain)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> OpenLanes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
