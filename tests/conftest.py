"""What all tests share: where the trained networks and photos are, and seeded property tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ftdist.network import architectures
from ftdist.network.modelfile import write_model
from ftdist.network.parameters import random_parameters

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""Trained networks and photos that are not part of the project."""

# Health checks look at the clock, and at draws, which depend on the modules that are loaded.
settings.register_profile(
    "seeded",
    derandomize=True,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
settings.load_profile("seeded")


FIRST = (
    "kernels/test_native_check.py",
    "docs/test_adding_an_operator.py",
    "network/onnx/test_conformance.py",
    "cluster/integration/",
    "cli/commands/test_cluster_commands.py",
    "planning/sharing/test_sharing.py",
    "cli/test_smallest_budget.py",
    "docs/test_tutorials.py",
    "cli/files/test_many_inputs.py",
    "launch/",
)
"""What takes longest begins first: else one process has it to do when the others are done."""


def pytest_configure() -> None:
    """Commands inherit which signals are ignored, as under nohup; to many tests they must come."""
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(tests).as_posix()
        return next((at for at, each in enumerate(FIRST) if path.startswith(each)), len(FIRST))

    items.sort(key=rank)


@pytest.fixture(autouse=True, scope="session")
def nothing_outlives_a_power_cut() -> Iterator[None]:
    """Files are not forced to the disk: tests could not tell, and would wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


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
