"""Sizes as people write them, and what this process holds as the system counts it."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftdist.errors import InputError
from ftdist.runtime.budget.memory import (
    ceil_size,
    format_size,
    page_block,
    parse_size,
    peak_resident_bytes,
    resident_bytes,
)

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("4096", 4096),
        ("64K", 64 * KIB),
        ("64M", 64 * MIB),
        ("2G", 2 * GIB),
        ("64m", 64 * MIB),
        (" 64M\n", 64 * MIB),
        ("64 M", 64 * MIB),
        ("64MB", 64 * MIB),
        ("64MiB", 64 * MIB),
        ("512B", 512),
        ("1.5M", 3 * MIB // 2),
        ("0.5K", 512),
        ("007K", 7 * KIB),
        ("9007199254740993", 9007199254740993),
        ("999999999999999999G", 999999999999999999 * GIB),
    ],
)
def test_sizes_that_are_understood(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "M",
        "0",
        "0M",
        "0.1",
        "-1",
        "+1M",
        "1e3",
        "1,5M",
        "64MM",
        "64T",
        "64 M B",
        "0x10",
        "nan",
        "inf",
        "64iB",
        ".5M",
        "1.M",
        "64\N{KELVIN SIGN}",
        "\N{ARABIC-INDIC DIGIT SIX}M",
        "9" * 400,
        "1\n2",
    ],
)
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="is not a size: write bytes, or a number with K, M or G"):
        parse_size(text)


@given(some.integers(1, 1 << 50))
def test_a_size_rounded_up_is_enough_and_no_more_than_a_unit_too_much(size: int) -> None:
    rounded = parse_size(ceil_size(size))
    assert 0 <= rounded - size < (KIB if size < 10 * MIB else MIB)


def test_sizes_as_people_read_them() -> None:
    assert format_size(64 * MIB) == "64.0 MiB"
    assert format_size(MIB // 2) == "0.5 MiB"


def test_a_block_is_resident_once_touched_and_given_back_with_the_array() -> None:
    size = 48 * MIB
    before = resident_bytes()
    block = page_block(size)
    assert block.nbytes == size and not block[::65536].any()
    assert resident_bytes() - before < size // 8
    block[:] = 1
    assert size * 7 // 8 < resident_bytes() - before < size * 9 // 8
    assert peak_resident_bytes() >= resident_bytes()
    del block
    gc.collect()
    assert resident_bytes() - before < size // 8
    assert peak_resident_bytes() - before > size * 7 // 8


def test_a_block_begins_on_a_page_and_may_be_empty() -> None:
    assert page_block(5).ctypes.data % 4096 == 0
    assert page_block(0).dtype == np.uint8
