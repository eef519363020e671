"""Clusters of real processes for tests; a test that fails shows what all of them said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.integration.processes import Cluster
from support.smallmodels import DETECTOR, write_small_model


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a small detector."""
    return write_small_model(tmp_path_factory.mktemp("detector") / "detector.ftd", DETECTOR)


@pytest.fixture
def cluster(detector: Path, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without processes yet; its model is the small detector."""
    with Cluster(tmp_path, detector) as made:
        yield made
        print(made.log())  # shown when the test failed
