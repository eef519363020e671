"""A coordinator with a page, shared by the tests that only ask it things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clusterprocesses import cluster
from support.pageclient import TOKEN, Site, site_of
from support.smallmodels import DETECTOR, write_small_model


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_small_model(folder / "detector.ftd", DETECTOR, seed=3, labels=("left", "right"))


@pytest.fixture(scope="module")
def open_site(detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A page without a token, and a worker."""
    with cluster(tmp_path_factory.mktemp("open"), detector) as made:
        found = site_of(made)
        made.worker("pi1").wait_for("joined the cluster")
        yield found


@pytest.fixture(scope="module")
def closed_site(detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A page with a token."""
    folder = tmp_path_factory.mktemp("closed")
    token = folder / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    with cluster(folder, detector) as made:
        yield site_of(made, "--page-token", token)
