"""What reading and writing by rows is said to hold, against what a process then takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.pictures import interlaced, scene
from support.tiffs import DEFLATE, Kind, write_tiff

pytest.importorskip("PIL.Image", reason="pictures need Pillow")
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's VmHWM"
)

SLACK_BYTES = 600_000
"""Code that is run for the first time, and pages that are held in part."""

MEASURED = """
import gc, sys
from contextlib import closing
from pathlib import Path
import numpy as np
from ftdist.pictures.rows.opening import create_rows, open_rows, rehearse_writing, row_memory

def figure(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

for name in sys.argv[1:]:
    path, suffix, dtype = Path(name), *name.split(":")[1:]
    path, out, dtype = Path(name.split(":")[0]), path.with_name("out" + suffix), np.dtype(dtype)
    with closing(open_rows(path)) as source:
        shape = source.shape
        promised = row_memory(source, out, shape, dtype)
        source.rehearse()
        rehearse_writing(out, shape, dtype)
        gc.collect()
        held = figure("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        sink = create_rows(out, shape, dtype, source)
        for top in range(0, shape.height, 8):
            sink.write(source.rows(top, min(top + 8, shape.height)).astype(dtype))
        sink.finish()
    given = 8 * shape.width * shape.channels * (source.dtype.itemsize + dtype.itemsize)
    print(name, figure("VmHWM") - held, promised + given)
"""


def test_no_more_is_held_than_said(tmp_path: Path) -> None:
    picture = scene(2400, 260)
    pixels = np.asarray(picture)
    picture.save(tmp_path / "a.jpg")
    picture.save(tmp_path / "progressive.jpg", progressive=True)
    picture.save(tmp_path / "a.png", compress_level=1)
    picture.convert("P").save(tmp_path / "palette.png", compress_level=1)
    picture.save(tmp_path / "lzw.tif", compression="tiff_lzw")
    interlaced(tmp_path / "interlaced.png", pixels)
    for name, kind in {
        "tiles": Kind(compression=DEFLATE, block=(128, 128), predictor=2),
        "small": Kind(compression=DEFLATE, block=(16, 16)),
        "strip": Kind(compression=DEFLATE, block=260),
        "planes": Kind(compression=DEFLATE, block=64, planes=True),
    }.items():
        write_tiff(tmp_path / f"{name}.tif", pixels, kind)
    floats = Kind(order=">", compression=DEFLATE, predictor=3, block=260)
    write_tiff(tmp_path / "floats.tif", pixels[:120].astype("f4"), floats)
    read = [f"{path}:.tif:u1" for path in sorted(tmp_path.iterdir())]
    writing = (".jpg:u1", ".png:u1", ".png:u2", ".tif:u2", ".tif:f4", ".ppm:u1", ".npy:f4")
    written = [f"{tmp_path / 'tiles.tif'}:{each}" for each in writing]
    command = [sys.executable, "-c", MEASURED, *written, *read]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(read) + len(written)
    for line in lines:
        _, taken, promised = line.rsplit(" ", 2)
        assert int(taken) <= int(promised) + SLACK_BYTES, line
        assert int(promised) < 6_000_000 or "progressive" in line or ".jpg" in line, line
