"""Files appear whole or not at all.

Whoever writes a result writes a temporary file in the folder of the final one, which then takes the
final name in one step: a reader, a full disk or a pulled plug never leaves half a file under that
name. The temporary file keeps the extension, because writers of pictures and arrays go by it. It is
locked while it is written: one that is not was left by a process that was killed. Its name follows
from the final one, so whoever writes that next finds what was left of it, and removes it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from _blake2 import blake2b
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from ftdist.errors import InputError

USERS_TO_MEND = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Failures while writing that are about the disk, not about us."""

_TEMPORARY = re.compile(r"\.ftdist-[0-9a-f]{16}(\.[^.]*)?")

_AT_ONCE = 4
"""How many are looked for: as many processes may write one file at once, and all be killed."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yields an empty temporary file to be written, which becomes `path` when the block ends well.

    When the block raises, also for a signal, `path` stays as it was and the temporary file is gone.
    A symbolic link is followed, as by open(). InputError when the folder is missing or not
    writable, when `path` is not a regular file (it may be a device), or when the disk is full.
    """
    final = _final(path)
    temporary, handle = _create(final, path)
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, final)
    except BaseException as error:
        with suppress(OSError):
            _unlink_if(handle, temporary)
        if isinstance(error, OSError) and error.errno in USERS_TO_MEND:
            raise InputError(f"cannot write {path}: {error.strerror}") from error
        raise
    finally:
        os.close(handle)


def write_json(path: str | Path, value: object) -> None:
    """`value` as indented JSON, a piece after the other: the text is never whole in memory."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="ascii") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def refuse_unwritable(path: str | Path) -> None:
    """Raises, before any work is done, the InputError that ``atomic_write`` would begin with."""
    temporary, handle = _create(_final(path), path)
    with suppress(OSError):
        _unlink_if(handle, temporary)
    os.close(handle)


def make_folder(folder: Path) -> None:
    """Makes the folder of results, where there is none yet, and removes what was left behind there;
    InputError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"cannot make {folder}: it is there and is not a folder") from None
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}") from None
    remove_left_behind(folder)


def remove_left_behind(folder: Path) -> None:
    """Removes the temporary files of processes that were killed; a folder that is not there has
    none."""
    with suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            if _TEMPORARY.fullmatch(each.name) and each.is_file(follow_symlinks=False):
                with suppress(OSError):
                    _remove_unlocked(each.path)


def _remove_unlocked(path: str | Path) -> None:
    """Removes the file; OSError where there is none, or where somebody writes it."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _unlink_if(handle, path)
    finally:
        os.close(handle)


def _unlink_if(handle: int, path: str | Path) -> None:
    """Removes the file that is open, and locked, unless `path` is by now the name of another."""
    if os.path.samestat(os.fstat(handle), os.lstat(path)):
        os.unlink(path)


def refuse_overwriting(written: Iterable[Path], read: Iterable[tuple[str, Path]]) -> None:
    """InputError when a file to be written is one that is read, or is to be written twice.

    Links of either kind are followed: what counts is the file itself.
    """
    inputs: dict[tuple[int, int], str] = {}
    for name, path in read:
        if identity := _identity(path):
            inputs[identity] = name
    taken: set[str] = set()
    for path in written:
        identity = _identity(path)
        if identity in inputs:
            name = inputs[identity]
            same = "it" if name == str(path) else f"it is {name}, which"
            raise InputError(f"cannot write {path}: {same} is an input; name another file")
        real = os.path.realpath(path)
        if real in taken:
            raise InputError(f"{path}: two outputs cannot be one file")
        taken.add(real)


def _final(path: str | Path) -> Path:
    """The file that `path` means; InputError where it is there and is not a regular one."""
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_file():
        raise InputError(f"cannot write {path}: it is there and is not a regular file")
    return final


def _temporary(final: Path, number: int) -> Path:
    """What the temporary file of a process is called that `number` others write `final` beside."""
    digest = blake2b(b"%d %s" % (number, os.fsencode(final.name)), digest_size=8)
    return final.with_name(f".ftdist-{digest.hexdigest()}{final.suffix}")


def _create(final: Path, path: str | Path) -> tuple[Path, int]:
    """Removes what was left of `final`; makes the empty file with the permissions of any new one.

    Gives it with the handle that locks it.
    """
    for number in range(_AT_ONCE):
        with suppress(OSError):
            _remove_unlocked(_temporary(final, number))
    try:
        for number in count():
            temporary = _temporary(final, number)
            with suppress(FileExistsError):
                while (handle := _locked(temporary)) is None:
                    pass  # it was removed before it was locked
                return temporary, handle
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"cannot write {path}: {final.parent} is not a folder") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    raise AssertionError


def _locked(temporary: Path) -> int | None:
    """The new file, open and locked; None where somebody removed it in between."""
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_SH)
    if os.fstat(handle).st_nlink:
        return handle
    os.close(handle)
    return None


def _flush(temporary: Path) -> None:
    """Waits until the contents are on the disk, so that a power cut cannot leave just the name."""
    handle = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
