"""A file appears whole or not at all, and nothing else is left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from ftdist.atomic import atomic_write, refuse_unwritable, remove_left_behind
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


KILLED = """
import contextlib, os, signal, sys
from ftdist.atomic import atomic_write

with contextlib.ExitStack() as stack:
    for path in sys.argv[1:]:
        stack.enter_context(atomic_write(path)).write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_over(*paths: Path) -> None:
    """A process that is killed while it writes them all at once."""
    done = subprocess.run([sys.executable, "-c", KILLED, *paths], check=False)
    assert done.returncode == -signal.SIGKILL


def test_the_next_write_of_a_file_removes_what_was_left_of_it(tmp_path: Path) -> None:
    final, other = tmp_path / "b.jpg", tmp_path / "c.jpg"
    killed_over(final, final, other)
    left = set(os.listdir(tmp_path))
    assert len(left) == 3, "two of one file, written at once"
    with atomic_write(final) as temporary:
        temporary.write_bytes(b"whole")
    (kept,) = set(os.listdir(tmp_path)) - {"b.jpg"}
    assert kept in left and final.read_bytes() == b"whole"
    refuse_unwritable(other)
    assert os.listdir(tmp_path) == ["b.jpg"]


def test_several_write_one_file_at_once_and_none_takes_anothers(tmp_path: Path) -> None:
    final = tmp_path / "b.jpg"
    with ExitStack() as stack:
        for number in range(6):
            stack.enter_context(atomic_write(final)).write_bytes(b"%d" % number)
        refuse_unwritable(final)
        assert len(os.listdir(tmp_path)) == 6
    assert os.listdir(tmp_path) == ["b.jpg"]
    assert final.read_bytes() == b"0", "the last that ended"


def test_a_write_that_fails_late_leaves_the_file_that_has_its_name_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal just after the file took its final name, when another process begins."""
    replace = os.replace
    final = tmp_path / "b.jpg"
    with ExitStack() as others:

        def interrupted(source: Path, target: Path) -> None:
            replace(source, target)
            others.enter_context(atomic_write(final)).write_bytes(b"another's")
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt), atomic_write(final) as temporary:
            temporary.write_bytes(b"first")
        assert final.read_bytes() == b"first"
        monkeypatch.setattr(os, "replace", replace)
    assert final.read_bytes() == b"another's"


def test_of_two_that_find_a_file_left_behind_the_slower_removes_no_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, flock = tmp_path / "b.jpg", fcntl.flock
    lock: list[int] = []
    killed_over(final)
    with ExitStack() as others:

        def late(handle: int, how: int) -> None:
            if not lock:  # another process is faster from here on
                lock.append(handle)
                others.enter_context(atomic_write(final)).write_bytes(b"another's")
            flock(handle, how)

        monkeypatch.setattr(fcntl, "flock", late)
        refuse_unwritable(final)
    assert final.read_bytes() == b"another's"
