"""Files that have a video's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftdist.errors import InputError
from ftdist.many.listing import as_source
from ftdist.many.videos import expanded, frames

pytest.importorskip("av", reason="videos need PyAV")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "the file is empty"), (b"hello\n", "a text file"), (b"<html>", "a web page")],
)
def test_what_is_no_video_is_called_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"film.mp4: cannot be read: {words}"):
        list(frames(str(path)))
    (found,) = expanded([as_source(str(path))])
    assert found.problem is not None and words in found.problem
