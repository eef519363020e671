"""Where the results of a run go: decided and refused before anything is computed.

    -o FILE.npy, .npz         the network's outputs, raw
    -o FILE.jpg, .png, ...    the picture with boxes, classes in colours, points, or the likeliest
                              classes; or the one that the network makes
    -o FILE.json, .csv, .txt  what was found, as data; --format says which data in any other file
                              (.txt holds YOLO's labels, or the text that is read)
    -o -                      the same on standard output, which then holds nothing else
    -o FOLDER, A{}B           a file an input, where there are several; {} is the input's name

Data of all inputs are one file; only YOLO's are a file a picture. Two inputs of one name get
different files: the second is NAME-2. No output may be one of the inputs, by whatever name.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftdist.answers.drawing.formats import FORMATS as PICTURES
from ftdist.answers.drawing.formats import output_format
from ftdist.answers.endings import named_for, refuse_contradiction
from ftdist.atomic import atomic_write, make_folder, refuse_unwritable
from ftdist.cli.files.sources import Source, Sources
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.task import Task

STANDARD_OUTPUT = "-"
PLACE = "{}"

Kind = Literal["nothing", "arrays", "pictures", "data"]

_ARRAYS = (".npy", ".npz")
_DATA = {".json": "json", ".csv": "csv", ".txt": "yolo", ".geojson": "geojson"}
_DRAWN = "-found.jpg"
_DRAWN_KINDS = ("detect", "segment", "image", "points")
_FORMATS = {
    "detect": ("json", "csv", "coco", "yolo", "geojson"),
    "classify": ("json", "csv"),
    "segment": ("json", "csv"),
    "points": ("json", "csv"),
    "text": ("json", "csv", "text"),
}
_MOST_TOLD = 4
_FOR_EACH = (None, "yolo")
_CALLED = {
    "detect": "a detector",
    "classify": "a classifier",
    "segment": "a segmentation",
    "points": "of key points",
    "text": "a reader of text",
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written: of which kind, in which format of data, and where.

    `each` is the file of each input; where it is empty `all` is one for them all, None standard
    output (or, where the kind is nothing, none).
    """

    kind: Kind
    file_format: str
    each: tuple[Path, ...] = ()
    all: Path | None = None

    @property
    def is_printed(self) -> bool:
        """Whether data take standard output."""
        return self.kind == "data" and not self.each and self.all is None

    @property
    def files(self) -> tuple[Path, ...]:
        return self.each if self.all is None else (self.all,)


def outputs(
    word: str | None,
    wanted: str | None,
    given: Sources,
    network: Network,
    task: Task,
    *,
    plain: bool = False,
) -> Outputs:
    """What -o and --format ask for, of these inputs; InputError when it cannot be done.

    `plain`: a segmentation's picture is one of numbers, which an array file may hold, too. A folder
    that is named by -o is made.
    """
    if word is None or word == STANDARD_OUTPUT:
        if word is None and wanted is None:
            return Outputs("nothing", "")
        return Outputs("data", _data(wanted or "json", network, task, "standard output"))
    suffix = Path(word).suffix.lower()
    known = suffix in (*_ARRAYS, *_DATA, *PICTURES)
    is_folder = word.endswith("/") or (not known and (Path(word).is_dir() or given.several))
    if is_folder and PLACE not in word:
        if wanted in _FOR_EACH:
            return _in_folder(Path(word), wanted, given, network, task)
        if word.endswith("/") or Path(word).is_dir():
            example = named_for(Path(word) / "all", wanted)
            raise InputError(
                f"{word}: --format {wanted} is one file for all inputs; name it, as {example}"
            )
    kind: Kind = "pictures"
    file_format = ""
    numbers = plain and task.kind == "segment" and suffix == ".npy" and wanted is None
    if not numbers:
        kind, file_format = _kind(Path(word), wanted, network, task)
    if kind == "pictures" and task.kind != "image":
        _refuse_undrawable(word, given.all)
    if PLACE in Path(word).name:
        return _by_pattern(word, kind, file_format, given)
    if kind == "data" and file_format != "yolo":
        refuse_unwritable(word)
        return Outputs(kind, file_format, all=Path(word))
    if given.several:
        example = Path(word).with_name(PLACE + Path(word).suffix)
        raise InputError(f"{word}: one file for several inputs; name a folder, or as {example}")
    refuse_unwritable(word)
    return Outputs(kind, file_format, (Path(word),))


def write_text(path: Path | None, text: str) -> None:
    """Writes data to a file, or to standard output; names that are no UTF-8 keep their bytes."""
    data = text.encode("utf-8", "surrogateescape")
    if path is not None:
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)
    elif sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)


def targets(given: Sequence[Source], place: str) -> tuple[Path, ...]:
    """For each input a file of its own: `place` with the input's name for {}."""
    taken: set[str] = set()
    names = []
    for source in given:
        name, number = source.stem, 1
        while name in taken:
            number += 1
            name = f"{source.stem}-{number}"
        taken.add(name)
        names.append(name)
    path = Path(place)
    return tuple(path.with_name(path.name.replace(PLACE, name)) for name in names)


def _kind(path: Path, wanted: str | None, network: Network, task: Task) -> tuple[Kind, str]:
    """What a file of that name is to hold."""
    suffix = path.suffix.lower()
    if wanted is not None:
        refuse_contradiction(str(path), wanted, (*_ARRAYS, *PICTURES))
        return "data", _data(wanted, network, task, path)
    if suffix in _ARRAYS:
        if suffix == ".npy" and len(network.outputs) > 1:
            raise InputError(f"{path}: {network.name} has several outputs; write a .npz file")
        return "arrays", ""
    if suffix in _DATA:
        is_text = task.kind == "text" and suffix == ".txt"
        return "data", _data("text" if is_text else _DATA[suffix], network, task, path)
    output_format(path)
    if task.kind not in (*_DRAWN_KINDS, "classify"):
        if task.kind == "text":
            raise InputError(
                f"{path}: {network.name} reads text, which is not drawn; write a .txt, .json or "
                ".csv file"
            )
        arrays = ", ".join(_told(network, number) for number in network.outputs[:_MOST_TOLD])
        more = len(network.outputs) - _MOST_TOLD
        raise InputError(
            f"{path}: {network.name} is not a detector or another network whose outputs are known "
            f"to be shown ({arrays}{f' and {more} more' if more > 0 else ''}); write a .npy or "
            ".npz file, or say by --task what it is"
        )
    return "pictures", ""


def _told(network: Network, number: int) -> str:
    """An output by its name and dims."""
    return f"{network.layers[number].name} {network.layout(number).told(network.shape(number))}"


def _data(file_format: str, network: Network, task: Task, where: object) -> str:
    """The format, which must suit the network."""
    formats = _FORMATS.get(task.kind, ())
    if file_format in formats:
        return file_format
    if formats:
        *more, last = formats
        said = f"{', '.join(more)} or {last}"
        raise InputError(f"{where}: {network.name} is {_CALLED[task.kind]}; use --format {said}")
    raise InputError(
        f"{where}: {network.name} is neither detector nor classifier; write a .npy or .npz file"
    )


def _refuse_undrawable(word: str, given: Sequence[Source]) -> None:
    for source in given:
        if source.is_array:
            raise InputError(f"{word}: boxes are drawn on a picture, {source.name} is none")


def _in_folder(
    folder: Path, wanted: str | None, given: Sources, network: Network, task: Task
) -> Outputs:
    kind: Kind = "arrays"
    file_format, ending = "", ".npy" if len(network.outputs) == 1 else ".npz"
    if wanted is not None:
        kind, file_format, ending = "data", _data(wanted, network, task, folder), ".txt"
    elif task.kind in _DRAWN_KINDS:
        kind, ending = "pictures", _DRAWN
        if task.kind != "image":
            _refuse_undrawable(str(folder), given.all)
    return _by_pattern(str(folder / (PLACE + ending)), kind, file_format, given, makes=True)


def _by_pattern(
    place: str, kind: Kind, file_format: str, given: Sources, *, makes: bool = False
) -> Outputs:
    if kind == "data" and file_format != "yolo":
        raise InputError(f"{place}: --format {file_format} is one file for all inputs")
    found = targets(given.all, place)
    if makes:
        make_folder(Path(place).parent)
    for path in found[:1] + tuple(path for path in found[1:] if path.exists()):
        refuse_unwritable(path)
    return Outputs(kind, file_format, found)
