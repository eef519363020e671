"""Bands for several workers: how high they are, and what workers need for them."""

from __future__ import annotations

import pytest
from support.planning.workers import MIB, worker

from ftdist.errors import BudgetError
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.windows import Convolution
from ftdist.planning.bands.height import band_bytes, shared_rows, unbandable
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.bands.plan import unit_rows
from ftdist.planning.bands.sharing import share_bands
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import footprint
from ftdist.planning.weights import unplaced

BUDGETS = (("large", 128), ("small", 44), ("tiny", 37))
"""Workers' budgets in MiB, of which 36 are taken when they are idle."""


def layers(height: int = 4096, width: int = 2048, outputs: int = 1) -> Network:
    """Four 3x3 convolutions of 16 channels over a large grey picture."""
    builder = NetworkBuilder("large", Shape(height, width, 1))
    same = Sliding.square(3, padding=1)
    for number in range(4):
        builder.add(Convolution(16 if number < 3 else 1, same), [number - 1 if number else INPUT])
    for _ in range(outputs - 1):
        builder.add(Convolution(1, same), [0])
    return builder.finish()


def test_bands_are_as_high_as_lets_some_fit_the_memory() -> None:
    network = layers()
    found = {memory: shared_rows(network, memory * MIB) for memory in (1, 2, 4, 8, 64)}
    assert list(found.values()) == sorted(found.values())
    assert found[64] == 4096 // 32  # no fewer bands than workers can share
    for memory, rows in found.items():
        assert rows % unit_rows(network) == 0
        assert 8 * band_bytes(network, rows, picture=True) <= memory * MIB
    assert shared_rows(network, 1000) == 0


def test_a_band_takes_its_rows_and_not_the_picture() -> None:
    network = layers()
    bands = NumberedBands(network, 64)
    region = bands.input(bands.inner)
    assert 64 + 2 * 4 <= region.rows.size < 64 + 2 * 4 * 5
    expected = region.size + 64 * 2048 * 4
    assert band_bytes(network, 64, picture=True) == expected


def test_each_worker_computes_bands_by_what_it_can_hold() -> None:
    network = layers()
    workers = [worker(name, budget_mib=mib) for name, mib in BUDGETS]
    plan = share_bands(network, 64, tuple(workers), 100, True)
    ((tile,),) = plan.stages
    assert tile.worker is None and tile.parts[0] is not None
    assert tile.parts[2] is None and "tiny" in plan.note
    bands = NumberedBands(network, 64)
    assert tile.parts[0].region == bands.region(bands.inner)
    for each, part in zip(workers, tile.parts, strict=True):
        if part is not None:
            lowered = lower(network, part, unplaced(network), picture=True)
            taken = footprint(lowered, network).peak_bytes
            assert taken + each.baseline_bytes < each.budget_bytes


def test_who_can_hold_no_band_is_told_what_it_needs() -> None:
    with pytest.raises(BudgetError, match="no worker can hold a band of 64 rows of large: tiny"):
        share_bands(layers(), 64, (worker("tiny", budget_mib=37),), 10, True)


def test_the_arithmetic_of_frames_under_way_is_kept() -> None:
    workers = (worker("one"),)
    free = share_bands(layers(), 64, workers, 10, True)
    assert (
        free.arithmetic
        and not share_bands(layers(), 64, workers, 10, True, arithmetic=()).arithmetic
    )


def test_what_is_not_computed_in_bands() -> None:
    assert not unbandable(layers())
    assert "several" in unbandable(layers(outputs=2))
    builder = NetworkBuilder("joined", Shape(8, 8, 1))
    builder.add(Concatenate(), [INPUT, INPUT])
    assert not unbandable(builder.finish())
