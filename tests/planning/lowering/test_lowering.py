"""Golden numbers: the multiply-accumulates of published tilings, read off the lowered programs."""

from __future__ import annotations

import pytest

from ftdist.kernels.program import op
from ftdist.network import architectures
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import parse_notation
from ftdist.planning.weights import unplaced

UNTILED_MACS = 13_000_343_552
"""13.0 GMAC: YOLOv2's first 16 layers at 608x608."""


@pytest.fixture(scope="module")
def yolov2():
    return architectures.load("yolov2-first16").network


def macs(network, notation):
    """The sum over all calls of all tiles, from the kernels' own sizes."""
    blobs = unplaced(network)
    lowered = lower(network, parse_notation(notation, network), blobs, picture=True)
    total = 0
    for group in lowered.programs:
        for tile in range(group.tiles):
            program = group.program(tile)
            for call in program.calls:
                k = program.kernels[call["kernel"]]
                if k["op"] in (op("convolution"), op("depthwise")):
                    taps = int(k["kernel_height"]) * int(k["kernel_width"])
                    depth = int(k["channels"]) // int(k["groups"])
                    pooled = int(k["pool_height"]) * int(k["pool_width"])
                    positions = int(call["rows"]) * int(k["right"] - k["left"]) * pooled
                    total += positions * int(k["filters"]) * depth * taps
    return total


def test_untiled_is_every_output_once(yolov2) -> None:
    expected = sum(
        layer.shape.height * layer.shape.width * yolov2.macs(number)
        for number, layer in enumerate(yolov2.layers)
    )
    assert macs(yolov2, "1x1") == expected == UNTILED_MACS


@pytest.mark.parametrize(
    ("notation", "factor"),
    [
        ("2x2", 1.247),
        ("3x3", 1.529),
        ("5x5", 2.196),
        ("2x2/8/2x2", 1.098),
        ("3x3/8/2x2", 1.111),
        ("5x5/8/2x2", 1.137),
        ("5x5/12/2x2", 1.311),
        ("5x5/4/2x2", 1.186),
    ],
)
def test_tiles_recompute_their_halos_as_published(yolov2, notation, factor) -> None:
    assert round(macs(yolov2, notation) / UNTILED_MACS, 3) == factor


@pytest.mark.parametrize("notation", ["1x1s1", "1x1s2", "1x1s7", "1x1s4/8/1x1s2"])
def test_strips_recompute_nothing(yolov2, notation) -> None:
    assert macs(yolov2, notation) == UNTILED_MACS


@pytest.mark.parametrize("notation", ["2x2", "5x5/8/2x2"])
def test_strips_change_no_tile_s_work(yolov2, notation) -> None:
    grids = notation.split("/")
    striped = "/".join(part + "s3" if "x" in part else part for part in grids)
    assert macs(yolov2, striped) == macs(yolov2, notation)
