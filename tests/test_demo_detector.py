"""The detector in configs/ finds what is in scenes it was not trained on, run by ftdist itself."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import ftdist
from ftdist.answers.detectors import detect
from ftdist.network.darknet.importer import read_cfg
from ftdist.network.darknet.weights import read_weights
from ftdist.network.modelfile import write_model
from ftdist.planning.plan import parse_notation, untiled

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "ftdist" / "demo"
HELD_OUT_SEEDS = range(5)


@pytest.fixture
def parts(monkeypatch):
    """The scene generator and the scoring beside the detector, which import each other by name."""
    monkeypatch.syspath_prepend(ROOT / "configs" / "detector")
    return importlib.import_module("scenes"), importlib.import_module("scoring")


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    source = read_cfg(FOLDER / "detector.cfg")
    path = tmp_path_factory.mktemp("detector") / "detector.ftd"
    parameters = read_weights(source, FOLDER / "detector.weights")
    labels = tuple((FOLDER / "detector.names").read_text().split())
    write_model(path, source.network, parameters, labels)
    return ftdist.load(path)


def test_the_weights_are_small() -> None:
    assert (FOLDER / "detector.weights").stat().st_size <= 400_000


def test_objects_in_held_out_scenes_are_found(detector, parts) -> None:
    scenes, scoring = parts
    assert max(HELD_OUT_SEEDS) < 1_000_000, "training seeds begin there"
    found, truths = [], []
    with ftdist.Session(detector, ftdist.plan(detector, threads=2)) as session:
        for seed in HELD_OUT_SEEDS:
            scene = scenes.make_scene(seed, 1024)
            detections = detect(detector.network, session.run(scene.image), threshold=0.01)
            found.append(
                [
                    scoring.Detection(
                        detector.labels[each.label],
                        each.score,
                        *(side * 1024 for side in each.box),
                    )
                    for each in detections
                ]
            )
            truths.append(scene.boxes)
    assert scoring.mean_average_precision(found, truths) >= 0.9


def test_a_cut_scene_gives_the_same_bits(detector, parts) -> None:
    image = parts[0].make_scene(1, 1024).image
    network = detector.network
    with ftdist.Session(detector, untiled(network)) as session:
        (expected,) = session.run(image).values()
    for notation in ("1x1s1w", "6x6s3/8/2x5", "1x3/6/1x1s7/10/4x1s2"):
        with ftdist.Session(detector, parse_notation(notation, network, threads=2)) as session:
            (output,) = session.run(image).values()
        np.testing.assert_array_equal(output.view(np.uint32), expected.view(np.uint32))
