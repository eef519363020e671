"""A file that is being written is one writer's: another one is refused, and harms nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.rows import partial
from ftdist.pictures.rows.opening import create_rows
from ftdist.pictures.rows.protocol import RowSink

SHAPE = Shape(40, 30, 1)


def begun(path: Path, *, resume: bool = False) -> RowSink:
    return create_rows(path, SHAPE, np.dtype(np.uint8), None, resume=resume)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".pgm", ".npy"])
@pytest.mark.parametrize("resume", [False, True])
def test_of_two_that_write_a_file_the_second_is_refused(
    tmp_path: Path, suffix: str, resume: bool
) -> None:
    path = tmp_path / f"made{suffix}"
    rows = np.arange(SHAPE.elements, dtype=np.uint8).reshape(SHAPE.height, SHAPE.width, 1)
    alone = begun(tmp_path / f"alone{suffix}")
    alone.write(rows)
    alone.finish()
    first = begun(path)
    first.write(rows[:20])
    with pytest.raises(InputError, match="another process is writing it"):
        begun(path, resume=resume)
    first.write(rows[20:])
    first.finish()
    assert path.read_bytes() == (tmp_path / f"alone{suffix}").read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {path.name, f"alone{suffix}"}
    begun(path).abandon(keep=False)


def test_a_lock_of_somebody_who_has_ended_since_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ends between the moments at which the second opens its notes and has the lock."""
    path, real = tmp_path / "made.pgm", partial.fcntl.flock
    first = begun(path)

    def flock(handle: int, how: int) -> None:
        monkeypatch.setattr(partial.fcntl, "flock", real)
        first.abandon(keep=False)
        real(handle, how)

    monkeypatch.setattr(partial.fcntl, "flock", flock)
    second = begun(path)
    assert partial.progress_file(path).is_file()
    with pytest.raises(InputError, match="another process is writing it"):
        begun(path)
    second.abandon(keep=False)


def test_a_file_that_cannot_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, content: bytes) -> int:
        raise OSError(28, os.strerror(28))

    path = tmp_path / "made.pgm"
    with monkeypatch.context() as patched:
        patched.setattr(partial.os, "write", full)
        with pytest.raises(InputError, match="No space left"):
            begun(path)
    assert not list(tmp_path.iterdir())
    begun(path).abandon(keep=False)
