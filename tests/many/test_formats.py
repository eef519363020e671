"""Records in other formats: whatever a file is called, each is what others can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftdist.answers.export import as_value
from ftdist.answers.seen import Found, Seen
from ftdist.many import formats
from ftdist.many.formats import write_records
from ftdist.many.pictures import as_line
from ftdist.many.spool import Spool

NAME = "photos/caf\udce9 \u00e9\n.jpg"
"""As Python calls a name of which a byte (233) is no UTF-8."""


def spool_of(path: Path) -> Spool:
    spool = Spool(path, {})
    spool.begin(resume=False)
    seen = Seen(NAME, 640, 480, (Found("cat", 0, 0.5, 1.0, 2.0, 3.0, 4.0),))
    spool.add(as_line(as_value(seen)))
    return spool


def test_lines_are_utf_8_and_say_the_name_whatever_it_is(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "found.jsonl")
    spool.end()
    (line,) = (tmp_path / "found.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["file"] == NAME
    assert "caf\\udce9 \u00e9" in line


@pytest.mark.parametrize("file_format", ["json", "coco"])
def test_json_is_utf_8_too(tmp_path: Path, file_format: str) -> None:
    spool = spool_of(tmp_path / "found.json")
    spool.end(lambda: write_records(spool, file_format, ["cat"], "detect"))
    assert json.dumps(NAME)[1:-1] in spool.path.read_text("utf-8")


def test_a_column_of_text_has_bytes_that_are_no_text_as_python_shows_them() -> None:
    assert formats._text(NAME) == "photos/caf\\xe9 \u00e9\n.jpg"


def test_parquet_says_bytes_that_are_no_text_as_python_shows_them(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    spool = spool_of(tmp_path / "found.parquet")
    spool.end(lambda: write_records(spool, "parquet", ["cat"], "detect"))
    (row,) = parquet.read_table(spool.path).to_pylist()
    assert row["file"] == "photos/caf\\xe9 \u00e9\n.jpg"
    assert (row["label"], row["x"], row["height"]) == ("cat", 1.0, 4.0)
