"""`ftdist watch`, and videos in `ftdist batch`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.command import COMMAND, GUARD_S, assert_refused, environment, ftdist_command
from support.pictures import scene
from support.smallmodels import DETECTOR, write_small_model

FRAMES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("watch")
    write_small_model(found / "detector.ftd", DETECTOR, labels=("cat", "dog"))
    return found


@pytest.fixture(scope="module")
def video(folder: Path) -> Path:
    av = pytest.importorskip("av", reason="PyAV has no wheel for this Python")
    path = folder / "video.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 96, 64
        for number in range(FRAMES):
            pixels = np.asarray(scene(96, 64, seed=number))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_each_frame_of_a_video_is_an_input_of_a_batch(folder: Path, video: Path) -> None:
    (folder / "broken.mp4").write_bytes(b"no video")
    scene(64, 64).save(folder / "photo.png")
    given = ("detector.ftd", video.name, "broken.mp4", "photo.png", "--threads", "2")
    done = ftdist_command("batch", *given, folder=folder)
    assert done.status == 1, done
    files = [json.loads(line)["file"] for line in done.out.splitlines()]
    assert files == [*(f"video.mp4#{number}" for number in range(FRAMES)), "photo.png"]
    assert "broken.mp4: cannot be read" in done.err
    drawn = ftdist_command("batch", *given, "-o", "drawn/", folder=folder)
    assert drawn.status == 1, drawn
    assert len(list((folder / "drawn").glob("*-found.jpg"))) == FRAMES + 1


def test_a_video_is_watched_to_its_end(folder: Path, video: Path) -> None:
    done = ftdist_command("watch", "detector.ftd", video.name, folder=folder)
    assert done.status == 0, done
    records = [json.loads(line) for line in done.out.splitlines()]
    seen, dropped = len(records), records[-1]["dropped"]
    assert records[-1]["file"] == f"video.mp4#{FRAMES - 1}" and seen + dropped == FRAMES
    assert f"{seen} frame" in done.err and f"{dropped} dropped" in done.err


def test_what_falls_into_a_folder_is_taken_and_sigterm_ends_it(
    folder: Path, tmp_path: Path
) -> None:
    inbox, picture = tmp_path / "inbox", tmp_path / "a.jpg"
    inbox.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "watch", str(folder / "detector.ftd"), str(inbox)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None and process.stdout is not None
    assert "watching" in process.stderr.readline()
    (inbox / "broken.jpg").write_bytes(b"no picture")
    assert "broken.jpg" in process.stderr.readline()  # it is looking
    scene(80, 60).save(picture)
    os.replace(picture, inbox / "a.jpg")
    record = json.loads(process.stdout.readline())
    assert record["file"] == str(inbox / "a.jpg") and record["width"] == 80
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=GUARD_S)
    assert process.returncode == 0
    assert "1 frame seen, 0 dropped, 1 unreadable" in said


def test_frames_are_drawn_one_after_another_in_one_picture(folder: Path, video: Path) -> None:
    done = ftdist_command("watch", "detector.ftd", video.name, "-o", "live.jpg", folder=folder)
    assert done.status == 0 and "dropped" in done.out, done
    assert (folder / "live.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_a_full_disk_is_said_with_the_file(folder: Path, video: Path) -> None:
    """A device that is always full stands for the disk."""
    (folder / "full.jsonl").symlink_to("/dev/full")
    done = ftdist_command("watch", "detector.ftd", video.name, "-o", "full.jsonl", folder=folder)
    assert done.status == 2 and "Traceback" not in done.err
    assert done.err.splitlines()[-1] == "ftdist: cannot write full.jsonl: No space left on device"


def test_what_cannot_be_watched_is_refused_in_one_line(folder: Path) -> None:
    unbounded = (".", "--kernels", "reference", "--mem", "1G")
    for words in (("nowhere",), (".", "--mqtt", "home"), (".", "-o", "nowhere/x.jsonl"), unbounded):
        assert_refused(ftdist_command("watch", "detector.ftd", *words, folder=folder), 2)
