"""Which endings of a file's name a format of data may have: who reads it goes by the ending."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ftdist.errors import InputError

_HOLD = {
    ".json": ("json", "coco", "geojson", "jsonl"),
    ".jsonl": ("jsonl",),
    ".ndjson": ("jsonl",),
    ".csv": ("csv",),
    ".parquet": ("parquet",),
    ".geojson": ("geojson",),
    ".txt": ("yolo", "text", "csv", "json", "coco", "geojson", "jsonl"),
}
"""Formats by the endings that name one; any other ending may hold all."""

_USUAL = {"coco": ".json", "yolo": ".txt", "text": ".txt"}


def refuse_contradiction(word: str, wanted: str, others: Collection[str]) -> None:
    """InputError where a file's name says that it holds something else than `wanted`.

    `others` are the endings of what is no data.
    """
    path = Path(word)
    suffix = path.suffix.lower()
    if wanted not in _HOLD.get(suffix, () if suffix in others else (wanted,)):
        raise InputError(
            f"{word}: not a name for data of --format {wanted}; name another file, as "
            f"{named_for(path, wanted)}"
        )


def named_for(path: Path, wanted: str) -> Path:
    """The path with the ending that files of that format have."""
    return path.with_suffix(_USUAL.get(wanted, f".{wanted}"))
