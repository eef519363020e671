"""Trained Darknet networks, imported as their files are, see what is on Darknet's sample photos.

The scores are those of OpenCV 4.10 on the same arrays, which agrees to 2e-6 when it is given
Darknet's epsilon in batch norm (1e-5; its own is 1e-6, which moves them by up to 2e-3).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ftdist import Session
from ftdist import plan as make_plan
from ftdist.answers.decode import Detection
from ftdist.answers.detectors import detect
from ftdist.answers.names import VOC
from ftdist.network.darknet.importer import read_cfg
from ftdist.network.darknet.weights import read_weights
from ftdist.network.modelfile import load, write_model

Part = tuple[int, int, int, int]


def seen(models: Path, name: str, photo: Path, folder: Path, part: Part | None) -> list[Detection]:
    """What a network sees on a part of a photo, stretched to its input by Pillow."""
    source = read_cfg(models / f"{name}.cfg")
    assert source.fit == "stretch"
    weights = read_weights(source, models / f"{name}.weights")
    write_model(folder / "m.ftd", source.network, weights)
    model = load(folder / "m.ftd")
    size = (model.network.input.width, model.network.input.height)
    image = Image.open(photo).convert("RGB").crop(part) if part else Image.open(photo)
    pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR), np.float32)
    with Session(model, make_plan(model, threads=1)) as session:
        outputs = session.run((pixels / 255).transpose(2, 0, 1).copy())
    return detect(model.network, outputs)


@pytest.mark.parametrize(
    ("name", "photo", "part", "label", "score"),
    [
        ("mnv2_yolo_fastest_voc_v2", "dog", None, VOC.index("bicycle"), 0.80),
        ("mnv2_yolo_fastest_voc_v2", "dog", None, VOC.index("dog"), 0.54),
        ("yoloface_50k", "person", (190, 95, 260, 165), 0, 0.73),
        ("yolo-fastest-1.1-xl", "person", None, 0, 0.99),
    ],
)
def test_a_network_sees_what_other_programs_see(
    shared_models: Path,
    shared_photos: Path,
    tmp_path: Path,
    name: str,
    photo: str,
    part: Part | None,
    label: int,
    score: float,
) -> None:
    found = seen(shared_models, name, shared_photos / f"{photo}.jpg", tmp_path, part)
    best = max((each.score for each in found if each.label == label), default=0)
    assert best == pytest.approx(score, abs=0.01)
