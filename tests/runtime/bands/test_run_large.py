"""A large picture from Python: what the command writes, and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli.bands.test_bands_option import write_network, write_ppm
from cli.bands.test_segmented import write_segmentation

import ftdist
from ftdist.runtime.plans.public import plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_network(folder / "colours.onnx", 3)
    write_segmentation(folder / "scores.onnx", 4)
    write_ppm(folder / "photo.ppm", 120, 90)
    return folder


def test_the_array_is_that_of_a_whole_run(folder: Path) -> None:
    picture, made = folder / "photo.ppm", folder / "made.npy"
    model = ftdist.import_model(folder / "colours.onnx", folder / "colours.ftd", size=(120, 90))
    large = ftdist.run_large(model, picture, made, threads=1, exact_direct=True)
    with ftdist.Session(model, plan(model, exact_direct=True)) as session:
        (expected,) = session.run(picture).values()
    assert np.array_equal(np.load(made), expected)
    assert large.peak_bytes > 0 and "rows of" in large.notation and not large.objects
    with pytest.raises(ftdist.InputError, match="name an output"):
        ftdist.run_large(model, picture)
    write_ppm(folder / "other.ppm", 50, 90)
    with pytest.raises(ftdist.InputError, match="of 120x90, the picture of 50x90"):
        ftdist.run_large(model, folder / "other.ppm", made)


def test_a_segmentation_has_shares(folder: Path) -> None:
    numbers = folder / "numbers.npy"
    network, picture = folder / "scores.onnx", folder / "photo.ppm"
    large = ftdist.run_large(network, picture, numbers, threads=1, labels=True)
    assert np.load(numbers).shape == (120, 90)
    assert sum(large.shares.values()) == pytest.approx(1) and len(large.shares) == 4
