"""The memory for reading and drawing, shared by threads."""

from __future__ import annotations

import threading

import pytest
from support.command import GUARD_S

from ftdist.errors import InputError
from ftdist.many.room import Closed, Room


def test_who_asks_for_more_than_is_left_waits_for_others() -> None:
    room, got = Room(100), threading.Event()

    def other() -> None:
        with room.lease() as lease:
            lease.ask(60)
            got.set()

    with room.lease() as lease:
        lease.ask(50)
        thread = threading.Thread(target=other)
        thread.start()
        assert not got.is_set()
    thread.join(GUARD_S)
    assert got.is_set()


def test_what_never_fits_is_refused_and_names_the_budget_that_would_do() -> None:
    room = Room(100 << 20, beside_bytes=50 << 20)
    with room.lease() as lease, pytest.raises(InputError, match="--mem 170M"):
        lease.ask(120 << 20)


def test_asking_again_gives_back_what_was_held() -> None:
    room = Room(100)
    with room.lease() as lease:
        lease.ask(80)
        lease.ask(90)
    with room.lease() as lease:
        lease.ask(100)


def test_a_closed_room_lets_go_who_waits() -> None:
    room, ended = Room(100), threading.Event()

    def other() -> None:
        with pytest.raises(Closed), room.lease() as lease:
            lease.ask(60)
        ended.set()

    with room.lease() as lease:
        lease.ask(50)
        thread = threading.Thread(target=other)
        thread.start()
        room.close()
        assert ended.wait(GUARD_S)
    thread.join()
