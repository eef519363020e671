"""Notices between the parts of the machine: in their order, each once, the review last."""

from __future__ import annotations

from typing import Any

from ftdist.coordinator.notices import Finished, Outgrown, Parked, Review
from ftdist.coordinator.outbox import Outbox


def test_they_come_in_their_order_and_the_review_last() -> None:
    out, frame, other = Outbox(), *(object(), object())
    given: list[Any] = [Parked(frame), Finished(other), Outgrown(), Finished(frame)]  # type: ignore[arg-type]
    out.review()
    for each in given:
        out.note(each)
    assert [out.next_notice() for _ in range(6)] == [*given, Review(), None]


def test_one_that_waits_already_is_the_same_one() -> None:
    out = Outbox()
    for _ in range(3):
        out.review()
        out.note(Outgrown())
    assert [out.next_notice() for _ in range(3)] == [Outgrown(), Review(), None]
    assert not out.has_notices
