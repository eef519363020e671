"""A video with what was found on each frame."""

from __future__ import annotations

import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.command import assert_refused, environment, ftdist_command, in_shell
from support.pictures import scene
from support.smallmodels import CHAIN, DETECTOR, write_small_model

from ftdist.cli.main import main
from ftdist.errors import InputError
from ftdist.many import films, local
from ftdist.many.asking import Allowed, asked_of, ready
from ftdist.many.films import Film
from ftdist.many.listing import Listing
from ftdist.many.local import look, run
from ftdist.many.videos import shape_and_rate
from ftdist.network.modelfile import load
from ftdist.planning.lowering.predictor import input_bytes
from ftdist.runtime.budget.memory import MIB

av = pytest.importorskip("av", reason="videos need PyAV")

FRAMES, RATE = 7, Fraction(12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, and a video."""
    found = tmp_path_factory.mktemp("films")
    write_small_model(found / "detector.ftd", DETECTOR, labels=("cat", "dog"))
    write_small_model(found / "chain.ftd", CHAIN)
    with Film(found / "trip.mkv", found / "frames", RATE) as film:
        for number in range(FRAMES):
            picture = found / "frames" / f"{number}.ppm"
            scene(96, 64, seed=number).save(picture)
            film.add(picture)
    return found


def frames(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [each.to_ndarray(format="rgb24") for each in container.decode(video=0)]


def test_a_video_is_made_of_its_pictures_at_its_rate(folder: Path) -> None:
    made = frames(folder / "trip.mkv")
    assert shape_and_rate(str(folder / "trip.mkv")) == (96 * 64, RATE)
    for number, frame in enumerate(made):
        away = np.abs(frame.astype(int) - np.asarray(scene(96, 64, seed=number)))
        assert away.mean() < 12
    assert len(made) == FRAMES and not (folder / "frames").exists()


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_each_frame_is_there_with_its_boxes(folder: Path, tmp_path: Path, ending: str) -> None:
    def batch(out: Path) -> list[NDArray[np.uint8]]:
        words = "batch", "detector.ftd", "trip.mkv", "-o", out, "--thresh", "0.2"
        done = ftdist_command(*words, folder=folder)
        assert done.status == 0 and f"inputs     {FRAMES} of {FRAMES}" in done.out, done
        return frames(out) if out.suffix else []

    found = batch(tmp_path / f"seen.{ending}")
    batch(tmp_path / "drawn")
    from PIL import Image

    assert len(found) == FRAMES and {each.name for each in tmp_path.iterdir()} == {
        f"seen.{ending}",
        "drawn",
    }
    for number, (frame, plain) in enumerate(zip(found, frames(folder / "trip.mkv"), strict=True)):
        drawn = np.asarray(Image.open(tmp_path / "drawn" / f"trip-{number}-found.jpg"))
        away, before = (np.abs(each.astype(int) - drawn).mean() for each in (frame, plain))
        assert away < before / 2, "colours of thin lines are lost where four pixels have one"


def test_frames_that_wait_are_names_and_those_in_hand_are_in_the_budget(folder: Path) -> None:
    model = load(folder / "detector.ftd")
    listing = Listing([str(folder / "trip.mkv")], recursive=False)
    asked = asked_of(model, {"threshold": 0.3, "overlap": 0.45})
    ready_batch = ready(model, asked, listing, lambda _: None, Allowed(2048 * MIB, 2))
    assert ready_batch.lanes.hand.picture_bytes > 3 * 96 * 64 + input_bytes(
        model.network, picture=True
    )
    pictures = [each.item.picture for each in run(ready_batch, listing)]
    assert [each.content for each in pictures if each is not None] == [b""] * FRAMES


@pytest.fixture
def several(tmp_path: Path) -> Listing:
    """Videos of one ending, of which the second has the largest frames."""
    for name, width in (("a", 64), ("b", 128), ("c", 96)):
        with Film(tmp_path / f"{name}.mkv", tmp_path / "frames", RATE) as film:
            scene(width, 48, seed=1).save(tmp_path / "frames" / "one.png")
            film.add(tmp_path / "frames" / "one.png")
    return Listing([str(tmp_path)], recursive=False)


def test_the_largest_of_several_videos_is_counted(folder: Path, several: Listing) -> None:
    asked = asked_of(load(folder / "detector.ftd"), {"threshold": 0.3, "overlap": 0.45})
    found = look(several, asked, lambda _: None, 2048 * MIB)
    assert found.frame_pixels == 128 * 48


def test_one_that_is_larger_than_all_that_were_looked_at_is_left_out(
    folder: Path, several: Listing, monkeypatch
) -> None:
    monkeypatch.setattr(local, "_MOST_VIDEOS", 2)
    model = load(folder / "detector.ftd")
    asked = asked_of(model, {"threshold": 0.3, "overlap": 0.45})
    batch = ready(model, asked, several, lambda _: None, Allowed(2048 * MIB, 2))
    results = [(Path(each.item.name).name, each.result) for each in run(batch, several)]
    assert [name for name, _ in results] == ["a.mkv#0", "b.mkv", "c.mkv#0"]
    assert isinstance(results[1][1], InputError)
    assert "frames of 128x48 are larger" in str(results[1][1])


def test_an_odd_size_loses_its_last_row_and_column(tmp_path: Path) -> None:
    with Film(tmp_path / "odd.mp4", tmp_path / "frames", RATE) as film:
        for size in ((31, 23), (40, 50)):
            scene(*size, seed=1).save(tmp_path / "frames" / "one.png")
            film.add(tmp_path / "frames" / "one.png")
    assert [each.shape for each in frames(tmp_path / "odd.mp4")] == [(22, 30, 3)] * 2


def test_another_codec_is_taken_where_one_is_missing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(films, "_CODECS", {"missing": {}, "mpeg4": films._CODECS["mpeg4"]})
    with Film(tmp_path / "old.mp4", tmp_path / "frames", RATE) as film:
        scene(32, 32, seed=1).save(tmp_path / "frames" / "one.png")
        film.add(tmp_path / "frames" / "one.png")
    assert len(frames(tmp_path / "old.mp4")) == 1


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="there is no frame"),
        Film(tmp_path / "none.mp4", tmp_path / "frames", RATE),
    ):
        pass
    with (
        pytest.raises(ZeroDivisionError),
        Film(tmp_path / "none.mp4", tmp_path / "frames", RATE) as film,
    ):
        scene(32, 32, seed=1).save(tmp_path / "frames" / "one.png")
        film.add(tmp_path / "frames" / "one.png")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("most_kib", [4, 100])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_a_full_disk_leaves_nothing_and_is_one_line(
    folder: Path, tmp_path: Path, ending: str, most_kib: int
) -> None:
    """A limit of a file's size stands for the disk: a frame, of 18 KiB, is above it, or the
    video."""
    with Film(tmp_path / "long.mkv", tmp_path / "frames", RATE) as film:
        for number in range(60):
            scene(96, 64, seed=number).save(tmp_path / "frames" / "one.ppm")
            film.add(tmp_path / "frames" / "one.ppm")
    (tmp_path / "long.mkv").rename(folder / "long.mkv")
    given = "batch", folder / "detector.ftd", folder / "long.mkv", "--thresh", "0.2"
    done = in_shell(f'ulimit -f {2 * most_kib}; exec "$@"', *given, "-o", f"seen.{ending}",
                    folder=tmp_path)  # fmt: skip
    assert done.status == 2, done
    assert done.err.splitlines()[-1].startswith("ftdist: cannot write ")
    assert done.err.count("\n") == 1 and "File too large" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_nothing_half_and_what_is_left_goes_with_the_next(
    folder: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    """It comes when the third frame is encoded."""
    script = f"""
import os, signal
from ftdist.many import films
add = films.Film.add
def interrupted(self, picture, number=None):
    if number == 3:
        os.kill(os.getpid(), {int(sent)})
    add(self, picture, number)
films.Film.add = interrupted
from ftdist.cli.main import main
raise SystemExit(main())
"""
    words = "batch", folder / "detector.ftd", folder / "trip.mkv", "-o", "seen.mp4"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        check=False, cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    killed = sent == signal.SIGKILL
    assert done.returncode == (-sent if killed else 128 + sent), done
    assert done.stderr.count("\n") == (0 if killed else 1) and done.stdout == ""
    assert not (tmp_path / "seen.mp4").exists()
    assert bool(list(tmp_path.iterdir())) == killed
    again = ftdist_command(*words, folder=tmp_path)
    assert again.status == 0, again
    assert [each.name for each in tmp_path.iterdir()] == ["seen.mp4"]


def test_a_folder_of_somebody_elses_stays_where_frames_would_wait(
    folder: Path, tmp_path: Path
) -> None:
    words = "batch", folder / "detector.ftd", folder / "trip.mkv", "-o", "seen.mp4"
    other = tmp_path / "seen.mp4.frames"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    assert_refused(ftdist_command(*words, folder=tmp_path), 2, "mine.txt", "move yours elsewhere")
    assert (other / "mine.txt").read_text() == "mine"
    (other / "mine.txt").unlink()
    other.rmdir()
    other.write_text("a file")
    assert_refused(ftdist_command(*words, folder=tmp_path), 2, "seen.mp4.frames: it is there")
    assert [each.name for each in tmp_path.iterdir()] == ["seen.mp4.frames"]


def test_what_cannot_be_asked_is_refused_in_one_line(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)

    def refused(words: str, *inputs: str) -> None:
        assert main(["batch", *inputs]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and words in said, said

    refused("made of one video", "detector.ftd", "trip.mkv", "trip.mkv", "-o", "out.mp4")
    refused("a video begins anew", "detector.ftd", "trip.mkv", "-o", "out.mp4", "--resume")
    refused("has no records", "detector.ftd", "trip.mkv", "-o", "out.mp4", "--format", "csv")
    refused("gives only numbers", "chain.ftd", "trip.mkv", "-o", "out.mp4")
    refused("is an input", "detector.ftd", "trip.mkv", "-o", "trip.mkv")
    refused("out.mp4", "detector.ftd", "trip.mkv", "-o", "nowhere/out.mp4")
    (folder / "broken.mp4").write_bytes(b"hello")
    done = ftdist_command("batch", "detector.ftd", "broken.mp4", "-o", "out.mp4", folder=folder)
    first, second = done.err.splitlines()
    assert done.status == 2 and "a text file" in first and "there is no frame" in second
    assert not (folder / "out.mp4").exists() and not (folder / "out.mp4.frames").exists()
