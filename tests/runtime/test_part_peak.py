"""The memory that parts take is what is predicted for them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command import measured

from ftdist.planning.predictor import SLACK_BYTES, THREAD_BYTES
from ftdist.runtime.memory import MIB

_PEAK = """
import json, sys
import numpy as np
from ftdist.geometry import Region
from ftdist.network.modelfile import load
from ftdist.planning.part import Part, lower_part
from ftdist.planning.plan import GroupPlan
from ftdist.runtime.memory import peak_resident_bytes, resident_bytes
from ftdist.runtime.part import PartRunner, part_footprint
model = load(sys.argv[1])
network, threads = model.network, int(sys.argv[2])
runner = PartRunner(model, threads=threads)

def run(first, stop, region):
    groups = GroupPlan(first, stop - 2, threads, 1, 4), GroupPlan(stop - 2, stop, 1, threads)
    lowered = lower_part(network, Part(groups, region, threads), model.offsets, picture=False)
    baseline = resident_bytes() - sum(runner.held.values())
    inputs = {
        source: np.ones((*(side.size for side in (r.rows, r.columns)), network.shape(source)[2]),
                        np.float32)
        for source, r in lowered.inputs.items()
    }
    runner.run(lowered, inputs, most_block_bytes=0)
    predicted = baseline + sum(part_footprint(network, lowered).values())
    return predicted, peak_resident_bytes()

run(0, 4, Region(0, 2, 0, 2))  # what the first run of all brings in counts as baseline
print(json.dumps([run(8, 16, Region(0, 38, 0, 38)), run(0, 4, Region(0, 152, 0, 152))]))
"""
"""Two parts one after another, with what was predicted and the peak so far."""


@pytest.mark.parametrize("threads", [1, 2])
def test_the_peak_of_parts_is_predicted(first16_file: Path, tmp_path: Path, threads: int) -> None:
    outcome = measured(sys.executable, "-c", _PEAK, first16_file, threads, folder=tmp_path)
    assert outcome.status == 0, outcome
    predicted, peaks = zip(*json.loads(outcome.out), strict=True)
    slack = SLACK_BYTES + (threads - 1) * THREAD_BYTES
    assert peaks[0] <= predicted[0] + slack
    assert predicted[0] - peaks[0] <= MIB, "and nothing is predicted that is not there"
    assert predicted[1] > predicted[0], "the second part is the larger one"
    assert predicted[1] - MIB <= peaks[1] <= predicted[1] + slack
