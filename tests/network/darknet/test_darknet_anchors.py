"""Which anchors a head has where its section says too little, too much, or not what it means."""

from __future__ import annotations

import pytest

from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.heads import GaussianYoloHead, RegionHead, YoloHead

NET = "[net]\nheight=4\nwidth=4\nchannels=3\n"


def head(kind: str, *options: str) -> tuple[YoloHead | GaussianYoloHead | RegionHead, list[str]]:
    """The head of a section with two anchors of one class, and what is said about it."""
    channels = 2 * (10 if kind == "Gaussian_yolo" else 6)
    lines = "\n".join((f"[conv]\nfilters={channels}", f"[{kind}]\nclasses=1", *options))
    model = parse_cfg(f"{NET}{lines}\n", "net")
    operation = model.network.layers[-1].operation
    assert isinstance(operation, YoloHead | GaussianYoloHead | RegionHead)
    return operation, [remark.partition("]")[2].strip() for remark in model.remarks]


@pytest.mark.parametrize("kind", ["yolo", "Gaussian_yolo"])
def test_a_mask_beyond_num_means_the_anchors_that_are_given(kind) -> None:
    """Darknet keeps `num` pairs and reads the masked ones behind them in memory."""
    found, remarks = head(kind, "num=2", "mask=2,3", "anchors=1,2, 3,4, 5,6, 7,8, 9,9")
    assert found.anchors == ((1, 2), (3, 4), (5, 6), (7, 8))
    assert not isinstance(found, RegionHead) and found.mask == (2, 3)
    assert remarks == ["num: 2 is too few for the mask: 4 of the given count"]


@pytest.mark.parametrize("kind", ["yolo", "Gaussian_yolo"])
def test_a_lost_comma_joins_two_numbers_and_the_last_is_the_default(kind) -> None:
    found, remarks = head(kind, "num=3", "mask=1,2", "anchors = 13,17,  61,45    61,45,  8")
    assert found.anchors == ((13, 17), (61, 4561), (45, 8))
    assert remarks == [
        "anchors: digits with only blanks between them are one number, as in Darknet"
    ]
    found, remarks = head(kind, "num=3", "mask=1,2", "anchors = 13,17,  61,45    61,45")
    assert found.anchors == ((13, 17), (61, 4561), (45, 0.5))
    assert remarks[1:] == [
        "anchors: 5 numbers are given for 3 anchors; the others are 0.5, as in Darknet"
    ]


def test_a_region_has_as_many_anchors_as_it_announces() -> None:
    found, remarks = head("region", "num=2", "anchors=1,2")
    assert found.anchors == ((1, 2), (0.5, 0.5))
    assert remarks == [
        "anchors: 2 numbers are given for 2 anchors; the others are 0.5, as in Darknet"
    ]


def test_more_anchors_than_announced_are_left_out() -> None:
    found, remarks = head("yolo", "num=2", "anchors=1,2, 3,4, 5,6")
    assert found.anchors == ((1, 2), (3, 4))
    assert not isinstance(found, RegionHead) and found.mask == (0, 1)
    assert remarks == []


def test_single_numbers_with_blanks_in_them_are_remarked_on_too() -> None:
    model = parse_cfg("[net]\nheight=1 6\nwidth=4\nchannels=3\n[conv]\nfilters=2\n", "net")
    assert model.network.shape(-1).height == 16
    assert model.remarks == (
        "net:2: [net] height: digits with only blanks between them are one number, as in Darknet",
    )
