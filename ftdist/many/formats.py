"""A batch's records in other formats, made when it ends, with never more than a few in memory.

Parquet is written by pyarrow, in row groups, one row for each thing that was seen, in the columns
of the CSV table; a picture on which nothing was seen has no row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ftdist.answers.export import Results, columns, from_value, pieces, rows_of
from ftdist.answers.seen import Result
from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.many.spool import Spool
from ftdist.network.task import Kind

_ROW_GROUP = 20_000
_PARQUET = "pip install 'ftdist[parquet]'"


def write_records(spool: Spool, file_format: str, names: Sequence[str], kind: Kind) -> None:
    """Writes the spool's records to its path; InputError when the disk is full."""

    def results() -> Iterator[Result]:
        for line in spool.records():
            yield from_value(json.loads(line.decode("utf-8", "surrogateescape")))

    with atomic_write(spool.path) as temporary:
        if file_format == "parquet":
            _write_parquet(temporary, results, kind)
            return
        with temporary.open("w", encoding="utf-8", errors="surrogateescape") as file:
            for piece in pieces(results, file_format, names, kind=kind):
                file.write(piece)


def require_parquet() -> None:
    """InputError where what writes Parquet is not installed; imports nothing."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise InputError(f"writing Parquet needs pyarrow: {_PARQUET}")


def _text(name: str) -> str:
    """A name as a column of text can have it: bytes that are no UTF-8 as Python shows them."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _write_parquet(path: Path, results: Results, kind: Kind) -> None:
    with needing("writing Parquet", "pyarrow", "parquet"):
        import pyarrow as arrow
        from pyarrow import parquet

    types: dict[str, Any] = {"file": arrow.string(), "label": arrow.string()}
    types |= {"class": arrow.int32(), "point": arrow.int32()}
    fields = [(name, types.get(name, arrow.float64())) for name in ("file", *columns(kind))]
    schema = arrow.schema(fields)
    rows = ((_text(result.file), *row) for result in results() for row in rows_of(result))
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(rows, _ROW_GROUP)):
            values = [list(column) for column in zip(*group, strict=True)]
            arrays = [
                arrow.array(each, type=field.type)
                for each, field in zip(values, schema, strict=True)
            ]
            writer.write_table(arrow.table(arrays, schema=schema))
