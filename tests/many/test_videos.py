"""Files that have a video's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftdist.errors import InputError
from ftdist.many.listing import as_source
from ftdist.many.videos import expanded, frames

av: Any = pytest.importorskip("av", reason="videos need PyAV")

COUNT = 12


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


def film(path: Path, container: str, **options: str) -> None:
    """Twelve frames of noise, each of which can be shown alone."""
    random = np.random.default_rng(7)
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 1
        for _ in range(COUNT):
            pixels = random.integers(0, 256, (48, 64, 3), np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode(None))


KINDS = {
    "mp4": ("mp4", {"movflags": "faststart"}),
    "pieces.mp4": ("mp4", {"movflags": "frag_keyframe+empty_moov"}),
    "mov": ("mov", {"movflags": "faststart"}),
    "mkv": ("matroska", {}),
    "avi": ("avi", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_video_that_is_cut_off_says_so_after_the_frames_that_are_there(
    tmp_path: Path, kind: str
) -> None:
    container, options = KINDS[kind]
    whole, cut = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
    film(whole, container, **options)
    wanted = [each.content for each in frames(str(whole))]
    assert len(wanted) == COUNT
    content = whole.read_bytes()
    most = 0
    for share in (0.3, 0.6, 0.9):
        cut.write_bytes(content[: int(len(content) * share)])
        *found, last = expanded([as_source(str(cut))])
        assert [each.picture.content for each in found if each.picture] == wanted[: len(found)]
        assert last.problem is not None and "the file is cut off" in last.problem
        read = {0: "cut off", 1: "1 frame of it was read"}
        assert last.problem.endswith(read.get(len(found), f"; {len(found)} frames of it were read"))
        most = max(most, len(found))
    assert most > COUNT // 2


def test_a_video_without_its_index_is_cut_off_and_one_of_unknown_length_is_not(
    tmp_path: Path,
) -> None:
    """An index that comes last is missing where a recording never ended; a Matroska file that was
    streamed says no length."""
    path = tmp_path / "film.mp4"
    film(path, "mp4")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"moov") - 4])
    with pytest.raises(InputError, match="cannot be read: the file is cut off"):
        list(frames(str(path)))
    path = tmp_path / "film.mkv"
    film(path, "matroska", live="1")
    assert len(list(frames(str(path)))) == COUNT
