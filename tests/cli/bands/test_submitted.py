"""Pictures of a job in bands: rows are read as they are wanted, results come in any order."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL.Image import fromarray
from support.smallmodels import write_small_model

from ftdist.cli.bands.submitted import BandedPictures
from ftdist.cli.files.sources import Source
from ftdist.errors import InputError
from ftdist.network.modelheader import Header, read_header
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.protocol import partial_file
from ftdist.planning.bands.numbering import NumberedBands

LAYERS = "[net]\nwidth=12\nheight=50\nchannels=3\n" + (
    "[convolutional]\nfilters=5\nsize=3\nstride=1\npad=1\nactivation=linear\n"
)


@dataclass
class Given:
    """Two pictures and a network of their size."""

    folder: Path
    header: Header
    bands: NumberedBands
    samples: np.ndarray
    inputs: list[Source]
    targets: list[Path]

    def pictures(self, done: set[int] | None = None) -> BandedPictures:
        return BandedPictures(self.header, self.bands, self.inputs, self.targets, done or set())

    def made(self, frame: int) -> np.ndarray:
        """What a band's result is, (channels, rows, columns): each value says where it belongs."""
        top, bottom, left, right = self.bands.region(frame)
        whole = np.arange(5 * 50 * 12, dtype=np.float32).reshape(5, 50, 12)
        return whole[:, top:bottom, left:right] + 1e5 * self.bands.picture(frame)


@pytest.fixture
def given(tmp_path: Path) -> Given:
    path = write_small_model(tmp_path / "layers.ftd", LAYERS)
    with path.open("rb") as file:
        header = read_header(file, path)
    samples = np.random.default_rng(0).integers(0, 256, (2, 50, 12, 3), np.uint8)
    inputs = []
    for number, each in enumerate(samples):
        picture = tmp_path / f"p{number}.ppm"
        picture.write_bytes(b"P6\n12 50\n255\n" + each.tobytes())
        inputs.append(Source(picture.name, picture, False))
    targets = [tmp_path / f"p{number}.npy" for number in range(2)]
    bands = NumberedBands(header.network, 8)
    return Given(tmp_path, header, bands, samples, inputs, targets)


def test_the_rows_of_a_band_come_in_any_order(given: Given) -> None:
    """After a lost connection earlier ones are wanted again."""
    pictures, order = given.pictures(), [0, 1, 2, 6, 3, 4, 8, 7, 13, 0, 5]
    for frame in order:
        top, bottom, *_ = given.bands.input(frame)
        expected = given.samples[given.bands.picture(frame), top:bottom]
        assert np.array_equal(pictures.rows(frame, as_bytes=True), expected)
    pictures.close(keep=False)


def test_results_in_any_order_make_the_file_when_the_last_is_there(given: Given) -> None:
    pictures, frames = given.pictures(), list(range(2 * given.bands.count))
    random.Random(1).shuffle(frames)
    written = []
    for frame in frames:
        if pictures.write(frame, given.bands.region(frame), given.made(frame)):
            written.append(pictures.finish(given.bands.picture(frame)))
    assert sorted(map(str, written)) == sorted(map(str, given.targets))
    assert pictures.finish(0) is None  # it has its name
    for number, target in enumerate(given.targets):
        expected = np.arange(5 * 50 * 12, dtype=np.float32).reshape(5, 50, 12) + 1e5 * number
        assert np.array_equal(np.load(target), expected)


def test_a_job_goes_on_with_what_was_written_before(given: Given) -> None:
    pictures, count = given.pictures(), given.bands.count
    done = {0, 2, 5}
    for frame in done:
        pictures.write(frame, given.bands.region(frame), given.made(frame))
    pictures.close(keep=True)
    again = given.pictures(done)
    for frame in set(range(count)) - done:
        again.write(frame, given.bands.region(frame), given.made(frame))
    again.close(keep=True)
    assert not given.targets[0].exists()
    last = given.pictures(set(range(count)))  # after a client that had not named the file yet
    assert last.finish(0) == given.targets[0] and last.finish(1) is None
    last.close(keep=True)
    expected = np.arange(5 * 50 * 12, dtype=np.float32).reshape(5, 50, 12)
    assert np.array_equal(np.load(given.targets[0]), expected)


def test_nothing_is_left_of_a_job_without_a_name(given: Given) -> None:
    pictures, before = given.pictures(), sorted(given.folder.iterdir())
    pictures.write(0, given.bands.region(0), given.made(0))
    pictures.close(keep=False)
    assert sorted(given.folder.iterdir()) == before


def test_bands_that_are_said_to_be_done_and_are_gone_are_missed(given: Given) -> None:
    with pytest.raises(InputError, match=f"{partial_file(given.targets[1]).name}: is gone"):
        given.pictures({given.bands.count + 1})


def test_what_is_no_longer_a_picture_of_bytes_is_refused(given: Given) -> None:
    pictures = given.pictures()
    with pytest.raises(InputError, match="has 16 bits a sample"):
        pictures.rows(0, as_bytes=False)


def test_the_picture_that_a_map_stands_for_is_that_of_the_whole(tmp_path: Path) -> None:
    """Grey maps of a photo in colours: the picture has the photo's colours, and its size."""
    layers = "[net]\nwidth=12\nheight=50\nchannels=1\n" + (
        "[convolutional]\nfilters=1\nsize=3\nstride=1\npad=1\nactivation=linear\n"
    )
    path = write_small_model(tmp_path / "grey.ftd", layers)
    with path.open("rb") as file:
        header = read_header(file, path)
    samples = np.random.default_rng(0).integers(0, 256, (47, 12, 3), np.uint8)
    photo = tmp_path / "photo.ppm"
    photo.write_bytes(b"P6\n12 47\n255\n" + samples.tobytes())
    bands, target = NumberedBands(header.network, 8), tmp_path / "photo.npy"
    pictures = BandedPictures(header, bands, [Source(photo.name, photo, False)], [target], set())
    luma = np.asarray(fromarray(samples).convert("L"), np.float32) / 255
    whole = np.pad(luma, ((0, 3), (0, 0)), mode="edge")[None].astype(np.float32)
    for frame in reversed(range(bands.count)):
        top, bottom, *_ = bands.region(frame)
        pictures.write(frame, bands.region(frame), whole[:, top:bottom])
    assert pictures.finish(0) == target
    pictures.draw(0, tmp_path / "made.ppm")
    pictures.close(keep=False)
    with closing(open_rows(tmp_path / "made.ppm")) as made:
        found = made.rows(0, 47).astype(int)
    assert found.shape == samples.shape
    assert np.abs(found - samples).max() <= 4  # through YCbCr and back
    assert not list(tmp_path.glob(".*partial*"))
