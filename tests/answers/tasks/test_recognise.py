"""Tasks told by shapes, names and words: as exporters write them."""

from __future__ import annotations

import pytest

from ftdist.answers.tasks.recognise import recognise
from ftdist.network.task import ARRAYS, Task

WIDE = (3, 640, 640)


@pytest.mark.parametrize(
    ("source", "outputs", "more", "found"),
    [
        (WIDE, {"output0": (1, 84, 8400)}, {}, ("detect", "columns", 80)),
        (WIDE, {"output0": (1, 116, 8400)}, {"labels": ["a"] * 80}, ("detect", "columns", 80)),
        (WIDE, {"output": (1, 25200, 85)}, {}, ("detect", "rows", 80)),
        ((3, 320, 512), {"output": (1, 10080, 7)}, {}, ("detect", "rows", 2)),
        ((3, 192, 192), {"output": (1, 756, 6)}, {}, ("detect", "grid_rows", 1)),
        (WIDE, {"output": (1, 300, 84)}, {}, ("detect", "rows_plain", 80)),
        (WIDE, {"output0": (1, 300, 6)}, {}, ("detect", "selected", 0)),
        (WIDE, {"output": (100, 7)}, {}, ("detect", "selected", 0)),
        (
            (3, 480, 640),
            {"scores": (1, 17640, 2), "boxes": (1, 17640, 4)},
            {},
            ("detect", "pairs", 2),
        ),
        (
            WIDE,
            {
                "num_dets": (1, 1),
                "det_boxes": (1, 100, 4),
                "det_scores": (1, 100),
                "det_classes": (1, 100),
            },
            {},
            ("detect", "counted", 0),
        ),
        (
            (3, 320, 320),
            {"boxes": (300, 4), "2342": (300,), "2345": (300,)},
            {"scored": 91},
            ("detect", "counted", 91),
        ),
        (
            (3, 480, 640),
            {"heatmap": (1, 1, 120, 160), "scale": (1, 2, 120, 160), "offset": (1, 2, 120, 160)},
            {},
            ("detect", "centres", 1),
        ),
        ((3, 224, 224), {"logits": (1, 1000)}, {}, ("classify", "", 1000)),
        ((3, 224, 224), {"prob": (1, 1000, 1, 1)}, {}, ("classify", "", 1000)),
        ((3, 48, 192), {"x": (1, 2)}, {"probabilities": True}, ("classify", "", 2)),
        ((3, 48, 192), {"x": (1, 3)}, {"labels": ["a", "b", "c"]}, ("classify", "", 3)),
        ((3, 64, 64), {"output": (1, 3)}, {}, ("arrays", "", 0)),
        ((1, 32, 128), {"Transpose_7": (32, 1, 37)}, {}, ("arrays", "", 0)),
        ((3, 64, 96), {"transpose_0": (1, 24, 32, 48)}, {}, ("segment", "", 24)),
        ((3, 64, 96), {"my_pose": (1, 24, 32, 48)}, {}, ("points", "peaks", 0)),
        (
            (3, 64, 96),
            {"enhanced": (1, 3, 64, 96), "curves": (1, 24, 64, 96)},
            {},
            ("image", "", 0),
        ),
        (
            (3, 64, 96),
            {
                "enhanced_1": (1, 3, 64, 96),
                "enhanced": (1, 3, 64, 96),
                "curves": (1, 24, 64, 96),
            },
            {},
            ("image", "", 0),
        ),
        ((3, 64, 96), {"a": (1, 3, 64, 96), "b": (1, 24, 64, 96)}, {}, ("arrays", "", 0)),
        ((1, 64, 64), {"ab": (1, 2, 64, 64)}, {"words": "colorization"}, ("arrays", "", 0)),
        ((1, 64, 64), {"ab": (1, 2, 64, 64)}, {}, ("segment", "", 2)),
        ((3, 320, 320), {"output0": (1, 84, 500)}, {}, ("detect", "columns", 80)),
        ((3, 320, 320), {"output0": (1, 84, 8500)}, {}, ("detect", "columns", 80)),
        (
            (3, 320, 320),
            {f"class{n}": (1, 810, n, n) for n in (40, 20, 10, 5, 3)}
            | {f"box{n}": (1, 36, n, n) for n in (40, 20, 10, 5, 3)},
            {},
            ("arrays", "", 0),
        ),
        ((3, 256, 256), {"mask": (1, 3, 256, 256)}, {}, ("segment", "", 3)),
        ((3, 256, 256), {"y": (1, 3, 256, 256)}, {"words": "portrait"}, ("image", "", 0)),
        ((3, 64, 64), {"logits": (1, 2)}, {}, ("classify", "", 2)),
        ((3, 224, 224), {"last_hidden_state": (1, 257, 192)}, {}, ("arrays", "", 0)),
        ((3, 224, 224), {"predicted_depth": (1, 224, 224)}, {}, ("image", "", 0)),
        ((3, 128, 128), {"anomaly_map": (1, 1, 128, 128), "y": (1,)}, {}, ("image", "", 0)),
        ((3, 512, 512), {"output": (1, 1, 512, 512)}, {"words": "modnet"}, ("segment", "", 1)),
        ((3, 256, 128), {"identity": (1, 256)}, {}, ("arrays", "", 0)),
        ((1, 224, 224), {"y": (1, 1, 672, 672)}, {}, ("image", "", 0)),
        ((3, 156, 156), {"y": (1, 3, 284, 284)}, {}, ("image", "", 0)),
        ((3, 320, 480), {"y": (1, 320, 480, 3)}, {}, ("image", "", 0)),
        ((3, 512, 896), {"y": (1, 512, 896, 4)}, {}, ("segment", "", 4)),
        ((3, 144, 256), {"y": (1, 144, 256, 1)}, {}, ("segment", "", 1)),
        ((3, 257, 257), {"a": (1, 17, 17, 32), "segments": (1, 17, 17, 1)}, {}, ("segment", "", 1)),
        (
            (3, 520, 520),
            {"out": (1, 21, 520, 520), "aux": (1, 21, 520, 520)},
            {},
            ("segment", "", 21),
        ),
        ((3, 520, 520), {"a": (1, 21, 520, 520), "b": (1, 4, 520, 520)}, {}, ("arrays", "", 0)),
        ((3, 320, 320), {f"d{n}": (1, 1, 320, 320) for n in range(7)}, {}, ("segment", "", 1)),
        (
            (3, 256, 256),
            {f"m{n}": (1, 1, 256, 256) for n in range(6)}
            | {f"f{n}": (1, 64 << n, 128 >> n, 128 >> n) for n in range(4)},
            {},
            ("segment", "", 1),
        ),
        ((3, 512, 1024), {"classes": (1, 512, 1024)}, {}, ("segment", "", 1)),
        ((3, 256, 256), {"y": (1, 256, 256)}, {"words": "midas_v21"}, ("image", "", 0)),
        (
            (3, 500, 500),
            {f"side{n}": (1, 1, 500, 500) for n in range(5)} | {"fuse": (1, 1, 500, 500)},
            {"words": "hed"},
            ("image", "", 0),
        ),
        (WIDE, {"output0": (1, 56, 8400)}, {"words": "task pose"}, ("detect", "columns", 1)),
        (WIDE, {"output0": (1, 20, 8400)}, {"words": "yolov8-face"}, ("detect", "columns", 1)),
        (
            WIDE,
            {"output0": (1, 116, 8400), "output1": (1, 32, 160, 160)},
            {},
            ("detect", "columns", 80),
        ),
        (WIDE, {"output": (1, 25200, 57)}, {"words": "yolov7-w6-pose"}, ("detect", "rows", 1)),
        ((3, 416, 416), {"output": (1, 3598, 112)}, {}, ("detect", "bins", 80)),
        (
            (3, 640, 640),
            {"loc": (1, 16800, 4), "conf": (1, 16800, 2), "landms": (1, 16800, 10)},
            {},
            ("detect", "pairs", 2),
        ),
        (WIDE, {"dets": (1, 300, 4), "labels": (1, 300, 91)}, {}, ("detect", "queries", 91)),
        (WIDE, {"dets": (1, 100, 5), "labels": (1, 100)}, {}, ("detect", "scored", 0)),
        ((3, 300, 300), {"detection_out": (1, 1, 200, 7)}, {}, ("detect", "selected", 0)),
        (
            (3, 416, 416),
            {"a": (1, 255, 13, 13), "b": (1, 255, 26, 26), "c": (1, 255, 52, 52)},
            {},
            ("detect", "yolo3_maps", 80),
        ),
        (
            WIDE,
            {"a": (1, 3, 80, 80, 85), "b": (1, 3, 40, 40, 85), "c": (1, 3, 20, 20, 85)},
            {},
            ("detect", "yolo5_maps", 80),
        ),
        (
            WIDE,
            {"a": (1, 144, 80, 80), "b": (1, 144, 40, 40), "c": (1, 144, 20, 20)},
            {},
            ("detect", "bin_maps", 80),
        ),
        (
            (3, 480, 640),
            {
                "537": (1, 1, 120, 160),
                "538": (1, 2, 120, 160),
                "539": (1, 2, 120, 160),
                "540": (1, 10, 120, 160),
            },
            {},
            ("detect", "centres_exp", 1),
        ),
        ((3, 256, 192), {"output": (1, 17, 64, 48)}, {}, ("points", "peaks", 0)),
        ((3, 256, 256), {"y": (1, 16, 64, 64)}, {"words": "hourglass"}, ("points", "peaks", 0)),
        ((3, 512, 512), {"y": (1, 19, 128, 128)}, {"words": "segformer"}, ("segment", "", 19)),
        (
            (3, 256, 192),
            {"simcc_x": (1, 17, 384), "simcc_y": (1, 17, 512)},
            {},
            ("points", "simcc", 0),
        ),
        (
            (3, 192, 192),
            {"output_0": (1, 1, 17, 3)},
            {"words": "movenet"},
            ("points", "rows_first", 0),
        ),
        ((3, 112, 112), {"y": (1, 196)}, {"words": "pfld"}, ("points", "", 0)),
        ((3, 224, 224), {"features": (1, 2048)}, {}, ("arrays", "", 0)),
        ((3, 224, 224), {"y": (1, 2048)}, {"probabilities": True}, ("classify", "", 2048)),
        ((3, 192, 192), {"c": (1, 1404, 1, 1), "d": (1, 1, 1, 1)}, {}, ("arrays", "", 0)),
        (
            (3, 192, 192),
            {"c": (1, 1404, 1, 1), "d": (1, 1, 1, 1)},
            {"words": "face_landmark"},
            ("points", "", 0),
        ),
    ],
)
def test_a_task_is_told_by_its_outputs(source, outputs, more, found) -> None:
    task = recognise(source, outputs, **more)
    assert (task.kind, task.layout, task.classes) == found
    assert set(task.outputs) <= set(outputs)
    assert Task.from_json(task.to_json()) == task


def test_the_last_of_several_steps_is_shown() -> None:
    """Zero-DCE hands on an earlier picture, and the curves that make both."""
    shapes = {"enhanced_1": (1, 3, 64, 96), "enhanced": (1, 3, 64, 96), "r": (1, 24, 64, 96)}
    assert recognise((3, 64, 96), shapes).outputs == ("enhanced",)


def test_pairs_name_boxes_first() -> None:
    outputs = {"scores": (1, 100, 2), "boxes": (1, 100, 4)}
    assert recognise((3, 99, 99), outputs).outputs == ("boxes", "scores")


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {**ARRAYS.to_json(), "kind": "dream"},
        {**ARRAYS.to_json(), "layout": 3},
        {**ARRAYS.to_json(), "classes": -1},
        {**ARRAYS.to_json(), "classes": True},
        {**ARRAYS.to_json(), "outputs": "boxes"},
        {**ARRAYS.to_json(), "outputs": [1]},
        {**ARRAYS.to_json(), "more": 1},
    ],
)
def test_what_is_no_task_is_refused(value) -> None:
    with pytest.raises(ValueError, match="makes no sense"):
        Task.from_json(value)
