"""Arrays and PNM by rows: what is written is read again, and goes on where it stopped."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.rows.plain import (
    PlainSink,
    create_array,
    create_pnm,
    open_array,
    open_pnm,
)
from ftdist.pictures.rows.protocol import Rows, partial_file, progress_file

SHAPE = Shape(37, 11, 3)


def made(dtype: str) -> Rows:
    values = np.random.default_rng(3).integers(0, 250, (SHAPE.height, SHAPE.width, 3))
    return values.astype(dtype)


def create(path: Path, dtype: str, *, resume: bool = False) -> PlainSink:
    if path.suffix == ".npy":
        planes = dtype == "float32"
        return create_array(path, SHAPE, np.dtype(dtype), planes=planes, resume=resume)
    return create_pnm(path, SHAPE, np.dtype(dtype), resume=resume)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("a.npy", "float32"), ("a.npy", "uint16"), ("a.ppm", "uint8"), ("a.ppm", "uint16")],
)
def test_what_is_written_in_two_attempts_is_read_again(
    tmp_path: Path, name: str, dtype: str
) -> None:
    path, rows = tmp_path / name, made(dtype)
    sink = create(path, dtype)
    sink.write(rows[:20])
    sink.abandon(keep=True)
    assert not path.exists()
    sink = create(path, dtype, resume=True)
    assert sink.position == 20
    for top in range(20, 37, 5):
        sink.write(rows[top : top + 5])
    sink.finish()
    assert [each.name for each in tmp_path.iterdir()] == [name]
    source = open_array(path) if name == "a.npy" else open_pnm(path)
    assert (source.shape, source.dtype) == (SHAPE, np.dtype(dtype))
    for _ in range(2):
        tops = (0, 1, 8, 36)
        read = [source.rows(top, end) for top, end in zip(tops, (*tops[1:], 37), strict=True)]
        np.testing.assert_array_equal(np.concatenate(read), rows)
        source.rewind()
    source.close()


def test_an_abandoned_output_leaves_nothing(tmp_path: Path) -> None:
    sink = create(tmp_path / "a.ppm", "uint8")
    sink.write(made("uint8")[:4])
    sink.abandon(keep=False)
    assert not list(tmp_path.iterdir())


def test_another_output_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    sink = create(path, "uint8")
    sink.write(made("uint8")[:4])
    sink.abandon(keep=True)
    assert partial_file(path).exists() and progress_file(path).exists()
    assert create(path, "uint16", resume=True).position == 0


@pytest.mark.parametrize(
    "content", [b"P6\n11 37\n255\n1234", b"P6\n11", b"P4\n1 1\n", b"P5 1 1 0 1", b""]
)
def test_a_cut_or_strange_picture_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.ppm"):
        open_pnm(path)


def test_a_pnm_of_another_white_is_spread_over_all_values(tmp_path: Path) -> None:
    for most, dtype in ((15, "u1"), (1023, ">u2")):
        values = np.arange(64).reshape(8, 8) * most // 63
        head = b"P5 8 8 %d\n" % most
        (tmp_path / "a.pgm").write_bytes(head + values.astype(dtype).tobytes())
        source = open_pnm(tmp_path / "a.pgm")
        full = 255 if most < 256 else 65535
        np.testing.assert_array_equal(source.rows(0, 8)[:, :, 0], np.rint(values * full / most))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f2", ">f4", "<f8", ">f8", "<i4", ">i8", "|i1", "|b1"])
@pytest.mark.parametrize("planes", [True, False])
def test_arrays_of_any_numbers_and_order_are_read_as_float32(
    tmp_path: Path, dtype: str, order: Literal["C", "F"], planes: bool
) -> None:
    values = (made("float32") - 120).astype(dtype)
    stored = values.transpose(2, 0, 1)[np.newaxis] if planes else values
    np.save(tmp_path / "a.npy", np.array(stored, order=order))
    with closing(open_array(tmp_path / "a.npy", planes=planes)) as source:
        assert (source.shape, source.dtype) == (SHAPE, np.dtype(np.float32))
        for tops in ((0, 1, 36, 37), (5, 20, 37)):
            source.rewind()
            read = [source.rows(*each) for each in pairwise(tops)]
            assert all(each.dtype == np.float32 for each in read)
            expected = values[tops[0] :].astype(np.float32)
            np.testing.assert_array_equal(np.concatenate(read), expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["|u1", "<u2", ">u2"])
@pytest.mark.parametrize("channels", [0, 3])
def test_samples_in_any_order_are_pixels(
    tmp_path: Path, dtype: str, order: Literal["C", "F"], channels: int
) -> None:
    values = made("uint8").astype(dtype) if channels else made("uint8")[:, :, 0].astype(dtype)
    np.save(tmp_path / "a.npy", np.array(values, order=order))
    with closing(open_array(tmp_path / "a.npy")) as source:
        found = source.rows(0, 37)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, values.reshape(37, 11, -1))


@pytest.mark.parametrize("dtype", ["c8", "U3", "M8[s]", [("a", "f4")]])
def test_what_is_no_number_is_refused_in_one_line(tmp_path: Path, dtype: Any) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5), dtype))
    with pytest.raises(InputError, match=r"a\.npy: rows are read of numbers, this is "):
        open_array(tmp_path / "a.npy")


def test_numbers_beyond_float32_are_infinite(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((1, 2, 2), 1e300))
    with closing(open_array(tmp_path / "a.npy")) as source:
        assert np.isinf(source.rows(0, 2)).all()
