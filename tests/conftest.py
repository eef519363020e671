"""What all tests share: where the trained networks and photos are, and seeded property tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""Trained networks and photos that are not part of the project."""

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


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
