"""Files of other formats as model files, kept in the user's cache: what `run` and `plan` open.

Importing takes packages and memory that a run must not lack, so a forked child does it. A model
file is kept under a digest of all that made it: the file, what lies beside it under a name that
begins alike or that files of labels have, the size asked for, and the version of this package.
"""

from __future__ import annotations

from _blake2 import blake2b
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import ftdist
from ftdist.answers.names import LABEL_FILES
from ftdist.errors import InputError
from ftdist.network.modelfile import Model, load
from ftdist.network.modelheader import VERSION
from ftdist.runtime.budget.limits import Budget, budget
from ftdist.runtime.budget.memory import resident_bytes

_PIECE_BYTES = 1 << 20
_SUFFIX = ".onnx"

Size = tuple[int, int]
"""Height and width in pixels."""


class Pictures(NamedTuple):
    """The sizes of the first picture that is to be read, and of the widest for its height."""

    first: Size
    widest: Size


Wanted = Size | Literal["picture"] | None
"""The size of an input: one that is named, that of the picture whatever the network is for, or what
suits the network."""


def opened(
    path: Path,
    size: Wanted = None,
    told: Callable[[str], None] | None = None,
    pictures: Callable[[], Pictures | None] | None = None,
    limit: Budget | None = None,
) -> Model:
    """The model in a file: a model file, or an ONNX file, which is imported first.

    `size` is that of an ONNX file's input, where it is open; `pictures` gives those of pictures,
    for networks that make pictures of any size or read text of any length, and for all where that
    is the size wanted; `told` hears where it went, and what was odd in it. Importing takes no more
    than the `limit` leaves, with this process.
    """
    if path.suffix.lower() != _SUFFIX:
        if size is not None:
            raise InputError(f"{path}: its size was settled at import; --size is for ONNX files")
        return load(path)
    seen = pictures() if pictures is not None and size in (None, "picture") else None
    if size == "picture" and seen is None:
        raise InputError("--size picture: the size is that of the input, which has none")
    target = _kept_at(path, (size, seen))
    try:
        return load(target)
    except InputError:  # not there yet, or damaged
        pass
    from ftdist.runtime.forked import ChildEnded, run_forked

    held = resident_bytes()
    try:
        remarks = run_forked(lambda: _imported(path, target, size, seen, limit, held))
    except ChildEnded:  # libraries end the process where they lack memory for a thread's data
        from ftdist.runtime.importing_room import lacking

        raise lacking(path, limit or budget(None), held) from None
    model = load(target, verify=False)
    if told is not None:
        told(f"imported {path} as {target}")
        for each in remarks:
            told(each)
    return model


def _imported(
    path: Path,
    target: Path,
    size: Wanted,
    pictures: Pictures | None,
    limit: Budget | None,
    held_bytes: int,
) -> list[str]:
    from ftdist.network.onnx.reading.schema import model_class
    from ftdist.runtime.importing_room import importing_room
    from ftdist.runtime.model_import import import_kept  # with all importers

    model_class()  # what its library maps without ever touching it counts for nothing
    remarks: list[str] = []
    with importing_room(path, limit or budget(None), held_bytes):
        as_picture = size == "picture"
        named = None if size == "picture" else size
        import_kept(path, target, named, pictures, remarks.append, as_picture=as_picture)
    return remarks


def _kept_at(path: Path, size: tuple[Wanted, Pictures | None]) -> Path:
    """Where the model file of a file is kept."""
    from ftdist.runtime.measuring.profiles import cache_folder

    folder = cache_folder()
    if folder is None:
        raise InputError("no folder to keep imported models in: set XDG_CACHE_HOME")
    kept = folder / "models"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {kept}: {error.strerror}") from None
    stem = "".join(c if c.isprintable() else "?" for c in path.stem)[:80]
    return kept / f"{stem}-{_digest(path, size)}.ftd"


def _digest(path: Path, size: tuple[Wanted, Pictures | None]) -> str:
    """A digest of all that makes a model file, read in pieces."""
    digest = blake2b(f"{ftdist.__version__} {VERSION} {size}".encode(), digest_size=12)
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
        for each in sorted(path.parent.iterdir()):
            near = each.stem.startswith(path.stem) or each.suffix == ".names"
            if each != path and (near or each.name in LABEL_FILES) and each.is_file():
                status = each.stat()  # where weights may lie that are not in the file itself
                digest.update(f"{each.name} {status.st_size} {status.st_mtime_ns}".encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()
