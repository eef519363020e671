"""What a file may be called that holds data of a format."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest

from ftdist.cli.files.outputs import outputs
from ftdist.cli.files.sources import Source, Sources
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.many.destinations import FORMATS, destination
from ftdist.many.listing import Listing
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Pool
from ftdist.network.task import Kind, Task

ENDINGS = {
    "jsonl": {".jsonl", ".ndjson", ".json", ".txt", ".dat", ""},
    "json": {".json", ".txt", ".dat", ""},
    "coco": {".json", ".txt", ".dat", ""},
    "geojson": {".json", ".geojson", ".txt", ".dat", ""},
    "csv": {".csv", ".txt", ".dat", ""},
    "yolo": {".txt", ".dat", ""},
    "parquet": {".parquet", ".dat", ""},
}
ALL = set.union(*ENDINGS.values(), {".jpg", ".png", ".npy", ".npz", ".tif"})
OF_RUN = ("json", "csv", "coco", "yolo", "geojson", "text")


def network() -> Network:
    builder = NetworkBuilder("small", Shape(4, 4, 3))
    builder.add(Pool("max", Sliding.square(2)), [INPUT])
    return builder.finish()


def given() -> Sources:
    return Sources((Source("a.jpg", Path("a.jpg"), is_array=False),), several=False)


def allowed(file_format: str, ending: str) -> bool:
    return ending in ENDINGS[file_format]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_batch_refuses_a_name_that_says_another_format(file_format: str, tmp_path: Path) -> None:
    for ending in sorted(ALL | {".mp4", ".mkv"}):
        word = str(tmp_path / f"found{ending}")
        asked = word, file_format, Listing(["a.jpg"]), network(), Task("detect")
        if allowed(file_format, ending):
            assert destination(*asked).file_format == file_format
            continue
        with pytest.raises(InputError, match=f"--format {file_format}; name another file, as"):
            destination(*asked)


@pytest.mark.parametrize("file_format", set(OF_RUN) - {"text"})
def test_a_run_refuses_a_name_that_says_another_format(file_format: str, tmp_path: Path) -> None:
    for ending in sorted(ALL - {".jsonl", ".ndjson", ".parquet"}):
        asked = str(tmp_path / f"found{ending}"), file_format, given(), network(), Task("detect")
        if allowed(file_format, ending):
            assert outputs(*asked).file_format == file_format
            continue
        with pytest.raises(InputError, match=f"--format {file_format}; name another file, as"):
            outputs(*asked)


def test_a_folder_is_not_taken_for_one_file_of_all_inputs(tmp_path: Path) -> None:
    for word in (str(tmp_path), "out/"):
        with pytest.raises(InputError, match=r"one file for all inputs; name it, as .*/all\.csv"):
            outputs(word, "csv", given(), network(), Task("detect"))


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("file_format", OF_RUN)
def test_every_format_is_written_or_refused_for_every_kind_of_network(
    kind: Kind, file_format: str, tmp_path: Path
) -> None:
    with suppress(InputError):
        found = outputs(str(tmp_path / "found"), file_format, given(), network(), Task(kind))
        assert (found.kind, found.file_format) == ("data", file_format)
