"""Files appear whole or not at all.

Whoever writes a result writes a temporary file in the folder of the final one, which then takes the
final name in one step: a reader, a full disk or a pulled plug never leaves half a file under that
name. The temporary file keeps the extension, because writers of pictures and arrays go by it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ftdist.errors import InputError

_USERS_TO_MEND = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Failures while writing that are about the disk, not about us."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yields an empty temporary file to be written, which becomes `path` when the block ends well.

    When the block raises, also for a signal, `path` stays as it was and the temporary file is gone.
    A symbolic link is followed, as by open(). InputError when the folder is missing or not
    writable, when `path` is no regular file (a device would be replaced), or when the disk is full.
    """
    final, temporary = _names(path)
    try:
        _create(temporary, path)
        yield temporary
        _flush(temporary)
        os.replace(temporary, final)
    except OSError as error:
        if error.errno in _USERS_TO_MEND:
            raise InputError(f"cannot write {path}: {error.strerror}") from error
        raise
    finally:
        with suppress(NotADirectoryError):
            temporary.unlink(missing_ok=True)


def refuse_unwritable(path: str | Path) -> None:
    """Raises, before any work is done, the InputError that ``atomic_write`` would begin with."""
    _, temporary = _names(path)
    try:
        _create(temporary, path)
    finally:
        with suppress(NotADirectoryError):
            temporary.unlink(missing_ok=True)


def _names(path: str | Path) -> tuple[Path, Path]:
    """The file that `path` means, and what the temporary one beside it is called."""
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_file():
        raise InputError(f"cannot write {path}: it is there and is no regular file")
    return final, final.with_name(f".ftdist-{os.urandom(8).hex()}{final.suffix}")


def _create(temporary: Path, path: str | Path) -> None:
    """Makes the empty file with the permissions of any new file."""
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"cannot write {path}: {temporary.parent} is no folder") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def _flush(temporary: Path) -> None:
    """Waits until the contents are on the disk, so that a power cut cannot leave just the name."""
    handle = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
