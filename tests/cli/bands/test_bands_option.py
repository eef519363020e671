"""`ftdist run --bands`: the file is that of a whole run, and what was predicted came true."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.command import (
    COUNT_ERROR_BYTES,
    ftdist_command,
    measured_ftdist,
)
from support.tiffs import DEFLATE, Kind, write_tiff

from ftdist.pictures.rows.opening import open_rows

HEIGHT, WIDTH = 500, 700


def write_network(
    path: Path, channels: int, *, gated: bool = False, side: int = 3, padded: bool = True
) -> None:
    """Convolutions that blur, and enlarge twice, at any size; `gated` by the mean of the whole.

    The first one's kernels are `side` x `side`; unless it is `padded` a border is lost.
    """
    generator = np.random.default_rng(0)
    first = generator.random((8, channels, side, side), np.float32) / (side * side * channels)
    second = generator.random((4 * channels, 8, 3, 3), np.float32) / 72
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"], pads=[padded * side // 2] * 4),
        helper.make_node("GlobalAveragePool", ["a"], ["mean"]),
        helper.make_node("Mul" if gated else "Identity", ["a", "mean"][: 1 + gated], ["c"]),
        helper.make_node("Conv", ["c", "w"], ["b"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["b"], ["y"], blocksize=2),
    ]
    sizes: tuple[list[int | str], ...] = ([1, channels, "h", "w"], [1, channels, "H", "W"])
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
        for name, size in zip("xy", sizes, strict=True)
    ]
    weights = [numpy_helper.from_array(first, "v"), numpy_helper.from_array(second, "w")]
    graph = helper.make_graph(nodes, "twice", ports[:1], ports[1:], weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), path)


def write_ppm(path: Path, height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bands")
    write_network(folder / "grey.onnx", 1)
    write_network(folder / "colours.onnx", 3)
    write_network(folder / "gated.onnx", 3, gated=True)
    for channels, name in ((1, "inner_grey.onnx"), (3, "inner.onnx")):
        write_network(folder / name, channels, side=7, padded=False)
    write_ppm(folder / "photo.ppm", HEIGHT, WIDTH)
    return folder


@pytest.mark.parametrize(
    ("network", "ending"),
    [("grey.onnx", "ppm"), ("colours.onnx", "ppm"), ("colours.onnx", "npy"), ("gated.onnx", "ppm"),
     ("inner_grey.onnx", "ppm"), ("inner.onnx", "ppm")],
)  # fmt: skip
def test_bands_write_what_a_whole_run_writes(folder: Path, network: str, ending: str) -> None:
    for bands in ("always", "never"):
        command = ("run", network, "photo.ppm", "-o", f"{bands}.{ending}", "--bands", bands)
        outcome = ftdist_command(*command, "--exact-direct", folder=folder)
        assert outcome.status == 0, outcome
    found, expected = ((folder / f"{each}.{ending}").read_bytes() for each in ("always", "never"))
    assert found == expected


def test_a_picture_too_large_for_its_budget_is_computed_in_bands(folder: Path) -> None:
    write_ppm(folder / "large.ppm", 3000, 2000)
    command = ("run", "colours.onnx", "large.ppm", "-o", "made.ppm", "--json", "report.json")
    for _ in range(2):  # the first imports the network
        outcome = measured_ftdist(*command, "--mem", "64M", folder=folder)
        assert outcome.status == 0, outcome
    report = json.loads((folder / "report.json").read_text())
    assert report["plan"]["bands"]["count"] > 1
    assert outcome.peak_bytes <= report["predicted"]["peak_bytes"] + COUNT_ERROR_BYTES
    assert report["predicted"]["peak_bytes"] <= 64 << 20


def test_what_cannot_be_computed_in_bands_is_one_line(folder: Path) -> None:
    command = ("run", "grey.onnx", "photo.ppm", "--bands", "always")
    outcome = ftdist_command(*command, folder=folder)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1 and "name one picture or .npy file by -o" in outcome.err


@pytest.mark.parametrize(("network", "lost"), [("colours", 0), ("inner", 3)])
def test_a_tiff_of_fractions_decides_the_size_and_keeps_its_place(
    folder: Path, network: str, lost: int
) -> None:
    """Pillow reads none such; and twice the pixels have half the size on the earth. Where a border
    is lost the point that was at its corner is beyond what is left."""
    pixels = np.random.default_rng(0).random((61, 75, 3), np.float32)
    scale, point = (0.5, 0.5, 0.0), (0.0, 0.0, 0.0, 7.0, 47.0, 0.0)
    kind = Kind(compression=DEFLATE, predictor=3, more={33550: (12, scale), 33922: (12, point)})
    write_tiff(folder / "map.tif", pixels, kind)
    run = ("run", folder / f"{network}.onnx", folder / "map.tif", "--bands", "always")
    outcome = measured_ftdist(*run, "-o", folder / "larger.tif", folder=folder)
    assert outcome.status == 0, outcome
    with closing(open_rows(folder / "larger.tif")) as made:
        assert made.shape[:2] == (122 - 4 * lost, 150 - 4 * lost)
        assert made.tags[33550] == (0.25, 0.25, 0.0)
        assert made.tags[33922] == (-2.0 * lost, -2.0 * lost, *point[2:])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int16])
def test_fractions_are_the_networks_own_numbers_or_are_refused_with_what_to_do(
    folder: Path, tmp_path: Path, dtype: type
) -> None:
    """The oracle is a run of the same numbers as an array."""
    pixels: np.ndarray = (100 * np.random.default_rng(3).random((60, 76, 3))).astype(dtype)
    picture = write_tiff(tmp_path / "map.tif", pixels, Kind())
    np.save(tmp_path / "map.npy", pixels.transpose(2, 0, 1)[None].astype(np.float32))
    network = folder / "colours.onnx"
    for given, made in ((picture, "made.npy"), (tmp_path / "map.npy", "wanted.npy")):
        run = "run", network, given, "--size", "60x76", "--exact-direct", "-o", made
        outcome = ftdist_command(*run, folder=tmp_path)
        assert outcome.status == 0, outcome
    made, wanted = (np.load(tmp_path / each) for each in ("made.npy", "wanted.npy"))
    np.testing.assert_array_equal(made, wanted.reshape(made.shape))
    for words in (
        ("run", network, picture, "--size", "60x76", "--bands", "never", "-o", "whole.npy"),
        ("run", network, picture, "--size", "64x64", "-o", "whole.npy"),
        ("run", network, picture, picture, "--size", "60x76", "-o", "whole/"),
        ("batch", network, picture, "--size", "60x76", "-o", "whole/"),
    ):
        outcome = ftdist_command(*words, folder=tmp_path)
        assert outcome.status in (1, 2), outcome
        assert "a .npy file; 'ftdist run --bands always' of it alone takes them" in outcome.err
        assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "option", [("--repeat", 2), ("--tiling", "1x1"), ("--plan", "no.json"), ("--trace", "t.json")]
)
def test_what_a_run_in_bands_has_not_is_refused(
    folder: Path, option: tuple[str, object], tmp_path: Path
) -> None:
    run = "run", folder / "colours.onnx", folder / "photo.ppm", "--size", "picture", "-o", "o.ppm"
    outcome = ftdist_command(*run, "--bands", "always", *option, folder=tmp_path)
    assert outcome.status == 2 and outcome.out == "", outcome
    said = outcome.err.splitlines()[-1]
    assert said.startswith(f"ftdist: {option[0]}: not of a picture") and "--bands never" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("channels", "dtype", "placed"),
    [(1, np.uint16, False), (3, np.uint16, False), (1, np.uint8, False), (3, np.uint8, True)],
)
def test_what_a_picture_has_beyond_three_colours_of_eight_bits_is_kept_though_it_fits(
    folder: Path, channels: int, dtype: type, placed: bool
) -> None:
    """Drawn whole it would be three colours of eight bits, at no place."""
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (61, 75, channels))
    place = {33550: (12, (0.5, 0.5, 0.0)), 33922: (12, (0.0, 0.0, 0.0, 7.0, 47.0, 0.0))}
    write_tiff(folder / "more.tif", pixels.astype(dtype), Kind(more=place if placed else {}))
    network = "grey.onnx" if channels == 1 else "colours.onnx"
    for name, more in (("small.tif", ()), ("bands.tif", ("--bands", "always"))):
        outcome = ftdist_command("run", network, "more.tif", "-o", name, *more, folder=folder)
        assert outcome.status == 0, outcome
    with closing(open_rows(folder / "small.tif")) as made:
        assert (made.dtype, made.shape.channels) == (np.dtype(dtype), channels)
        assert (33922 in made.tags) == placed
    assert (folder / "small.tif").read_bytes() == (folder / "bands.tif").read_bytes()


@pytest.mark.parametrize(
    ("content", "told"), [(None, "no such file"), (b"", "not a picture"), (b"P6", "not a binary")]
)
def test_what_is_wrong_with_the_picture_that_gives_the_size_is_said(
    folder: Path, content: bytes | None, told: str
) -> None:
    wrong = folder / "wrong.ppm"
    if content is not None:
        wrong.write_bytes(content)
    run = ("run", folder / "colours.onnx", wrong, "-o", folder / "wrong.tif", "--size", "picture")
    outcome = measured_ftdist(*run, folder=folder)
    wrong.unlink(missing_ok=True)
    assert outcome.status == 2 and not (folder / "wrong.tif").exists()
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"ftdist: {wrong}: ") and told in line


def test_a_picture_that_claims_a_size_is_named_in_one_line(folder: Path) -> None:
    (folder / "huge.ppm").write_bytes(b"P6 100000 100000 255\n" + bytes(1000))
    run = ("run", folder / "colours.onnx", folder / "huge.ppm", "-o", folder / "huge.png")
    outcome = measured_ftdist(*run, "--bands", "always", folder=folder)
    assert outcome.status == 2 and not (folder / "huge.png").exists()
    assert outcome.err.splitlines()[-1].startswith(f"ftdist: {folder / 'huge.ppm'}: ")
