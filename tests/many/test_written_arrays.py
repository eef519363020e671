"""Outputs are written as they are, also where nothing was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftdist.many.inputs import write_arrays

ARRAYS = {
    "none": np.zeros((1, 0, 3), np.float32),
    "every other": np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2],
    "whole": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_written_as_it_is(name: str, tmp_path: Path) -> None:
    write_arrays(tmp_path / "one.npy", {name: ARRAYS[name]})
    found = np.load(tmp_path / "one.npy")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, ARRAYS[name])


def test_all_are_written_by_name(tmp_path: Path) -> None:
    write_arrays(tmp_path / "all.npz", ARRAYS)
    with np.load(tmp_path / "all.npz") as found:
        assert set(found.files) == set(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
