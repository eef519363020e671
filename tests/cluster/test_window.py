"""How many bytes a window lets out, where words of what was taken are late or never come."""

from __future__ import annotations

import math

import pytest

from ftdist.cluster.window import MOST_BYTES, Window

RATE = 5e6
"""Bytes a second."""


def test_a_window_follows_the_rate() -> None:
    window = Window()
    now_s, total = 0.0, 0
    for rate in (1e6, 2.5e5, 2e4, 5e6):
        for _ in range(100):
            count = window.portion_bytes
            sent = []
            while window.lets(count, now_s):
                window.send(count, now_s)
                sent.append(count)
            for each in sent:
                now_s += each / rate
                total += each
                assert window.take(total, now_s + 1e3, now_s)
        good_s = window.size_bytes / rate
        assert 0.1 < good_s < 0.65 or window.size_bytes in (16 << 10, MOST_BYTES)


def sent_without_words(window: Window, seconds: float) -> int:
    """The bytes that a window lets out while nothing is heard, looked at when it may open."""
    now_s, total = 0.0, 0
    while now_s < seconds:
        count = window.portion_bytes
        if window.lets(count, now_s):
            window.send(count, now_s)
            total += count
        else:
            now_s = window.opens_s(count, now_s)
    return total


@pytest.mark.parametrize("known", [False, True])
def test_a_link_that_is_known_is_reckoned_with_before_the_first_word(*, known: bool) -> None:
    """Words wait behind what others who share the link send back."""
    window = Window()
    if known:
        window.expect(RATE)
    first = window.size_bytes
    total = sent_without_words(window, 0.3)
    if known:
        assert 0.8 * 0.3 * RATE < total - first < 1.2 * 0.3 * RATE
        assert total <= MOST_BYTES
    else:
        assert total <= first


def test_a_link_that_was_known_is_not_believed_for_ever() -> None:
    window = Window()
    window.expect(RATE)
    assert sent_without_words(window, math.inf) <= MOST_BYTES


@pytest.mark.parametrize("rate", [2.5e5, 1e6])
def test_a_link_that_has_become_slower_than_it_was_is_followed(rate: float) -> None:
    """What is under way takes about as long as it should, after a few seconds."""
    window = Window()
    window.expect(RATE)
    now_s, taken, total = 0.0, 0, 0
    while now_s < 30.0:
        count = window.portion_bytes
        while window.lets(count, now_s):
            window.send(count, now_s)
            total += count
        step = min(total - taken, count)
        taken += step
        now_s += step / rate
        assert window.take(taken, now_s + 1e3, now_s)
    assert (total - taken) / rate < 1.0
