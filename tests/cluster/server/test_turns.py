"""Peers that share a link get their messages in turn; no sockets, and the link's clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.cluster.sharedlink import SharedLink

RATE = 5e6
INPUT = 1 << 20
ONE_S = INPUT / RATE
PIECE = 256 << 10


def test_inputs_arrive_one_after_another_in_the_order_of_their_sending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = SharedLink(monkeypatch, "abcd", RATE)
    link.share("abcd")
    order = ["c", "a", "d", "b", "c"]
    for number, name in enumerate(order):
        link.post(name, number, INPUT)
    link.run()
    times = [link.at(name, number) for number, name in enumerate(order)]
    assert times == pytest.approx([ONE_S * (n + 1) for n in range(5)], rel=0.1)


def test_peers_that_share_nothing_get_theirs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    link = SharedLink(monkeypatch, "abc", RATE)
    for name in "abc":
        link.post(name, 0, INPUT)
    link.run()
    assert min(link.at(name, 0) for name in "abc") > 2 * ONE_S


def loading(monkeypatch: pytest.MonkeyPatch, count: int = 12) -> SharedLink:
    """Three peers that load weights: each has four requests on their way at any time."""
    link = SharedLink(monkeypatch, "abc", RATE)
    link.share("abc")
    asked = dict.fromkeys("abc", 0)

    def ask(name: str) -> None:
        if asked[name] < count:
            asked[name] += 1
            link.ask(name, asked[name] * PIECE, PIECE)

    for name in "abc":
        for _ in range(4):
            ask(name)

    def look(seen: dict[str, int]) -> None:
        for name in "abc":
            while seen[name] < len(link.pieces(name)):
                seen[name] += 1
                ask(name)
        if any(seen[name] < count for name in "abc"):
            link.after(0.005, lambda: look(seen))

    link.after(0.0, lambda: look(dict.fromkeys("abc", 0)))
    return link


def test_weights_go_to_one_peer_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    link = loading(monkeypatch)
    link.run()
    times = {name: link.pieces(name) for name in "abc"}
    share_s = 12 * PIECE / RATE
    assert [times[name][-1] for name in "abc"] == pytest.approx(
        [share_s, 2 * share_s, 3 * share_s], rel=0.1
    )
    for before, after in pairwise("abc"):
        early = [at_s for at_s in times[after] if at_s < times[before][-1]]
        assert len(early) <= 2


def test_an_input_passes_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own peer's, and those of others."""
    link = loading(monkeypatch)
    link.after(0.3, lambda: link.post("a", 1, INPUT))
    link.after(1.0, lambda: link.post("c", 2, INPUT))
    link.run()
    for name, number, sent_s in (("a", 1, 0.3), ("c", 2, 1.0)):
        assert link.at(name, number) - sent_s < ONE_S + 0.2
    assert link.now_s < 1.1 * (36 * PIECE + 2 * INPUT) / RATE


def test_who_reads_nothing_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    link = SharedLink(monkeypatch, "abc", RATE)
    link.share("abc")
    link.frozen = "a"
    link.post("a", 0, 4 * INPUT)
    for number in range(3):
        for name in "bc":
            link.post(name, number, INPUT)
    link.run()
    assert max(link.at(name, 2) for name in "bc") < 1.5 * 8 * ONE_S


def test_the_link_is_busy_though_words_of_what_was_taken_are_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They wait behind the peers' results."""
    link = SharedLink(monkeypatch, "abcd", RATE)
    link.share("abcd")
    for number in range(6):
        for name in "abcd":
            link.post(name, number, INPUT)
    link.run(6 * ONE_S)
    link.back_s = 0.6
    link.run()
    assert max(link.at(name, 5) for name in "abcd") < 1.4 * 24 * ONE_S


def test_not_much_is_under_way_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent next, perhaps to another peer, does not wait behind it for long."""
    link = SharedLink(monkeypatch, "ab", RATE)
    link.share("ab")
    link.run()
    link.post("a", 0, 8 * INPUT)
    most = 0.0
    for step in range(1, 100):
        link.run(step * 0.01)
        most = max(most, link.handed_bytes - step * 0.01 * RATE)
    assert most < 0.2 * RATE


def test_a_piece_that_is_asked_for_again_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits its turn for long asks again."""
    link = SharedLink(monkeypatch, "ab", RATE)
    link.share("ab")
    link.post("a", 0, 4 * INPUT)
    for _ in range(40):
        link.ask("b", 0, PIECE)
    link.run()
    assert len(link.pieces("b")) == 1
    assert link.pieces("b")[0] > link.at("a", 0)
