"""Files that have a video's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import ftdist_command
from support.smallmodels import DETECTOR, write_small_model

from ftdist.errors import InputError
from ftdist.many.listing import as_source
from ftdist.many.videos import expanded, frames, shape_and_rate

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
        read = {0: "cannot be read: the file is cut off",
                1: "the file is cut off; 1 frame of it was read"}  # fmt: skip
        many = f"the file is cut off; {len(found)} frames of it were read"
        assert last.problem == f"{cut}: {read.get(len(found), many)}"
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


LENGTH, EVERY = 32, 8
"""Frames of a video of which some cannot be shown alone, and how far apart those are that can."""

CODECS = {
    "h264.mp4": ("libx264", "mp4"),
    "h264.mkv": ("libx264", "matroska"),
    "h264.ts": ("libx264", "mpegts"),
    "mpeg4.mp4": ("mpeg4", "mp4"),
    "mpeg4.avi": ("mpeg4", "avi"),
    "mjpeg.avi": ("mjpeg", "avi"),
    "vp8.webm": ("libvpx", "webm"),
}


def moving(path: Path, codec: str, container: str, rate: int = 25) -> None:
    """A video of something that moves, with frames that look back at others, and forward."""
    noise = np.random.default_rng(7).integers(0, 256, (40, 60, 3), np.uint8)
    large = noise.repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.gop_size = 96, 64, EVERY
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(LENGTH):
            pixels = np.ascontiguousarray(large[number : number + 64, 2 * number : 2 * number + 96])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode(None))


def damaged(whole: Path, path: Path, number: int, *, wholly: bool) -> None:
    """A copy in which a packet is zeros, but for its beginning or `wholly`, with what is around."""
    content = bytearray(whole.read_bytes())
    with av.open(str(whole)) as file:
        packet = [each for each in file.demux(video=0) if each.size][number]
        first, size = packet.pos, packet.size
    first += 0 if wholly else size // 4
    content[first : packet.pos + size] = bytes(packet.pos + size - first)
    path.write_bytes(content)


def by_number(path: Path) -> tuple[dict[int, bytes], str | None]:
    """The frames that are read, by their numbers, and what is said at the end."""
    found, problem = {}, None
    for each in expanded([as_source(str(path))]):
        if each.picture is None:
            problem = each.problem
        else:
            assert each.frame is not None and each.name == each.picture.name
            found[each.frame] = each.picture.content
    return found, problem


def decoded(path: Path) -> list[bytes]:
    """All frames as FFmpeg gives them: the oracle."""
    with av.open(str(path)) as file:
        pixels = [each.to_ndarray(format="rgb24") for each in file.decode(video=0)]
    return [b"P6\n96 64\n255\n" + each.tobytes() for each in pixels]


@pytest.mark.parametrize("wholly", [False, True])
@pytest.mark.parametrize("kind", CODECS)
def test_a_video_that_is_damaged_in_the_middle_goes_on_with_its_numbers(
    tmp_path: Path, kind: str, wholly: bool
) -> None:
    codec, container = CODECS[kind]
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV has no {codec}")
    whole, path = tmp_path / f"whole.{kind}", tmp_path / f"damaged.{kind}"
    moving(whole, codec, container)
    wanted = dict(enumerate(decoded(whole)))
    assert len(wanted) == LENGTH and by_number(whole) == (wanted, None)
    told = 0
    for number in (2, EVERY + 3, 2 * EVERY + 5):
        damaged(whole, path, number, wholly=wholly)
        found, problem = by_number(path)
        assert set(found) <= set(wanted)
        after = range((number // EVERY + 1) * EVERY + 1, LENGTH)
        assert {each: found[each] for each in after if each in found}.items() <= wanted.items()
        if wholly and "mkv" in kind:  # FFmpeg may not find the next key frame, nor the end
            assert problem is not None and "damaged and left out" in problem
            told += 1
            continue
        assert set(after) <= set(found)
        lost = LENGTH - len(found)
        assert (problem is not None) == (lost > 0)
        if problem is not None:
            first = min(set(wanted) - set(found))
            are = "1 frame is" if lost == 1 else f"{lost} frames are"
            which = "" if lost == 1 else "the first of them "
            assert problem == (
                f"{path}: {are} damaged and left out, {which}#{first}; {len(found)} frames of it "
                "were read"
            )
            told += 1
    assert told or not wholly, "a frame without its beginning is lost"


def test_a_damaged_frame_is_told_once_and_the_rest_is_computed(tmp_path: Path) -> None:
    write_small_model(tmp_path / "detector.ftd", DETECTOR, labels=("cat", "dog"))
    moving(tmp_path / "whole.avi", "mpeg4", "avi", rate=5)
    damaged(tmp_path / "whole.avi", tmp_path / "trip.avi", 11, wholly=True)
    line = "trip.avi: 1 frame is damaged and left out, #11; 31 frames of it were read"
    done = ftdist_command("batch", "detector.ftd", "trip.avi", "-o", "seen.jsonl", folder=tmp_path)
    assert done.status == 1 and done.err.count(line) == 1, done
    names = [
        json.loads(each)["file"] for each in (tmp_path / "seen.jsonl").read_text().splitlines()
    ]
    assert names == [f"trip.avi#{number}" for number in range(LENGTH) if number != 11]
    done = ftdist_command("batch", "detector.ftd", "trip.avi", "-o", "seen.mp4", folder=tmp_path)
    assert done.status == 1 and done.err.count(line) == 1, done
    with av.open(str(tmp_path / "seen.mp4")) as file:
        times = [each.time for each in file.decode(video=0)]
    assert shape_and_rate(str(tmp_path / "seen.mp4"))[0] == 96 * 64
    assert times == pytest.approx([n / 5 for n in range(LENGTH) if n != 11]), "the others' time"
    done = ftdist_command("watch", "detector.ftd", "trip.avi", folder=tmp_path)
    assert done.status == 1 and done.err.count(line) == 1, done
    assert json.loads(done.out.splitlines()[-1])["file"] == "trip.avi#31"
