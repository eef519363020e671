"""Who brings frames: a camera or a stream that is opened again when it breaks, or a folder.

A file in a folder is taken when it looks the same twice in a row, and so is no longer being
written. What is in the folder at the start is ignored. Of several new files the newest is taken.
"""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from ftdist.cluster.backoff import Backoff
from ftdist.errors import InputError
from ftdist.many.listing import PICTURES, Source, as_source
from ftdist.many.videos import frames
from ftdist.pictures.reading import PictureBytes
from ftdist.watch.newest import Newest

LOOK_S = 0.5
"""How often a folder is looked at."""

_SILENCE_S = 15.0
"""A stream that sends nothing for so long is opened again."""

Told = Callable[[str], None]
Open = Callable[[str, float | None], Generator[PictureBytes, None, None]]


def is_stream(word: str) -> bool:
    """Whether a source is an address or a device, and not a folder."""
    return "://" in word or word.startswith("/dev/")


def start(newest: Newest, bring: Callable[[], None]) -> threading.Thread:
    """A thread that brings frames; what fails there is raised by who takes them."""

    def work() -> None:
        try:
            bring()
            newest.end()
        except BaseException as error:
            newest.end(error)

    thread = threading.Thread(target=work, name="ftdist-frames", daemon=True)
    thread.start()
    return thread


def bring_stream(
    name: str, newest: Newest, stopping: threading.Event, told: Told, opened: Open = frames
) -> None:
    """Brings the frames of a camera or an address; one that breaks is opened again, after pauses
    that grow. An ordinary file ends."""
    pauses, is_file = Backoff(random.random), os.path.isfile(name)
    while not stopping.is_set():
        try:
            with closing(opened(name, None if is_file else _SILENCE_S)) as found:
                for picture in found:
                    pauses.reset()
                    newest.put(_as_source(picture))
                    if stopping.is_set():
                        return
            reason = f"{name}: it ended"
        except InputError as error:
            if "pip install" in str(error) or is_file:
                raise
            reason = str(error)
        if is_file:
            return
        pause_s = pauses.next_s()
        told(f"{reason}; trying again in {pause_s:.1f} s")
        stopping.wait(pause_s)


def _as_source(picture: PictureBytes) -> Source:
    return Source(picture.name, Path(picture.name), is_array=False, picture=picture)


class Folder:
    """What is new in a folder, each time that it is looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, tuple[int, int]] = self._there()
        self._growing: dict[str, tuple[int, int]] = {}

    def look(self) -> list[str]:
        """The names of new pictures that are no longer being written, the oldest first."""
        there = self._there()
        new = {name: about for name, about in there.items() if self._seen.get(name) != about}
        done = {name: about for name, about in new.items() if self._growing.get(name) == about}
        self._growing = {name: about for name, about in new.items() if name not in done}
        self._seen = {name: about for name, about in self._seen.items() if name in there} | done
        return sorted(done, key=lambda name: (done[name][0], name))

    def _there(self) -> dict[str, tuple[int, int]]:
        """Pictures there, each with its time and size."""
        found = {}
        try:
            with os.scandir(self._path) as entries:
                for each in entries:
                    if each.name.startswith(".") or not each.name.lower().endswith(PICTURES):
                        continue
                    try:
                        status = each.stat()
                    except OSError:  # gone again
                        continue
                    if stat.S_ISREG(status.st_mode):
                        found[each.path] = status.st_mtime_ns, status.st_size
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read: {error.strerror}") from None
        return found


def bring_folder(
    folder: Folder, newest: Newest, stopping: threading.Event, look_s: float = LOOK_S
) -> None:
    """Brings pictures that have fallen into a folder since it was looked at first."""
    while not stopping.wait(look_s):
        names = folder.look()
        if names:
            newest.drop(len(names) - 1)
            newest.put(as_source(names[-1]))
