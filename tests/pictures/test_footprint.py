"""What reading and drawing are said to hold, against the peaks of fresh processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.pictures import KINDS, interlaced, saved, scene

from ftdist.pictures.reading import opened

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peaks are read from Linux's VmHWM"
)

MIB = 1 << 20

MEASURED = """
import random, sys
import numpy
from ftdist.answers.decode import Detection
from ftdist.pictures.fitting import Box
from ftdist.answers.drawing.draw import draw, drawing_bytes
from ftdist.pictures.fitting import Letterbox
from ftdist.pictures.fitted import load_picture, loading_bytes
from ftdist.pictures.reading import opened
from ftdist.geometry import Shape

def figure(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

network = Shape(416, 416, 3)
names = ["person", "traffic light", "dog"]
out = sys.argv[1]
for path in sys.argv[2:]:
    promised = loading_bytes(path, network) if out == "-" else drawing_bytes(path, names, out)
    with opened(path) as picture:
        size = picture.size
    held = figure("VmRSS")
    if out == "-":
        load_picture(path, network)
    else:
        chance = random.Random(1)
        sides = [sorted(chance.random() for _ in range(2)) for _ in range(80)]
        boxes = [Box(x[0], y[0], x[1], y[1]) for x, y in zip(sides[::2], sides[1::2])]
        seen = [Detection(n % 3, chance.random(), box) for n, box in enumerate(boxes)]
        draw(path, seen, names, out, Letterbox.fit(*size, network))
    print(figure("VmHWM") - held, held, promised)
"""


def measured(out: Path | str, path: Path) -> tuple[int, int, int]:
    """What a fresh process took for it, what it held before, and what was promised."""
    command = [sys.executable, "-c", MEASURED, str(out), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    taken, held, promised = (int(each) for each in done.stdout.split())
    return taken, held, promised


def check(taken: int, held: int, promised: int) -> None:
    """Never more than promised; the promise as near as a whole process's peak is predicted, or
    nearly: code that others have brought in before is promised here, too."""
    assert taken <= promised
    assert held + promised <= 1.05 * (held + taken) + 2 * MIB


SIZES = [(1400, 1100), (3000, 40), (40, 3000)]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_holds_what_it_says(tmp_path: Path, kind: str) -> None:
    size = SIZES[list(KINDS).index(kind) % len(SIZES)]
    check(*measured("-", saved(tmp_path, kind, *size)))


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("baseline", (4000, 3000)),
        ("progressive", (4000, 3000)),
        ("png", (30_000, 100)),
        ("baseline", (30_000, 100)),
        ("webp", (1500, 1500)),
        ("tiff-lzw", (1500, 1500)),
    ],
)
def test_reading_large_pictures_holds_what_it_says(
    tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    check(*measured("-", saved(tmp_path, kind, *size)))


def test_reading_an_interlaced_png_holds_what_it_says(tmp_path: Path) -> None:
    path = interlaced(tmp_path / "photo.png", np.asarray(scene(1500, 1500)))
    check(*measured("-", path))


@pytest.mark.parametrize("extension", ["jpg", "png"])
@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("baseline", (4000, 3000)),
        ("png", (2000, 1500)),
        ("png", (60_000, 200)),
        ("progressive", (1500, 1500)),
    ],
)
def test_drawing_holds_what_it_says(
    tmp_path: Path, kind: str, size: tuple[int, int], extension: str
) -> None:
    check(*measured(tmp_path / f"out.{extension}", saved(tmp_path, kind, *size)))


def test_what_is_held_later_takes_the_place_of_coefficients(tmp_path: Path) -> None:
    for kind, more in (("progressive", 0), ("baseline", MIB)):
        with opened(saved(tmp_path, kind, 1500, 1500)) as picture:
            assert picture.showing_bytes(MIB) == picture.showing_bytes() + more


def test_drawing_a_photo_that_is_stored_turned_takes_no_more(tmp_path: Path) -> None:
    exif = images.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, "baseline", 3000, 2000, exif=exif)
    check(*measured(tmp_path / "out.jpg", path))


def test_a_flat_png_cannot_make_more_rows_than_are_counted(tmp_path: Path) -> None:
    """A piece of its data holds a thousand times as much: 24 megapixels in 70 KB."""
    images.new("RGB", (6000, 4000), (7, 8, 9)).save(tmp_path / "flat.png")
    taken, _, promised = measured("-", tmp_path / "flat.png")
    assert taken <= promised < 6 * MIB


@pytest.mark.parametrize("early", [False, True])
def test_a_jpeg_that_ends_early_makes_no_rows_up(tmp_path: Path, early: bool) -> None:
    """libjpeg would fill 24 megapixels with grey; we stop before, and say what is missing."""
    path = saved(tmp_path, "baseline", 1000, 700)
    content = bytearray(path.read_bytes())
    frame = content.index(b"\xff\xc0") + 5
    content[frame : frame + 4] = (4000).to_bytes(2, "big") + (6000).to_bytes(2, "big")
    path.write_bytes(bytes(content) if early else bytes(content[:-2]))
    script = MEASURED.replace("        load_picture(path, network)\n", REFUSED)
    command = [sys.executable, "-c", script, "-", str(path)]
    done: Any = subprocess.run(command, capture_output=True, text=True, check=True)
    refusal, figures = done.stdout.splitlines()
    assert "the file is cut off" in refusal
    taken, _, promised = (int(each) for each in figures.split())
    assert taken <= promised < 8 * MIB


REFUSED = """        try:
            load_picture(path, network)
        except Exception as error:
            print(error)
"""
