"""The memory that parts take is what is predicted for them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.command import measured

from ftdist.geometry import Region
from ftdist.planning.lowering.predictor import SLACK_BYTES, THREAD_BYTES
from ftdist.runtime.budget.memory import MIB

_PEAK = """
import json, sys
import numpy as np
from ftdist.geometry import Region
from ftdist.network.modelfile import load
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import footprint
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.runtime.budget.memory import peak_resident_bytes, resident_bytes
from ftdist.runtime.runner import Runner
model = load(sys.argv[1])
network, threads = model.network, int(sys.argv[2])
runner = Runner(model, threads=threads)

def run(first, stop, region):
    groups = GroupPlan(first, stop - 2, threads, 1, 4), GroupPlan(stop - 2, stop, 1, threads)
    lowered = lower(network, Plan(groups, threads, region=region), model.offsets, picture=False)
    baseline = resident_bytes() - sum(runner.held.values())
    inputs = {
        source: np.ones((*(side.size for side in (r.rows, r.columns)), network.shape(source)[2]),
                        np.float32)
        for source, r in lowered.inputs.items()
    }
    runner.prepare(lowered, most_block_bytes=0)
    runner.run(lowered, inputs)
    taken = footprint(lowered, network, baseline)
    predicted = taken.peak_bytes - taken.slack
    return predicted, peak_resident_bytes()

run(0, 4, Region(0, 2, 0, 2))  # what the first run of all brings in counts as baseline
parts = json.loads(sys.argv[3])
print(json.dumps([run(first, stop, Region(*region)) for first, stop, region in parts]))
"""
"""Parts one after another, each with what was predicted and the peak so far."""

Peaks = list[tuple[int, int]]


def peaks_of(model: Path, folder: Path, threads: int, *parts: tuple[int, int, Region]) -> Peaks:
    """(predicted, measured) after each of these parts of a model's layers [first, stop)."""
    outcome = measured(
        sys.executable, "-c", _PEAK, model, threads, json.dumps(parts), folder=folder
    )
    assert outcome.status == 0, outcome
    return [tuple(each) for each in json.loads(outcome.out)]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_peak_of_parts_is_predicted(first16_file: Path, tmp_path: Path, threads: int) -> None:
    parts = (8, 16, Region(0, 38, 0, 38)), (0, 4, Region(0, 152, 0, 152))
    predicted, peaks = zip(*peaks_of(first16_file, tmp_path, threads, *parts), strict=True)
    slack = SLACK_BYTES + (threads - 1) * THREAD_BYTES
    assert peaks[0] <= predicted[0] + slack
    assert predicted[0] - peaks[0] <= MIB, "and nothing is predicted that is not there"
    assert predicted[1] > predicted[0], "the second part is the larger one"
    assert predicted[1] - MIB <= peaks[1] <= predicted[1] + slack


def test_weights_of_the_part_before_go_first(first16_file: Path, tmp_path: Path) -> None:
    """10 MiB of weights, after 2.3 MiB of others, with hardly anything beside them."""
    rows = Region(0, 2, 0, 38)
    found = peaks_of(first16_file, tmp_path, 1, (8, 11, rows), (12, 15, rows))
    predicted, peak = found[1]
    assert predicted - MIB <= peak <= predicted + SLACK_BYTES
