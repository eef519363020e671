"""How many pictures at once: a function of predicted times and memory."""

from __future__ import annotations

from ftdist.planning.lowering.predictor import Footprint
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

PARTS = Footprint(1000, 0, 500, arenas=40, boundary_maps=60, programs=7, input=5, output=5, slack=1)


def test_threads_are_shared_out_evenly_most_lanes_first() -> None:
    assert splits(1) == (Split(1, 1),)
    assert splits(6) == (Split(6, 1), Split(3, 2), Split(2, 3), Split(1, 6))


def test_many_lanes_win_unless_their_plan_is_too_slow() -> None:
    frames, tiles = Option(Split(2, 1), 0.010), Option(Split(1, 2), 0.0056)
    assert fastest([tiles, frames]) is frames
    starved = Option(Split(2, 1), 0.013)
    assert fastest([starved, tiles]) is tiles


def test_lanes_that_work_at_the_same_time_are_slower_by_the_profile() -> None:
    assert Option(Split(2, 1), 0.01, slower=1.25).pictures_per_s == 160
    assert Option(Split(1, 2), 0.01, slower=1.25).pictures_per_s == 100


def test_of_equals_the_first_is_taken() -> None:
    first, second = Option(Split(2, 1), 0.01), Option(Split(1, 2), 0.005)
    assert fastest([first, second]) is first


def test_lanes_share_weights_and_nothing_else() -> None:
    assert lanes_bytes(Split(1, 4), PARTS) == 0
    assert lanes_bytes(Split(4, 1), PARTS) == 3 * (40 + 60 + 7)


def test_each_picture_in_hand_is_counted_once() -> None:
    split = Split(2, 1)
    hand = InHand(pictures_in_hand(split, 1), 1000, 1)
    assert hand.pictures == 5
    more = InHand(6, 1000, 1)
    assert beside_bytes(split, more) - beside_bytes(split, hand) == 1000


def test_one_thread_a_lane_with_the_fastest_plan_there_is_needs_no_comparison() -> None:
    assert is_settled(Option(Split(2, 1), 1.0), unbound=True)
    assert not is_settled(Option(Split(2, 1), 1.0), unbound=False)
    assert not is_settled(Option(Split(1, 2), 1.0), unbound=True)
