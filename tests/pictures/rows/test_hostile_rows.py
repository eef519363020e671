"""Whatever a picture file holds: it is read, or refused in one line; memory stays bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.hostile import claiming, cuts, flipped, read_by_rows, samples

pytest.importorskip("PIL.Image", reason="pictures need Pillow")

MOST_BYTES = 24 << 20
FLIPS = 12


def refused_in_one_line(path: Path, folder: Path, before: set[Path]) -> str:
    out = folder / "out.tif"
    line = read_by_rows(path, out, MOST_BYTES)
    assert "\n" not in line and (not line or str(path) in line or str(out) in line)
    assert len(line) < 400 + len(str(path)), line
    assert out.exists() != bool(line)
    out.unlink(missing_ok=True)
    assert set(folder.iterdir()) == before
    return line


def test_flipped_bits_and_cuts(tmp_path: Path) -> None:
    """Nothing else may be raised, and nothing is left of what was begun."""
    refused = read = 0
    for path in samples(tmp_path):
        content = path.read_bytes()
        before = set(tmp_path.iterdir())
        assert not refused_in_one_line(path, tmp_path, before), path
        damaged = [flipped(content, seed) for seed in range(FLIPS)]
        for each in (*damaged, *cuts(content)):
            path.write_bytes(each)
            if refused_in_one_line(path, tmp_path, before):
                refused += 1
            else:
                read += 1
        path.write_bytes(content)
    assert refused > read > 0


PEAK = """
import sys
from pathlib import Path
import numpy
from support.hostile import claiming, read_by_rows, samples

def figure(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

folder, most = Path(sys.argv[1]), int(sys.argv[2])
for path in samples(folder):  # what code and tables take, which a picture of any size does
    read_by_rows(path, folder / "out.tif", most)
held = figure("VmHWM")
for path in claiming(folder):
    line = read_by_rows(path, folder / "out.tif", most)
    print(figure("VmHWM") - held, line)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are Linux's VmHWM")
def test_claims_and_bombs_are_refused_within_the_memory_that_there_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PEAK, str(tmp_path), str(MOST_BYTES)]
    paths = os.pathsep.join(sys.path)  # where the tests' own modules are found
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": paths}
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(claiming(tmp_path))
    for line in lines:
        taken, _, refusal = line.partition(" ")
        assert refusal.startswith(str(tmp_path)), line
        assert int(taken) < MOST_BYTES, line
