"""A folder with small models and inputs, made once; commands that must fail, in clean folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.command import Outcome, assert_refused, ftdist_command
from support.smallmodels import CHAIN, DETECTOR, TWO_OUTPUTS, random_image, write_small_model


@pytest.fixture(scope="session")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """chain.ftd, two.ftd, detector.ftd; image.npy and picture.png (64x64), photo.png (90x50)."""
    folder = tmp_path_factory.mktemp("things")
    write_small_model(folder / "chain.ftd", CHAIN)
    write_small_model(folder / "two.ftd", TWO_OUTPUTS)
    write_small_model(folder / "detector.ftd", DETECTOR, seed=3, labels=("left", "right"))
    np.save(folder / "image.npy", random_image(64))
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    generator = np.random.default_rng(0)
    for name, size in (("picture", (64, 64)), ("photo", (50, 90))):
        pixels = generator.integers(0, 256, (*size, 3), np.uint8)
        images.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a command that must fail, and leave nothing behind in its folder, not even a trace."""

    def run(
        *arguments: object, status: int = 2, words: tuple[str, ...] = (), **more: str
    ) -> Outcome:
        before = sorted(tmp_path.rglob("*"))
        outcome = ftdist_command(*arguments, folder=tmp_path, **more)
        assert_refused(outcome, status, *words)
        assert sorted(tmp_path.rglob("*")) == before
        return outcome

    return run
