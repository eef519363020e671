"""Architectures that come with the program: the .cfg files of this folder, without weights.

A file dropped into the folder is an architecture by its name; nothing lists them.
"""

from __future__ import annotations

from importlib import resources

from ftdist.errors import InputError
from ftdist.network.darknet.cfg import closest
from ftdist.network.darknet.importer import DarknetModel, parse_cfg

_SUFFIX = ".cfg"


def names() -> tuple[str, ...]:
    """The architectures' names in alphabetical order."""
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(file.removesuffix(_SUFFIX) for file in files if file.endswith(_SUFFIX)))


def load(name: str, until: int | None = None) -> DarknetModel:
    """The architecture of that name, or its layers 0..until.

    InputError names the closest when there is none.
    """
    if name not in names():
        raise InputError(f"there is no built-in architecture {name!r}; {closest(name, names())}")
    file = resources.files(__name__).joinpath(name + _SUFFIX)
    return parse_cfg(file.read_text(encoding="utf-8"), name, f"built-in {file.name}", until)
