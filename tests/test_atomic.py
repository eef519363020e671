"""A file appears whole or not at all, and nothing else is left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from ftdist.atomic import atomic_write, remove_left_behind
from ftdist.errors import InputError


def test_appears_whole_and_only_at_the_end(tmp_path: Path) -> None:
    final = tmp_path / "result.npy"
    with atomic_write(final) as temporary:
        temporary.write_bytes(b"half")
        assert not final.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npy"
    assert final.read_bytes() == b"half"
    assert os.listdir(tmp_path) == ["result.npy"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_new(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    final = tmp_path / "result.txt"
    final.write_text("old")

    def write() -> None:
        with atomic_write(final) as temporary:
            temporary.write_text("new")
            raise failure

    with pytest.raises(failure):
        write()
    assert final.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_write(tmp_path / "result") as temporary:
        temporary.touch()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "result")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("place", ["absent/result.txt", "file/result.txt"])
def test_a_missing_folder_is_said_before_any_work(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a folder"), atomic_write(tmp_path / place):
        pytest.fail("the block must not run")


def test_a_folder_that_refuses_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match="Permission denied"), atomic_write(tmp_path / "result"):
        pytest.fail("the block must not run")


def test_a_full_disk_is_an_input_error(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"result.*No space left"),
        atomic_write(tmp_path / "result"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert os.listdir(tmp_path) == []


def test_other_failures_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), atomic_write(tmp_path / "result"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")


def test_devices_and_folders_are_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(InputError, match="not a regular file"), atomic_write(place):
            pytest.fail("the block must not run")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "there" / "target.txt")
    with atomic_write(link) as temporary:
        temporary.write_text("through")
    assert link.is_symlink()
    assert (tmp_path / "there" / "target.txt").read_text() == "through"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    others = [".ftdist-1.jpg", "a.jpg", ".ftdist-0123456789abcdef.journal.part", ".ftdist"]
    for name in [*others, ".ftdist-0123456789abcdef.jpg", ".ftdist-fedcba9876543210"]:
        (tmp_path / name).touch()
    (tmp_path / ".ftdist-0000000000000000.png").symlink_to(tmp_path / "a.jpg")
    with atomic_write(tmp_path / "b.jpg") as temporary:
        temporary.write_bytes(b"b")
        remove_left_behind(tmp_path)
        assert temporary.exists()
    assert (tmp_path / "b.jpg").read_bytes() == b"b"
    wanted = {*others, "b.jpg", ".ftdist-0000000000000000.png"}
    assert set(os.listdir(tmp_path)) == wanted
    remove_left_behind(tmp_path / "none")


def test_a_file_that_is_taken_for_one_that_was_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock."""
    lock = fcntl.flock
    calls: list[int] = []

    def late(handle: int, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            remove_left_behind(tmp_path)
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with atomic_write(tmp_path / "b.jpg") as temporary:
        temporary.write_bytes(b"b")
    assert (tmp_path / "b.jpg").read_bytes() == b"b"
    assert calls == [fcntl.LOCK_SH, fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_SH]
