"""Picture files of every kind, the way up they ask for, and in every state of health."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.fitted import load_picture
from ftdist.pictures.reading import left_open, opened, read_picture, told

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

RED, BLUE = (250, 10, 20), (10, 20, 250)


def halves(width: int, height: int) -> Any:
    """A picture, red on the left and blue on the right; neither half is symmetric to the other."""
    picture = images.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture


def near(pixel: Any, colour: tuple[int, ...], tolerance: int = 12) -> bool:
    return bool(np.abs(np.asarray(pixel, dtype=int) - colour).max() <= tolerance)


def save_as(picture: Any, path: Path, kind: str) -> None:
    """The same look in another of Pillow's modes."""
    if kind == "I;16":
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        images.fromarray(grey).save(path)
    elif kind == "transparency":
        picture.convert("P").save(path, transparency=255)
    elif kind == "LA":
        picture.convert("L").convert("LA").save(path)
    else:
        picture.convert(kind).save(path)


@pytest.mark.parametrize(
    ("kind", "extension"),
    [
        ("L", "png"),
        ("LA", "png"),
        ("RGBA", "png"),
        ("P", "png"),
        ("P", "gif"),
        ("transparency", "png"),
        ("I;16", "png"),
        ("I;16", "tif"),
        ("I;16", "pgm"),
        ("CMYK", "jpg"),
        ("CMYK", "tif"),
        ("L", "jpg"),
        ("RGB", "bmp"),
        ("RGB", "webp"),
        ("RGB", "ppm"),
        ("RGB", "tif"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_picture_is_converted(
    tmp_path: Path, kind: str, extension: str, channels: int
) -> None:
    path = tmp_path / f"photo.{extension}"
    save_as(halves(120, 60), path, kind)
    pixels, _ = load_picture(path, Shape(30, 60, channels))
    assert pixels.shape == (30, 60, channels)
    grey = channels == 1 or kind in ("L", "LA", "I;16")
    for column, colour in ((10, RED), (50, BLUE)):
        expected = images.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
        assert near(pixels[15, column], (expected,) if grey else colour, 25), f"column {column}"


def test_black_and_white_has_full_contrast(tmp_path: Path) -> None:
    bits = images.new("1", (20, 10), 0)
    bits.paste(1, (10, 0, 20, 10))
    bits.save(tmp_path / "photo.png")
    pixels, _ = load_picture(tmp_path / "photo.png", Shape(10, 20, 3))
    assert (pixels[5, 5].tolist(), pixels[5, 15].tolist()) == ([0] * 3, [255] * 3)


def test_transparency_shows_white_not_what_hides_below(tmp_path: Path) -> None:
    picture = images.new("RGBA", (20, 10), (200, 0, 0, 0))
    picture.paste((0, 90, 0, 255), (10, 0, 20, 10))
    picture.save(tmp_path / "photo.png")
    for pixels in (
        load_picture(tmp_path / "photo.png", Shape(10, 20, 3))[0],
        np.asarray(read_picture(tmp_path / "photo.png")),
    ):
        assert pixels[5, 3].tolist() == [255, 255, 255]
        assert pixels[5, 15].tolist() == [0, 90, 0]


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_as_their_exif_says(
    tmp_path: Path, extension: str, orientation: int
) -> None:
    """The stored rows are turned beforehand the other way; every orientation then looks the same.

    The four quarters of the upright picture (300x160) are of different brightness.
    """
    upright = np.empty((160, 300, 3), dtype=np.uint8)
    upright[:80, :150], upright[:80, 150:], upright[80:, :150], upright[80:, 150:] = (
        10,
        90,
        170,
        250,
    )
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = images.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{extension}"
    images.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    pixels, letterbox = load_picture(path, Shape(64, 64, 3))
    assert (letterbox.picture_width, letterbox.picture_height) == (300, 160)
    assert (letterbox.top, letterbox.content_height) == (15, 34)
    corners = [pixels[row, column, 0] for row in (20, 44) for column in (10, 54)]
    assert near(corners, (10, 90, 170, 250), 6)
    whole: Any = read_picture(path)
    assert whole.size == (300, 160)
    assert near([whole.getpixel(at)[0] for at in ((9, 9), (290, 9), (9, 150))], (10, 90, 170), 6)


@pytest.mark.parametrize(
    ("orientation", "size", "needed", "decoded"),
    [(1, (800, 400), (140, 70), (200, 100)), (6, (400, 800), (150, 300), (400, 200))],
)
def test_a_large_jpeg_is_decoded_no_larger_than_needed(
    tmp_path: Path,
    orientation: int,
    size: tuple[int, int],
    needed: tuple[int, int],
    decoded: tuple[int, int],
) -> None:
    """800x400 where 140x70 are needed: a quarter. Turned it is 400x800, and where 150x300 of that
    are needed, the stored rows must be 300x150 at least: a half."""
    exif = images.Exif()
    exif[0x0112] = orientation
    halves(800, 400).save(tmp_path / "photo.jpg", exif=exif)
    bands = []
    with opened(tmp_path / "photo.jpg") as picture:
        picture.draft("RGB", picture.as_stored(needed))
        picture.bands("RGB", lambda first, band: bands.append((first, band.size)))
    assert picture.size == size
    assert {size[0] for _, size in bands} == {decoded[0]}
    assert sum(size[1] for _, size in bands) == decoded[1]


def hostile_files(folder: Path) -> dict[str, Path]:
    """Files that are no sound pictures, by what is wrong with them."""
    halves(300, 200).save(folder / "sound.jpg")
    halves(300, 200).save(folder / "sound.png")
    sound, png = (folder / "sound.jpg").read_bytes(), (folder / "sound.png").read_bytes()
    contents = {
        "text.jpg": b"not a picture at all\n" * 9,
        "empty.jpg": b"",
        "header.jpg": sound[:20],
        "cut.jpg": sound[: len(sound) // 2],
        "cut.png": png[: len(png) // 2],
        "flipped.png": png[:60] + bytes(255 - each for each in png[60:]),
        "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "zero.gif": b"GIF89a" + bytes(7) + b"," + bytes(9) + b"\x02\x00;",
        "zero.bmp": b"BM"
        + (54).to_bytes(4, "little")
        + bytes(4)
        + (54).to_bytes(4, "little")
        + (40).to_bytes(4, "little")
        + bytes(8)
        + b"\x01\x00\x18\x00"
        + bytes(24),
        "huge.ppm": b"P6 60000 60000 255\n" + bytes(99),
        "early.jpg": sound[: len(sound) // 2] + b"\xff\xd9",
        "bare.jpg": sound[: sound.index(b"\xff\xda") + 14],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


@pytest.mark.filterwarnings("error")
def test_whatever_is_no_picture_ends_in_one_line(tmp_path: Path) -> None:
    for name, path in hostile_files(tmp_path).items():
        for reader in (read_picture, lambda each: load_picture(each, Shape(32, 32, 3))):
            with pytest.raises(InputError) as caught:
                reader(path)
            message = str(caught.value)
            assert message.startswith(f"{path}: "), message
            assert "\n" not in message
            assert "not a picture" in message or name not in ("text.jpg", "script.eps"), message
            cut = name in ("cut.jpg", "cut.png", "early.jpg", "bare.jpg")
            assert ("the file is cut off" in message) == cut, message


def test_missing_files_and_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_picture(tmp_path / "absent.jpg", Shape(32, 32, 3))
    with pytest.raises(InputError, match="not a file"):
        load_picture(tmp_path, Shape(32, 32, 3))


@given(some.data())
def test_damaged_bytes_never_crash(tmp_path_factory: Any, data: some.DataObject) -> None:
    """A photo with bytes overwritten is either read or refused with an InputError."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    kind = data.draw(some.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]))
    halves(40, 30).save(path, kind)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(some.integers(1, 6))):
        content[data.draw(some.integers(0, len(content) - 1))] = data.draw(some.integers(0, 255))
    path.write_bytes(content)
    try:
        pixels, _ = load_picture(path, Shape(16, 16, 3))
    except InputError:
        return
    assert pixels.shape == (16, 16, 3)


def test_without_pillow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves(20, 10).save(tmp_path / "photo.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r"needs Pillow: pip install 'ftdist\[image\]'"):
        load_picture(tmp_path / "photo.png", Shape(10, 20, 3))


MEASURED = """
import sys
from ftdist.answers.drawing.draw import draw, drawing_bytes
from ftdist.pictures.fitted import Letterbox, load_picture, loading_bytes
from ftdist.geometry import Shape

def figure(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

work, path, width, height = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
network = Shape(416, 416, 3)
before = figure("VmHWM")
drawn = drawing_bytes(path, ["dog"], "out.jpg")
promised = loading_bytes(path, network) if work == "load" else drawn
looked, resident = figure("VmHWM"), figure("VmRSS")
if work == "load":
    load_picture(path, network)
else:
    draw(path, [], [], path + ".out.jpg", Letterbox.fit(width, height, network))
print(looked - before, figure("VmHWM") - resident, promised)
"""


def measured(work: str, path: Path, width: int, height: int) -> list[int]:
    """Growth of a fresh process's peak in bytes by looking, and by working then; the promise."""
    command = [sys.executable, "-c", MEASURED, work, str(path), str(width), str(height)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(each) for each in done.stdout.split()]


needs_linux = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peaks are read from Linux's VmHWM"
)


@needs_linux
@pytest.mark.parametrize("work", ["load", "draw"])
@pytest.mark.parametrize(
    ("mode", "name", "options"),
    [
        ("RGB", "photo.jpg", {}),
        ("RGB", "photo.jpg", {"progressive": True, "subsampling": 0}),
        ("RGB", "photo.png", {"compress_level": 1}),
        ("RGBA", "photo.png", {"compress_level": 1}),
        ("CMYK", "photo.jpg", {}),
    ],
)
def test_no_more_is_held_than_said_before(
    tmp_path: Path, work: str, mode: str, name: str, options: dict[str, Any]
) -> None:
    """The promise is made from the header alone, holds, and is not idle."""
    noise = images.effect_noise((2400, 1800), 20).convert("RGB").convert(mode)
    noise.save(tmp_path / name, **options)
    looked, held, promised = measured(work, tmp_path / name, 2400, 1800)
    assert looked < 6 << 20
    assert held <= promised
    assert promised < 2 * held + (12 << 20)


@needs_linux
def test_a_photo_of_12_megapixels_takes_few_mebibytes(tmp_path: Path) -> None:
    images.effect_noise((4000, 3000), 20).convert("RGB").save(tmp_path / "large.jpg")
    _, held, _ = measured("load", tmp_path / "large.jpg", 4000, 3000)
    assert held < 14 << 20


def test_a_damaged_tiff_is_told_in_our_words_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """libtiff would write lines of its own to standard error."""
    path = tmp_path / "photo.tif"
    halves(64, 64).save(path, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    for place in range(40, len(content) - 220):
        content[place] ^= 0x5A
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read the picture"):
        read_picture(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"P6 99999999999999999999 3 255\n", "Token too long in file header: 99999999999"),
        (b"P5\n3 x\n255\n", "invalid literal for int() with base 10: b'x'"),
    ],
)
def test_what_pillow_says_is_put_into_words_of_ours(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused, told(path):
        left_open(path)
    line = f"{path}: cannot read the picture: it is damaged, or of an unusual kind ({reason})"
    assert str(refused.value) == line
