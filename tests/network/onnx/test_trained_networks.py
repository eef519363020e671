"""Trained networks against onnxruntime, and the same bits whatever the plan is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import arrays_for, computed, expected, imported
from support.randomplans import random_plan

TRAINED = Path(__file__).parents[4] / "shared" / "models"

EXACT = (
    *("bodypix_mnv1_050_s16", "dncnn6_M", "face_landmark_468", "mnist_8", "palm_detection"),
    *("realesr_animevideov3_x4", "superres_espcn_x3", "tbefn_320x480", "sci_320x480"),
    *("waifu2x_upconv7_photo", "yolo-fastest-1.1-xl"),
)
"""Those without exponentials and normalization."""

OTHERS = (
    *("blazeface_front", "faceboxes_v2", "fsanet_1x1", "light_person_detector", "mtcnn_pnet"),
    *("mtcnn_rnet", "person_reid_0288", "ppocr2_cls", "road_seg_adas_0001", "sinet_portrait"),
    *("selfie_seg_landscape", "ultraface-RFB-640"),
)


@pytest.mark.parametrize("name", [*EXACT, *OTHERS])
def test_trained_networks_agree_and_no_plan_changes_a_bit(name: str) -> None:
    path = TRAINED / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"TRAINED NETWORKS ARE ABSENT: {path}")
    model = imported(path, size=(96, 96))
    arrays = arrays_for(model)
    once = computed(model, arrays)
    for output, wanted in expected(path, arrays).items():
        assert once[output].shape == wanted.shape, output
        error = np.abs(once[output] - wanted).max() / max(np.abs(wanted).max(), 1e-6)
        assert error <= (1e-5 if name in EXACT else 1e-4), (output, error)
    for seed in range(2):
        plan = random_plan(model.network, seed, threads=seed + 1)
        for output, array in computed(model, arrays, plan).items():
            np.testing.assert_array_equal(array.view(np.uint32), once[output].view(np.uint32))
