"""Where the results of a batch go, by -o and --format: decided before anything is computed.

    FILE.jsonl, .ndjson, -      a record per input, a line of JSON each; the default
    FILE.json, .csv, .parquet   the same records as one list, a table, a table in row groups
    FILE.json --format coco     as COCO's own files have them
    FOLDER, A{}B                a file per input, and beside them the records, in results.jsonl
    FILE.mp4, .mkv, .mov        of one video as input: a video of its frames with what was found

Two inputs of one name get different files: the second is NAME-2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ftdist.answers.drawing.formats import FORMATS as PICTURES
from ftdist.answers.endings import refuse_contradiction
from ftdist.atomic import make_folder, refuse_overwriting, refuse_unwritable
from ftdist.errors import InputError
from ftdist.many.films import FILMS
from ftdist.many.listing import ARRAYS, VIDEOS, Source
from ftdist.many.pictures import TOLD
from ftdist.many.videos import library
from ftdist.network.graph import Network
from ftdist.network.task import Task

STANDARD_OUTPUT = "-"
PLACE = "{}"
_VIDEO = "video"
RECORDS = "results.jsonl"

FORMATS = ("jsonl", "json", "csv", "coco", "parquet")
_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
_DRAWN = ("detect", "segment", "image", "points", "classify")
_FOUND = "-found.jpg"
_SINGLE = (*PICTURES, *ARRAYS, *VIDEOS, ".txt", ".geojson")


@dataclass(frozen=True)
class Destination:
    """Records in a format, in a file or (None) on standard output; and a file an input, if asked.

    `place` is the file of an input, with {} for its name; `again` the numbers of those inputs
    whose name another one before them has.
    """

    file_format: str
    records: Path | None
    place: Path | None = None
    again: dict[str, int] = field(default_factory=dict)

    @property
    def is_film(self) -> bool:
        """Whether a video is made of what is drawn, and no records."""
        return self.file_format == _VIDEO

    def target(self, source: Source) -> Path | None:
        """The file that is written for an input, if any."""
        if self.place is None:
            return None
        number = self.again.get(source.file)
        stem = source.stem if number is None else f"{source.stem}-{number}"
        return self.place.with_name(self.place.name.replace(PLACE, stem))

    def prepared(self) -> Path | None:
        """The file of the records, which can be written: its folder is made where it is ours.

        InputError when it cannot, or when what writes its format is not installed.
        """
        if self.records is None:
            return None
        if self.is_film:
            library()
        if self.place is not None and not self.is_film:
            make_folder(self.records.parent)
        if self.file_format == "parquet":
            from ftdist.many.formats import require_parquet

            require_parquet()
        refuse_unwritable(self.records)
        return self.records


def destination(
    word: str | None, wanted: str | None, inputs: Iterable[Source], network: Network, task: Task
) -> Destination:
    """What -o and --format ask for; InputError when the network's outputs cannot be written so."""
    if word is None or word == STANDARD_OUTPUT:
        if wanted not in (None, "jsonl"):
            raise InputError(f"--format {wanted}: only JSON lines go to standard output; name -o")
        _refuse_untold("standard output", "jsonl", task)
        return Destination("jsonl", None)
    path = Path(word)
    suffix = path.suffix.lower()
    one_file = PLACE not in path.name and not word.endswith("/") and not path.is_dir()
    if one_file and suffix in FILMS and (sources := _of_one_video(inputs)):
        return _film(word, wanted, path, sources, network, task)
    file_format = wanted or _ENDINGS.get(suffix)
    if file_format is not None and PLACE not in path.name and not word.endswith("/"):
        refuse_contradiction(word, file_format, _SINGLE)
        _refuse_untold(word, file_format, task)
        return Destination(file_format, path)
    if wanted not in (None, "jsonl"):
        raise InputError(f"{word}: --format {wanted} is one file for all inputs")
    return _each(word, path, inputs, network, task)


def _of_one_video(inputs: Iterable[Source]) -> list[Source]:
    """The video that is the only input, or nothing."""
    first = list(islice(iter(inputs), 2))
    return first if len(first) == 1 and first[0].is_video else []


def _film(
    word: str, wanted: str | None, path: Path, sources: list[Source], network: Network, task: Task
) -> Destination:
    """A video of frames that are drawn in a folder beside it first."""
    if wanted is not None:
        raise InputError(f"{word}: a video has no records; leave out --format {wanted}")
    if task.kind not in _DRAWN:
        raise InputError(f"{word}: {network.name} gives only numbers; name a folder for arrays")
    refuse_overwriting([path], [(each.name, each.path) for each in sources])
    return Destination(_VIDEO, path, path.with_name(path.name + ".frames") / (PLACE + ".ppm"))


def _each(
    word: str, path: Path, inputs: Iterable[Source], network: Network, task: Task
) -> Destination:
    """A file per input: a picture where the network has one, else its arrays."""
    if PLACE not in path.name:
        _refuse_file(word, path)
        ending = ".npy" if len(network.outputs) == 1 else ".npz"
        path = path / (PLACE + (_FOUND if task.kind in _DRAWN else ending))
    elif path.suffix.lower() in PICTURES and task.kind not in _DRAWN:
        raise InputError(f"{word}: {network.name} gives only numbers; write .npy or .npz files")
    elif path.suffix.lower() == ".npy" and len(network.outputs) > 1:
        raise InputError(f"{word}: {network.name} has several outputs; write .npz files")
    elif path.suffix.lower() not in (*PICTURES, *ARRAYS):
        raise InputError(f"{word}: what is written of each input is .npy, .npz or a picture")
    return Destination("jsonl", path.parent / RECORDS, path, _again(inputs))


def _refuse_file(word: str, path: Path) -> None:
    """InputError for a name that stands for one file, of which a folder would be made."""
    if path.suffix.lower() in _SINGLE and not word.endswith("/") and not path.is_dir():
        raise InputError(
            f"{word}: a batch writes a file of each input: name a folder, as -o out/, or a "
            f"pattern, as -o 'out/{PLACE}.png'; or one file of records ({', '.join(_ENDINGS)}); a "
            f"video ({', '.join(FILMS)}) is made of one video"
        )


def _refuse_untold(where: str, file_format: str, task: Task) -> None:
    """InputError where records in that format have nothing to tell."""
    if task.kind not in TOLD:
        raise InputError(
            f"{where}: what the network gives are numbers or a picture; name a folder for them, as "
            "-o out/"
        )
    if file_format == "coco" and task.kind != "detect":
        raise InputError(f"{where}: --format coco is for detectors")


def _again(inputs: Iterable[Source]) -> dict[str, int]:
    """For inputs that share a stem, which of them each is, from the second on.

    An input that is named twice has one file: what comes of it is the same.
    """
    seen: dict[str, str] = {}
    counts: Counter[str] = Counter()
    found: dict[str, int] = {}
    for source in inputs:
        stem = source.stem
        if seen.setdefault(stem, source.name) != source.name and source.name not in found:
            counts[stem] += 1
            number = counts[stem] + 1
            while f"{stem}-{number}" in seen:
                number += 1
            counts[stem] = number - 1
            found[source.name] = number
            seen[f"{stem}-{number}"] = source.name
    return found
