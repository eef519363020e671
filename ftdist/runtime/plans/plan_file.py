"""A plan as a JSON file: what ``ftdist plan --json`` writes and ``ftdist run --plan`` reads."""

from __future__ import annotations

import os
from pathlib import Path

from ftdist.atomic import write_json
from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan, parse_json

_MOST_PLAN_BYTES = 1 << 20


def write_plan(path: str | os.PathLike[str], plan: Plan, model: Model) -> None:
    """Writes a plan as JSON, for ``read_plan`` and ``ftdist run --plan``."""
    write_json(Path(path), plan.to_json(model.digest))


def read_plan(path: str | os.PathLike[str], model: Model, threads: int | None = None) -> Plan:
    """The plan in a JSON file that ``write_plan`` or a command's --json wrote.

    `threads` overrides the number in the file. InputError when it has no plan, or another model's.
    """
    try:
        return parse_json(_text(Path(path)), model.network, model.digest, threads)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_PLAN_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    if len(content) > _MOST_PLAN_BYTES:
        raise InputError("is not a plan, it is too large")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InputError("is not a plan: not UTF-8 text") from None
