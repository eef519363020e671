"""Frames from a camera that breaks, and from a folder into which files fall."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from ftdist.errors import InputError
from ftdist.many.listing import as_source
from ftdist.pictures.reading import PictureBytes
from ftdist.watch.bringing import Folder, bring_folder, bring_stream, start
from ftdist.watch.newest import Newest


class Stops(threading.Event):
    """Is set after so many waits, which take no time."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        if len(self.pauses) >= self._waits:
            self.set()
        return self.is_set()


class Camera:
    """Gives so many frames each time that it is opened, then breaks."""

    def __init__(self, *frames: int) -> None:
        self._frames = list(frames)
        self.opened = 0

    def __call__(self, name: str, timeout_s: float | None) -> Generator[PictureBytes, None, None]:
        count = self._frames[self.opened % len(self._frames)]
        self.opened += 1
        for number in range(count):
            yield PictureBytes(f"{name}#{number}", b"P6")
        raise InputError(f"{name}: the cable is out")


def test_a_camera_that_breaks_is_opened_again_after_pauses_that_grow() -> None:
    camera, stopping, said = Camera(0), Stops(6), list[str]()
    bring_stream("rtsp://door", Newest(), stopping, said.append, camera)
    assert camera.opened == 6 and len(said) == 6
    assert all("the cable is out; trying again in" in each for each in said)
    assert stopping.pauses[0] <= 0.5 and stopping.pauses[-1] >= 4


def test_a_frame_makes_the_next_pause_short_again() -> None:
    stopping = Stops(9)
    bring_stream("rtsp://door", Newest(), stopping, lambda _: None, Camera(0, 0, 0, 0, 0, 3))
    assert max(stopping.pauses[:5]) > 2 and stopping.pauses[5] <= 0.5


def test_the_newest_frame_is_taken_and_the_others_are_counted() -> None:
    newest = Newest()
    bring_stream("/dev/video0", newest, Stops(1), lambda _: None, Camera(5))
    frame = newest.take()
    assert frame is not None and frame.name == "/dev/video0#4" and newest.dropped == 4
    newest.end()
    assert newest.take() is None


def test_what_fails_while_frames_are_brought_is_raised_by_who_takes_them() -> None:
    newest = Newest()

    def bring() -> None:
        raise InputError("no camera")

    start(newest, bring).join()
    with pytest.raises(InputError, match="no camera"):
        newest.take()


def test_an_ordinary_file_that_cannot_be_read_is_not_tried_again(tmp_path: Path) -> None:
    video = tmp_path / "v.mp4"
    video.touch()
    with pytest.raises(InputError, match="cable"):
        bring_stream(str(video), Newest(), Stops(3), lambda _: None, Camera(0))


def test_files_are_taken_when_they_are_written_no_more(tmp_path: Path) -> None:
    old = tmp_path / "old.jpg"
    old.write_bytes(b"old")
    folder = Folder(tmp_path)
    growing, done = tmp_path / "growing.jpg", tmp_path / "done.png"
    growing.write_bytes(b"a")
    done.write_bytes(b"d")
    (tmp_path / ".hidden.jpg").touch()
    (tmp_path / "notes.txt").touch()
    assert folder.look() == []
    growing.write_bytes(b"abc")
    assert folder.look() == [str(done)]
    assert folder.look() == [str(growing)]
    assert folder.look() == []
    old.write_bytes(b"newer")
    assert folder.look() == []
    assert folder.look() == [str(old)]


def test_of_several_files_the_newest_is_brought(tmp_path: Path) -> None:
    newest, names = Newest(), [tmp_path / f"{number}.jpg" for number in range(3)]

    class Falls(Stops):
        def wait(self, timeout: float | None = None) -> bool:
            if not self.pauses:
                for age, path in enumerate(names):
                    path.touch()
                    os.utime(path, (1000 - age, 1000 - age))
            return super().wait(timeout)

    bring_folder(Folder(tmp_path), newest, Falls(4))
    assert newest.take() == as_source(str(names[0]))
    assert newest.dropped == 2


def test_only_files_are_taken_out_of_a_folder(tmp_path: Path) -> None:
    """What else has a picture's name is no picture that was dropped."""
    folder = Folder(tmp_path)
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    assert folder.look() == []
    assert folder.look() == [str(tmp_path / "a.jpg"), str(tmp_path / "link.jpg")]
