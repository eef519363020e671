"""What all tests share: where the trained networks and photos are, and seeded property tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ftdist.network import architectures
from ftdist.network.modelfile import write_model
from ftdist.network.parameters import random_parameters

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""Trained networks and photos that are not part of the project."""

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


@pytest.fixture(autouse=True, scope="session")
def no_profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, and the commands they run, find no profile of this machine, and measure none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FTDIST_MEASURE", "never")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def _shared(folder: str, what: str) -> Path:
    path = SHARED / folder
    if not path.is_dir():
        pytest.skip(f"needs {what}, expected beside the project in {path}")
    return path


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of trained networks; the test skips where it is absent."""
    return _shared("models", "the trained networks")


@pytest.fixture(scope="session")
def shared_photos() -> Path:
    """The folder of sample photos; the test skips where it is absent."""
    return _shared("photos", "the sample photos")


@pytest.fixture(scope="session")
def first16_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of YOLOv2's first sixteen layers with random weights, made once."""
    network = architectures.load("yolov2-first16").network
    path = tmp_path_factory.mktemp("first16") / "first16.ftd"
    write_model(path, network, random_parameters(network, 1))
    return path
